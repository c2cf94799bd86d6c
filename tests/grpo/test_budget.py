"""What does not fit is found before training, and the error says what to change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from scotoma.core import BudgetError, ImageError, ImageRecord
from scotoma.grpo import GRPOConfig, Prompt
from scotoma.grpo.budget import check_budget
from scotoma.grpo.engine import train
from scotoma.models.checkpoint import Checkpoint
from tests.grpo.conftest import Policy, picture


def test_what_fits_passes(policy: Policy, prompts: list[Prompt]) -> None:
    check_budget(policy.model, policy.processor, prompts, GRPOConfig())


def test_a_completion_beyond_the_positions_is_refused(policy: Policy, prompts: list[Prompt]) -> None:
    policy.model.config.get_text_config().max_position_embeddings = 32
    check_budget(policy.model, policy.processor, prompts, GRPOConfig(max_new_tokens=2))
    with pytest.raises(BudgetError, match=r"32 positions .*lower max_new_tokens to at most [2-9]\b"):
        check_budget(policy.model, policy.processor, prompts, GRPOConfig(max_new_tokens=12))


def test_another_number_of_image_tokens_than_features_is_refused(
    pupil: Policy, prompts: list[Prompt]
) -> None:
    pupil.processor.image_seq_len = 15
    with pytest.raises(
        BudgetError, match=r"15 image tokens where the model makes 16 features .*image_seq_len"
    ):
        check_budget(pupil.model, pupil.processor, prompts, GRPOConfig())


def test_a_text_with_the_placeholder_is_refused(policy: Policy, prompts: list[Prompt]) -> None:
    broken = replace(prompts[0], text=f"is {policy.processor.image_token} there ?")
    with pytest.raises(BudgetError, match="leave its placeholder out"):
        check_budget(policy.model, policy.processor, [broken], GRPOConfig())


def test_an_image_that_cannot_be_read_is_refused(pupil: Policy, prompts: list[Prompt]) -> None:
    broken = replace(prompts[0], image=ImageRecord(id="0" * 64, source="test", data=b"no image"))
    with pytest.raises(ImageError):
        check_budget(pupil.model, pupil.processor, [broken], GRPOConfig())


@pytest.mark.parametrize("engine", ["shared", "trl"])
def test_nothing_is_written_before_the_budget_is_checked(
    pupil: Policy, prompts: list[Prompt], engine: str, tmp_path: Path
) -> None:
    pupil.processor.image_seq_len = 15
    checkpoint = Checkpoint(pupil.model, pupil.processor, "test")
    with pytest.raises(BudgetError):
        train(
            checkpoint, prompts, lambda r: [1.0] * len(r), GRPOConfig(), out=tmp_path / "out", engine=engine
        )  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_a_large_picture_is_looked_at_though_many_texts_are_longer(looking_closely: Policy) -> None:
    policy = looking_closely
    many = [Prompt(str(n), picture(0), "how many large red circles are there ?") for n in range(70)]
    large = Prompt("large", picture(1, side=112), "how many ?")
    policy.model.config.get_text_config().max_position_embeddings = 48
    check_budget(policy.model, policy.processor, many, GRPOConfig())
    with pytest.raises(BudgetError, match="the prompt 'large'"):
        check_budget(policy.model, policy.processor, [*many, large], GRPOConfig())
