"""Both engines give the same log-probabilities, the same loss and the same gradients on the same rollouts.

TRL's side is its own code in a really constructed `GRPOTrainer`: `_get_per_token_logps_and_entropies`,
`_compute_loss`, and for one whole step its training loop. Ours is the packed tree.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback
from trl.data_utils import prepare_multimodal_messages

from scotoma.core import Turn
from scotoma.grpo import GRPOConfig, Prompt, Rollout
from scotoma.grpo.advantage import group_advantages
from scotoma.grpo.schedule import prompts_of_step
from scotoma.grpo.shared import SharedTrainer
from scotoma.grpo.trl import Scorer, build_trainer, messages
from scotoma.models.quiet import quiet
from tests.grpo.conftest import Policy, load

RELATIVE = 1e-4


def config(**changes: Any) -> GRPOConfig:
    """A step of all 9 prompts with 4 completions each, in several minibatches."""
    settings = {"group_size": 4, "images_per_step": 3, "max_new_tokens": 3, "warmup_steps": 0, "steps": 2}
    return GRPOConfig(**{**settings, "tokens_per_minibatch": 90, "temperature": 0.7, **changes})


def no_reward(rollouts: Sequence[Rollout]) -> list[float | None]:
    return [0.0] * len(rollouts)


def trl_trainer(policy: Policy, prompts: Sequence[Prompt], settings: GRPOConfig, out: Path) -> Any:
    with quiet():
        return build_trainer(
            policy.model, policy.processor, prompts, Scorer(prompts, no_reward, settings), settings, out
        )


def trl_batch(policy: Policy, rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """Rollouts as TRL lays them out: a padded row each, with its own copy of the image."""
    conversations = [
        prepare_multimodal_messages(messages(rollout.prompt), images=[rollout.prompt.image.open()])
        for rollout in rollouts
    ]
    texts = [policy.processor.apply_chat_template(one, add_generation_prompt=True) for one in conversations]
    images = [[rollout.prompt.image.open()] for rollout in rollouts]
    encoded = policy.processor(
        text=texts,
        images=images,
        padding=True,
        padding_side="left",
        add_special_tokens=False,
        return_tensors="pt",
    )
    longest = max(len(rollout.completion_ids) for rollout in rollouts)
    completions = torch.zeros(len(rollouts), longest, dtype=torch.long)
    mask = torch.zeros_like(completions)
    for row, rollout in enumerate(rollouts):
        completions[row, : len(rollout.completion_ids)] = torch.tensor(rollout.completion_ids)
        mask[row, : len(rollout.completion_ids)] = 1
    rest = {k: v for k, v in encoded.items() if k not in ("input_ids", "attention_mask")}
    return {
        "prompt_ids": encoded["input_ids"],
        "prompt_mask": encoded["attention_mask"],
        "completion_ids": completions,
        "completion_mask": mask,
        "num_items_in_batch": mask.sum(),
        "num_images": [1] * len(rollouts),
        **rest,
    }


def padded(values: Sequence[Sequence[float]]) -> torch.Tensor:
    longest = max(map(len, values))
    return torch.tensor([[*row, *[0.0] * (longest - len(row))] for row in values])


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def assert_same_gradients(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    norm = torch.stack([gradient.norm() for gradient in theirs.values()]).norm()
    assert norm > 1e-3
    assert set(ours) == {name for name, gradient in theirs.items() if gradient.abs().max() > 0} | set(ours)
    for name, gradient in theirs.items():
        difference = (ours.get(name, torch.zeros_like(gradient)) - gradient).norm()
        assert difference <= RELATIVE * max(gradient.norm(), 1e-3 * norm), name


def capture_gradients(trainer: SharedTrainer) -> dict[str, torch.Tensor]:
    """Our gradients before the optimizer, without changing the weights."""
    found: dict[str, torch.Tensor] = {}
    trainer.optimizer.step = lambda: found.update(gradients(trainer.model))  # type: ignore[method-assign]
    return found


def with_history(rollouts: Sequence[Rollout]) -> list[Rollout]:
    """Some prompts with earlier turns, so that what comes before the question differs within an image."""
    history = (Turn("user", "is there a circle ?"), Turn("assistant", "yes"))
    return [
        replace(rollout, prompt=replace(rollout.prompt, history=history))
        if rollout.prompt.id.endswith("1")
        else rollout
        for rollout in rollouts
    ]


def test_log_probabilities_are_those_of_trl(policy: Policy, answered: list[Rollout], tmp_path: Path) -> None:
    rollouts, settings = with_history(answered), config()
    ours = SharedTrainer(policy.model, policy.processor, settings).log_probs(rollouts)
    trainer = trl_trainer(policy, [rollout.prompt for rollout in rollouts[::4]], settings, tmp_path)
    batch = trl_batch(policy, rollouts)
    with torch.no_grad():
        theirs, _, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model.eval(),
            torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1),
            torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1),
            batch["completion_ids"].shape[1],
            **{k: batch[k] for k in ("pixel_values", "pixel_attention_mask", "num_images") if k in batch},
        )
    for row, values in enumerate(ours):
        assert values == pytest.approx(theirs[row, : len(values)].tolist(), rel=RELATIVE)


@pytest.mark.parametrize(
    ("loss_type", "beta"), [("dapo", 0.0), ("dapo", 0.1), ("grpo", 0.1), ("dr_grpo", 0.0)]
)
def test_loss_and_gradients_are_those_of_trl(
    policy: Policy, answered: list[Rollout], loss_type: str, beta: float, tmp_path: Path
) -> None:
    """Off policy, so that some ratios are clipped, and away from the reference, so that the KL term counts."""
    reference = load(policy.path).model
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    settings = config(loss_type=loss_type, beta=beta, max_grad_norm=1e9, epsilon_high=0.3)
    trainer = SharedTrainer(policy.model, policy.processor, settings, reference)
    noise = random.Random(0)
    now = trainer.log_probs(answered)
    rollouts = [
        replace(rollout, log_probs=tuple(value + noise.gauss(0, 0.3) for value in values))
        for rollout, values in zip(answered, now, strict=True)
    ]
    ours = capture_gradients(trainer)
    [update] = trainer.update(rollouts)
    assert 0 < update.clip_share < 1
    policy.model.zero_grad()

    their = trl_trainer(policy, [rollout.prompt for rollout in rollouts[::4]], settings, tmp_path)
    groups = [[rollout.reward for rollout in rollouts[i : i + 4]] for i in range(0, len(rollouts), 4)]
    batch = {
        **trl_batch(policy, rollouts),
        "advantages": torch.tensor([value for group in group_advantages(groups) for value in group]),
        "old_per_token_logps": padded([rollout.log_probs for rollout in rollouts]),
        "ref_per_token_logps": padded(trainer.log_probs(rollouts, reference)),
    }
    loss = their._compute_loss(their.model.eval(), batch)
    loss.backward()
    assert update.loss == pytest.approx(loss.item(), rel=RELATIVE)
    assert_same_gradients(ours, gradients(policy.model))


def test_a_whole_step_of_trl_has_our_gradients(
    pupil: Policy, prompts: list[Prompt], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """TRL's own loop, with gradient accumulation and a masked completion; only the sampling is replaced by ours."""
    settings = config(max_grad_norm=1e9, tokens_per_minibatch=200)  # so that all are sampled at once
    trainer = SharedTrainer(pupil.model, pupil.processor, settings)
    rollouts = trainer.sample(prompts_of_step(prompts, settings, 0), 4)

    def reward(scored: Sequence[Rollout]) -> list[float]:
        return [float(sum(rollout.completion_ids) % 3) for rollout in scored]

    ours = capture_gradients(trainer)
    trainer.update([replace(r, reward=value) for r, value in zip(rollouts, reward(rollouts), strict=True)])
    pupil.model.zero_grad()

    with quiet():
        their = build_trainer(
            pupil.model, pupil.processor, prompts, Scorer(prompts, reward, settings), settings, tmp_path
        )
        monkeypatch.setattr(
            their,
            "_generate_single_turn",
            lambda *_, **__: ([list(rollout.completion_ids) for rollout in rollouts], None),
        )
        theirs: dict[str, torch.Tensor] = {}

        class Capture(TrainerCallback):
            def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
                theirs.update(gradients(pupil.model))
                control.should_training_stop = True

        their.add_callback(Capture())
        their.train()
    assert their.args.gradient_accumulation_steps > 1
    assert_same_gradients(ours, theirs)
