"""The shared engine learns, resumes exactly, and does not let anything broken into the weights."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from scotoma.core import ConfigError, ModelError
from scotoma.grpo import Completion, GRPOConfig, Prompt, Rollout
from scotoma.grpo.checkpoint import load_state, save_state
from scotoma.grpo.shared import SharedTrainer, packable_family
from tests.grpo.conftest import Policy, load


def config(**changes: Any) -> GRPOConfig:
    settings = {"group_size": 8, "max_new_tokens": 2, "warmup_steps": 0, "schedule": "constant"}
    return GRPOConfig(**{**settings, "learning_rate": 2e-3, **changes})


def trainer(policy: Policy, **changes: Any) -> SharedTrainer:
    return SharedTrainer(policy.model, policy.processor, config(**changes))


def says_red(rollouts: Sequence[Rollout]) -> list[float | None]:
    return [float("red" in rollout.text.split()) for rollout in rollouts]


def weights(policy: Policy) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in policy.model.state_dict().items()}


def same(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(before[name], after[name]) for name in before)


def test_the_reward_goes_up(policy: Policy, prompts: list[Prompt]) -> None:
    shared = trainer(policy)
    # A random policy says "red" too rarely to learn it from: begin where it is possible.
    for _ in range(6):
        shared.supervised_step([Completion(prompt, word) for prompt in prompts for word in ("red", "blue")])
    first, *_, last = [shared.step(prompts, says_red) for _ in range(12)]
    assert first.reward_mean is not None
    assert last.reward_mean is not None
    assert last.reward_mean > first.reward_mean + 0.2


def test_a_supervised_step_teaches_the_given_answers(policy: Policy, prompts: list[Prompt]) -> None:
    shared = trainer(policy)
    answers = {
        prompt.id: answer for prompt, answer in zip(prompts, ("yes", "large blue", "3") * 3, strict=True)
    }
    for _ in range(40):
        shared.supervised_step([Completion(prompt, answers[prompt.id]) for prompt in prompts], 3e-3)
    said = shared.sample(prompts, 1, temperature=0, max_new_tokens=4)
    assert {rollout.prompt.id: rollout.text for rollout in said} == answers


def test_packing_changes_no_answer(policy: Policy, prompts: list[Prompt]) -> None:
    """Each prompt's completions, their log-probabilities and the gradient are the same alone and in company."""
    shared = trainer(policy)
    together = shared.sample(prompts, 4, seed=5)
    alone = [rollout for prompt in prompts for rollout in shared.sample([prompt], 4, seed=5)]
    assert [rollout.completion_ids for rollout in together] == [rollout.completion_ids for rollout in alone]
    for ours, own in zip(shared.log_probs(together), alone, strict=True):
        assert ours == pytest.approx(own.log_probs, rel=1e-4, abs=1e-5)
    assert len({rollout.completion_ids for rollout in together}) > 4


def test_minibatches_change_no_gradient(pupil: Policy, answered: list[Rollout]) -> None:
    found = []
    for budget in (30, 100_000):
        policy = load(pupil.path)
        shared = trainer(policy, tokens_per_minibatch=budget)
        shared.optimizer.step = lambda: None  # type: ignore[method-assign]
        [update] = shared.update(answered)
        found.append((update.loss, update.grad_norm))
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_a_masked_rollout_is_as_if_it_had_never_been(pupil: Policy, answered: list[Rollout]) -> None:
    masked = [replace(r, reward=None) if i % 4 == 3 else r for i, r in enumerate(answered)]
    other = load(pupil.path)
    trainer(pupil).update(masked)
    trainer(other).update([rollout for rollout in masked if rollout.reward is not None])
    for name, weight in weights(pupil).items():
        assert torch.allclose(weight, weights(other)[name], atol=1e-7), name


def test_masked_rollouts_are_counted(pupil: Policy, prompts: list[Prompt]) -> None:
    broken = lambda rollouts: [None, float("nan"), *says_red(rollouts[2:])]  # noqa: E731
    report = trainer(pupil).step(prompts, broken)
    assert (report.completions, report.masked) == (72, 2)


@pytest.mark.parametrize("reward", [1.0, None])
def test_where_nothing_is_better_nothing_changes(pupil: Policy, prompts: list[Prompt], reward: float) -> None:
    before, shared = weights(pupil), trainer(pupil, weight_decay=0.1)
    report = shared.step(prompts, lambda rollouts: [reward] * len(rollouts))
    assert report.zero_variance_share == 1.0
    assert report.loss is None
    assert same(before, weights(pupil))


def test_a_gradient_that_is_not_finite_is_left_out(pupil: Policy, answered: list[Rollout]) -> None:
    before, shared = weights(pupil), trainer(pupil)
    impossible = [replace(rollout, log_probs=(-1e4,) * len(rollout.completion_ids)) for rollout in answered]
    [update] = shared.update(impossible)
    assert update.skipped
    assert shared.skipped_updates == 1
    assert same(before, weights(pupil))
    assert all(torch.isfinite(value).all() for value in weights(pupil).values())


