"""The model families that can be packed as trees; every other model goes through stock `generate` and TRL.

Adding one: a small file that obeys `Family`, a line in `_FAMILIES`, and the equality tests of `tests/models`.

    family = family_of(model)
    if family is None:
        ...  # stock `generate`, TRL's trainer
"""

from __future__ import annotations

from torch import nn

from scotoma.models.families.family import Family, Pixels, unwrapped
from scotoma.models.families.idefics3 import Idefics3
from scotoma.models.families.llava import Llava

__all__ = ["Family", "Pixels", "family_of", "unwrapped"]

_FAMILIES: dict[str, Family] = {"idefics3": Idefics3(), "llava": Llava()}


def family_of(model: nn.Module) -> Family | None:
    """The family of a transformers model (PEFT-wrapped or not), or None when it cannot be packed.

    A tree's mask is the same for all layers, so decoders with sliding windows or linear attention are out.
    """
    config = unwrapped(model).config
    family = _FAMILIES.get(config.model_type)
    if family is None:
        return None
    text = config.get_text_config()
    layers = getattr(text, "layer_types", None) or ()
    windowed = getattr(text, "sliding_window", None) is not None and getattr(text, "use_sliding_window", True)
    return family if not windowed and set(layers) <= {"full_attention"} else None
