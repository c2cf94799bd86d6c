"""The stock engine does what the shared engine does, row by row: same draws, same loss, same gradients; and LoRA."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from scotoma.core import BudgetError, ConfigError, Turn
from scotoma.grpo import Completion, GRPOConfig, Prompt, Rollout
from scotoma.grpo.checkpoint import load_state, save_state
from scotoma.grpo.shared import SharedTrainer
from scotoma.grpo.stock import StockTrainer
from scotoma.grpo.trainer import Trainer
from tests.grpo.conftest import Policy, load

RELATIVE = 1e-4


def config(**changes: Any) -> GRPOConfig:
    settings = {"group_size": 4, "max_new_tokens": 3, "warmup_steps": 0, "schedule": "constant"}
    return GRPOConfig(**{**settings, "tokens_per_minibatch": 150, "temperature": 0.7, **changes})


def anything(rollouts: Sequence[Rollout]) -> list[float | None]:
    return [float(sum(rollout.completion_ids) % 5) for rollout in rollouts]


def weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(before[name], after[name]) for name in before)


def gradients_of(trainer: Trainer, rollouts: Sequence[Rollout]) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of one update, weights left alone."""
    found: dict[str, torch.Tensor] = {}

    def capture() -> None:
        found.update({n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None})

    trainer.optimizer.step = capture  # type: ignore[method-assign]
    [update] = trainer.update(rollouts)
    assert update.loss is not None
    return update.loss, found


def test_the_same_seed_draws_the_same_completions(policy: Policy, prompts: list[Prompt]) -> None:
    stock = StockTrainer(policy.model, policy.processor, config()).sample(prompts, 4)
    shared = SharedTrainer(policy.model, policy.processor, config()).sample(prompts, 4)
    assert [(r.prompt.id, r.completion_ids, r.text) for r in stock] == [
        (r.prompt.id, r.completion_ids, r.text) for r in shared
    ]
    for ours, theirs in zip(stock, shared, strict=True):
        assert ours.log_probs == pytest.approx(theirs.log_probs, rel=RELATIVE, abs=1e-5)


@pytest.mark.parametrize(("loss_type", "beta"), [("dapo", 0.1), ("grpo", 0.0), ("dr_grpo", 0.1)])
def test_loss_and_gradients_are_those_of_the_shared_engine(
    policy: Policy, answered: list[Rollout], loss_type: str, beta: float
) -> None:
    """Off policy, away from the reference, and with earlier turns in some prompts."""
    history = (Turn("user", "is there a circle ?"), Turn("assistant", "yes"))
    rollouts = [
        replace(r, prompt=replace(r.prompt, history=history)) if r.prompt.id.endswith("1") else r
        for r in answered
    ]
    reference = load(policy.path).model
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    settings = config(loss_type=loss_type, beta=beta, max_grad_norm=1e9)
    noise = random.Random(0)
    now = SharedTrainer(policy.model, policy.processor, settings).log_probs(rollouts)
    rollouts = [
        replace(rollout, log_probs=tuple(value + noise.gauss(0, 0.3) for value in values))
        for rollout, values in zip(rollouts, now, strict=True)
    ]
    found = [
        gradients_of(engine(policy.model, policy.processor, settings, reference), rollouts)
        for engine in (SharedTrainer, StockTrainer)
    ]
    (loss, gradients), (stock_loss, stock_gradients) = found
    assert stock_loss == pytest.approx(loss, rel=RELATIVE)
    assert stock_gradients.keys() == gradients.keys()
    norm = torch.stack([gradient.norm() for gradient in gradients.values()]).norm()
    assert norm > 1e-3
    for name, gradient in gradients.items():
        assert (stock_gradients[name] - gradient).norm() <= RELATIVE * max(gradient.norm(), 1e-3 * norm), name