def test_a_run_that_was_killed_ends_with_the_same_weights(
    pupil: Policy, prompts: list[Prompt], tmp_path: Path
) -> None:
    changes = {"beta": 0.05, "schedule": "linear", "steps": 6, "num_iterations": 2}
    through, killed, resumed = pupil, load(pupil.path), load(pupil.path)

    def reward(rollouts: Sequence[Rollout]) -> list[float | None]:
        return [float(sum(rollout.completion_ids) % 5) for rollout in rollouts]

    whole = trainer(through, **changes)
    reports = [whole.step(prompts, reward) for _ in range(6)]

    half = trainer(killed, **changes)
    for _ in range(3):
        half.step(prompts, reward)
    save_state(half.state(), tmp_path / "state.pt")
    half.step(prompts, reward)  # what happens after the last save is lost, and must leave no trace
    random.seed(99)
    torch.manual_seed(99)

    again = trainer(resumed, **changes)
    again.load_state(load_state(tmp_path / "state.pt"))
    after = [again.step(prompts, reward) for _ in range(3)]
    assert same(weights(through), weights(resumed))
    assert [r.model_dump(exclude={"seconds"}) for r in after] == [
        r.model_dump(exclude={"seconds"}) for r in reports[3:]
    ]


def test_a_state_of_another_config_is_refused(pupil: Policy) -> None:
    with pytest.raises(ConfigError, match="another GRPO config"):
        trainer(pupil, beta=0.1).load_state(trainer(pupil).state())


def test_what_ran_out_of_memory_goes_on_with_less_at_once(pupil: Policy, prompts: list[Prompt]) -> None:
    begun = trainer(pupil)
    begun.step(prompts, says_red)
    other = load(pupil.path)
    again = trainer(other, tokens_per_minibatch=30)
    again.load_state(begun.state())
    assert again.steps_done == 1
    assert same(weights(pupil), weights(other))


def test_a_saved_policy_is_a_stock_checkpoint(policy: Policy, prompts: list[Prompt], tmp_path: Path) -> None:
    shared = trainer(policy)
    shared.supervised_step([Completion(prompt, "red star") for prompt in prompts], 1e-2)
    shared.save(tmp_path / "policy")
    shared.save(tmp_path / "policy")  # over what is there
    stock = load(tmp_path / "policy")
    assert same(weights(policy), weights(stock))
    assert [path.name for path in tmp_path.iterdir()] == ["policy"]
    prompt = prompts[1]
    text = shared.forest.encoder.render(prompt.text, (), images=1)
    inputs = stock.processor(
        text=[text], images=[[prompt.image.open()]], add_special_tokens=False, return_tensors="pt"
    )
    generated = stock.model.generate(**inputs, max_new_tokens=4, do_sample=False)
    [ours] = shared.sample([prompt], 1, temperature=0, max_new_tokens=4)
    assert tuple(generated[0, inputs["input_ids"].shape[1] :].tolist()) == ours.completion_ids


def test_frozen_parameters_stay(policy: Policy, answered: list[Rollout]) -> None:
    before, shared = weights(policy), trainer(policy, frozen=("vision",))
    shared.update(answered)
    changed = {name for name, weight in weights(policy).items() if not torch.equal(weight, before[name])}
    assert changed
    assert not any("vision" in name for name in changed)


def test_the_reference_holds_the_policy(pupil: Policy, prompts: list[Prompt]) -> None:
    """With a strong KL term the policy stays nearer to where it began."""
    drift = {}
    for beta in (0.0, 5.0):
        policy = load(pupil.path)
        shared = trainer(policy, beta=beta)
        start = copy.deepcopy(policy.model)
        for _ in range(8):
            shared.step(prompts, lambda rollouts: [float(sum(r.completion_ids) % 5) for r in rollouts])
        seen = shared.sample(prompts, 16, seed=1)
        now, then = shared.log_probs(seen), shared.log_probs(seen, start)
        drift[beta] = sum(sum(a) - sum(b) for a, b in zip(now, then, strict=True))
    assert drift[5.0] < 0.5 * drift[0.0]


def test_a_sampled_completion_holds_no_image(policy: Policy, prompts: list[Prompt]) -> None:
    image = policy.processor.tokenizer.convert_tokens_to_ids(policy.processor.image_token)
    sampled = trainer(policy, temperature=50.0).sample(prompts, 64, max_new_tokens=8)
    assert all(image not in rollout.completion_ids for rollout in sampled)


def test_a_reward_function_that_loses_count_is_refused(pupil: Policy, prompts: list[Prompt]) -> None:
    before = weights(pupil)
    with pytest.raises(ConfigError, match="71 rewards for 72 completions"):
        trainer(pupil).step(prompts, lambda rollouts: [1.0] * (len(rollouts) - 1))
    assert same(before, weights(pupil))


def test_what_it_cannot_train_it_names() -> None:
    with pytest.raises(ModelError, match="engine: trl"):
        packable_family(GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=16)))


def test_freezing_everything_is_refused(pupil: Policy) -> None:
    with pytest.raises(ConfigError, match="nothing to train"):
        trainer(pupil, frozen=("",))
