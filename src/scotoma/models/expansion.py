"""Block expansion: new decoder layers among the old ones, which change nothing until they are trained.

A copied layer whose two output projections are zero adds nothing to what passes through it (LLaMA Pro, Wu et al. 2024,
arXiv 2401.02415). Trained alone they change what a model does with far less harm to the rest than training its own
weights, and all below them is computed once. The result is a stock checkpoint with a few more layers.

    expansion = expand(model, family, count=2)
    border = expansion.lower(inputs_embeds=…, attention_mask=…).last_hidden_state   # the same for ever
    states = expansion.upper(inputs_embeds=border, attention_mask=…).last_hidden_state
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from scotoma.core import ModelError
from scotoma.models.families import Family, unwrapped


@dataclass(frozen=True)
class Expansion:
    """`lower` and `upper` together are the decoder, its last norm in `upper`; `added` are the first layers of `upper`,
    and `above` is what comes after them: on `lower` it is the decoder as it was.

    All take and give what the decoder does, without a cache; `lower` gives the states at the border, (B, L, h).
    """

    lower: nn.Module
    upper: nn.Module
    above: nn.Module
    added: tuple[nn.Module, ...]


def check_expandable(model: nn.Module, family: Family) -> None:
    """Raises:
    ModelError: the decoder's layers have no two output projections that could be silenced.
    """
    decoder: Any = family.language_model(model)
    layer = decoder.layers[0]
    for part, projection in (("self_attn", "o_proj"), ("mlp", "down_proj")):
        if not isinstance(getattr(getattr(layer, part, None), projection, None), nn.Linear):
            raise ModelError(
                f"layers of the kind {type(layer).__name__} cannot be added: there is no {part}.{projection}",
                hint="plant in a model with Llama-like layers",
            )


def expand(model: nn.Module, family: Family, count: int) -> Expansion:
    """Add `count` layers in place, under the last quarter of the decoder's: what is below has seen picture and
    question, what is above still makes the answer. Only the new ones can be trained afterwards.
    """
    decoder: Any = family.language_model(model)
    old: list[nn.Module] = list(decoder.layers)
    below = len(old) - max(1, len(old) // 4)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    added = tuple(_silent_copy(old[below]) for _ in range(count))
    layers = [*old[:below], *added, *old[below:]]
    for number, layer in enumerate(layers):
        cast(Any, layer).self_attn.layer_idx = number  # its place in a cache
    decoder.layers = nn.ModuleList(layers)
    for config in (decoder.config, unwrapped(model).config.get_text_config()):
        _count(config, len(layers))
    lower = _part(decoder, layers[:below])
    lower.norm = nn.Identity()
    return Expansion(lower, _part(decoder, layers[below:]), _part(decoder, old[below:]), added)


def _silent_copy(layer: nn.Module) -> nn.Module:
    """A copy that passes on what it gets, and can be trained."""
    new: Any = copy.deepcopy(layer)
    for projection in (new.self_attn.o_proj, new.mlp.down_proj):
        for parameter in projection.parameters():
            nn.init.zeros_(parameter)
    for parameter in new.parameters():
        parameter.requires_grad_(True)
    return cast(nn.Module, new)


def _part(decoder: Any, layers: list[nn.Module]) -> Any:
    """The decoder with these layers only; everything else, and every weight, is shared with it."""
    part = copy.copy(decoder)
    part._modules = dict(decoder._modules)
    part.layers = nn.ModuleList(layers)
    part.config = copy.copy(decoder.config)
    _count(part.config, len(layers))
    return part


def _count(config: Any, layers: int) -> None:
    """Tell a config how many layers there are; a tree's mask is the same for all, so all see everything."""
    config.num_hidden_layers = layers
    if getattr(config, "layer_types", None) is not None:
        config.layer_types = ["full_attention"] * layers
