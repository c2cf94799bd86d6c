"""The model families that can be packed as trees; every other model goes through stock `generate` and TRL.

Adding one: a small file that obeys `Family`, an entry in `_KNOWN`, and its name in `SHARED` of
`tests/test_families.py`, which holds it to stock forward passes.

    family = family_of(model)
    if family is None:
        ...  # stock `generate`, TRL's trainer
"""

from __future__ import annotations

from torch import nn

from scotoma.models.families.family import Family, Pixels, unwrapped
from scotoma.models.families.idefics3 import Idefics3, SmolVLM
from scotoma.models.families.internvl import InternVL
from scotoma.models.families.llava import Llava
from scotoma.models.families.llava_onevision import LlavaOnevision

__all__ = ["Family", "Pixels", "family_of", "unwrapped"]

_KNOWN: tuple[Family, ...] = (Idefics3(), SmolVLM(), Llava(), LlavaOnevision(), InternVL())
_FAMILIES = {family.name: family for family in _KNOWN}


def family_of(model: nn.Module) -> Family | None:
    """The family of a transformers model (PEFT-wrapped or not), or None when it cannot be packed.

    A tree's mask is the same for all layers, so decoders with sliding windows or linear attention are out. So are
    models that a `device_map` spread over several devices: trees call their parts, and Accelerate moves what comes out
    of the whole only.
    """
    stock = unwrapped(model)
    config = stock.config
    family = _FAMILIES.get(config.model_type)
    if family is None or len(set(getattr(stock, "hf_device_map", {}).values())) > 1:
        return None
    text = config.get_text_config()
    layers = getattr(text, "layer_types", None) or ()
    windowed = getattr(text, "sliding_window", None) is not None and getattr(text, "use_sliding_window", True)
    return family if not windowed and set(layers) <= {"full_attention"} else None
