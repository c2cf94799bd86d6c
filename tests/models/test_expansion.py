"""Added layers change nothing until they are trained, and the checkpoint stays a stock one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText

from scotoma.core import ModelError
from scotoma.models.checkpoint import open_checkpoint
from scotoma.models.expansion import check_expandable, expand
from scotoma.models.families import family_of
from tests.models import checkpoints

PACKABLE = ("idefics3", "llava", "llava_onevision", "internvl", "smolvlm")


def decoded(decoder: torch.nn.Module, states: Tensor) -> Tensor:
    found: Tensor = decoder(inputs_embeds=states, use_cache=False).last_hidden_state
    return found


@pytest.mark.parametrize("name", PACKABLE)
def test_the_decoder_says_what_it_said_before_in_one_piece_or_two(name: str, tmp_path: Path) -> None:
    model = open_checkpoint(getattr(checkpoints, name)(tmp_path / name), dtype="float32").model
    family = family_of(model)
    assert family is not None
    decoder = family.language_model(model)
    states = torch.randn(2, 5, model.config.get_text_config().hidden_size, generator=torch.manual_seed(0))
    with torch.no_grad():
        before = decoded(decoder, states)
        expansion = expand(model, family, count=2)
        torch.testing.assert_close(decoded(decoder, states), before)
        border = decoded(expansion.lower, states)
        torch.testing.assert_close(decoded(expansion.upper, border), before)
        torch.nn.init.ones_(expansion.added[0].mlp.down_proj.weight)  # type: ignore[union-attr, arg-type]  # theirs
        assert not torch.allclose(decoded(expansion.upper, border), before)
        torch.testing.assert_close(decoded(expansion.above, border), before)


def test_only_the_added_layers_learn_and_a_stock_checkpoint_keeps_them(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(checkpoints.idefics3(tmp_path / "policy"), dtype="float32")
    model = checkpoint.model
    family = family_of(model)
    assert family is not None
    layers = model.config.get_text_config().num_hidden_layers
    expansion = expand(model, family, count=1)
    added = {id(p) for layer in expansion.added for p in layer.parameters()}
    assert {id(p) for p in model.parameters() if p.requires_grad} == added
    torch.nn.init.ones_(expansion.added[0].mlp.down_proj.weight)  # type: ignore[union-attr, arg-type]  # Llama's
    model.save_pretrained(tmp_path / "grown")
    again = AutoModelForImageTextToText.from_pretrained(tmp_path / "grown")
    assert again.config.get_text_config().num_hidden_layers == layers + 1
    for name, weight in again.state_dict().items():
        torch.testing.assert_close(weight, model.state_dict()[name])


def test_layers_that_could_not_be_silenced_are_refused(tmp_path: Path) -> None:
    model = open_checkpoint(checkpoints.idefics3(tmp_path / "policy"), dtype="float32").model
    family = family_of(model)
    assert family is not None
    check_expandable(model, family)
    del family.language_model(model).layers[0].mlp.down_proj  # type: ignore[union-attr, operator, index]  # Llama's
    with pytest.raises(ModelError, match="down_proj"):
        check_expandable(model, family)