def test_minibatches_change_no_gradient(pupil: Policy, answered: list[Rollout]) -> None:
    found = [
        gradients_of(
            StockTrainer(pupil.model, pupil.processor, config(tokens_per_minibatch=budget)), answered
        )[0]
        for budget in (1, 100_000)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_supervised_step_teaches_the_given_answers(pupil: Policy, prompts: list[Prompt]) -> None:
    stock = StockTrainer(pupil.model, pupil.processor, config())
    answers = {p.id: answer for p, answer in zip(prompts, ("yes", "large blue", "3") * 3, strict=True)}
    for _ in range(40):
        stock.supervised_step([Completion(prompt, answers[prompt.id]) for prompt in prompts], 3e-3)
    said = stock.sample(prompts, 1, temperature=0, max_new_tokens=4)
    assert {rollout.prompt.id: rollout.text for rollout in said} == answers


@pytest.mark.parametrize("rank", [0, 2])
def test_a_run_that_was_killed_ends_with_the_same_weights(
    pupil: Policy, prompts: list[Prompt], rank: int, tmp_path: Path
) -> None:
    settings = config(beta=0.05, lora_rank=rank, learning_rate=1e-3)

    def start() -> StockTrainer:
        fresh = load(pupil.path)
        return StockTrainer(fresh.model, fresh.processor, settings)

    whole, half, again = start(), start(), start()
    for _ in range(3):
        whole.step(prompts, anything)
    half.step(prompts, anything)
    save_state(half.state(), tmp_path / "state.pt")
    half.step(prompts, anything)  # what happens after the last save is lost
    torch.manual_seed(99)
    again.load_state(load_state(tmp_path / "state.pt"))
    for _ in range(2):
        again.step(prompts, anything)
    assert same(weights(whole.model), weights(again.model))
    assert not same(weights(whole.model), weights(start().model))


def test_adapters_are_trained_and_nothing_else(pupil: Policy, prompts: list[Prompt], tmp_path: Path) -> None:
    before = weights(pupil.model)
    stock = StockTrainer(
        pupil.model, pupil.processor, config(lora_rank=2, learning_rate=1e-2, frozen=("vision",))
    )
    base = weights(stock.model)
    for _ in range(2):
        stock.step(prompts, anything)
    moved = {name for name, value in weights(stock.model).items() if not torch.equal(value, base[name])}
    assert moved
    assert all("lora_" in name and "vision" not in name for name in moved)
    assert sum(map(torch.numel, stock.state()["model"].values())) < sum(map(torch.numel, before.values())) / 3

    said = stock.sample(prompts, 1, temperature=0)
    saved = load(stock.save(tmp_path / "policy"))
    assert set(weights(saved.model)) == set(before)
    assert not same(before, weights(saved.model))
    merged = StockTrainer(saved.model, saved.processor, config()).sample(prompts, 1, temperature=0)
    assert [r.completion_ids for r in merged] == [r.completion_ids for r in said]


def test_what_is_saved_is_merged_in_main_memory_and_training_goes_on(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(weight: torch.nn.Parameter, memo: dict[int, object]) -> None:
        pytest.fail("a weight was copied on the model's own device, which may have no room for it")

    stock = StockTrainer(pupil.model, pupil.processor, config(lora_rank=2, learning_rate=1e-2))
    stock.step(prompts, anything)
    before = weights(stock.model)
    monkeypatch.setattr(torch.nn.Parameter, "__deepcopy__", twice)
    stock.save(tmp_path / "policy")
    assert same(before, weights(stock.model))
    assert weights(stock.model).keys() == before.keys()


def test_the_reference_of_adapters_is_the_model_without_them(pupil: Policy, prompts: list[Prompt]) -> None:
    untouched = load(pupil.path)
    stock = StockTrainer(pupil.model, pupil.processor, config(lora_rank=2, beta=0.1, learning_rate=1e-2))
    reports = [stock.step(prompts, anything) for _ in range(3)]
    assert reports[0].kl == pytest.approx(0, abs=1e-6)
    assert reports[-1].kl > 1e-4
    rollouts = stock.sample(prompts, 2)
    held = stock.reference_log_probs(rollouts)
    assert held is not None
    plain = StockTrainer(untouched.model, untouched.processor, config()).log_probs(rollouts)
    for ours, theirs in zip(held, plain, strict=True):
        assert ours == pytest.approx(theirs, rel=RELATIVE, abs=1e-5)


def test_what_does_not_fit_or_is_frozen_is_refused(pupil: Policy, prompts: list[Prompt]) -> None:
    stock = StockTrainer(pupil.model, pupil.processor, config())
    with pytest.raises(BudgetError, match="positions"):
        stock.sample(prompts, 1, max_new_tokens=5000)
    with pytest.raises(BudgetError, match="placeholder"):
        stock.sample([replace(prompts[0], text="is <image> red ?")], 1)
    with pytest.raises(ConfigError, match="nothing to train"):
        StockTrainer(pupil.model, pupil.processor, config(frozen=("",)))
