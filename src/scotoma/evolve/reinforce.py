"""Training the candidate on samples: a supervised warm start where it is needed, then GRPO with a rule-based reward.

R = 0.9 · accuracy + 0.1 · format (DPE, arXiv 2602.22859): accuracy by rules against the exact answer; format 1 for a
short, finished answer or, where thinking was asked for, for thinking that ends and an answer in a box.

    trained = reinforce("pupil", samples, images, settings, seed=0, out=run.path / "work", on_step=…)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

from scotoma.core import ImageRecord, Sample
from scotoma.discover.interview import put
from scotoma.discover.settings import AnswerSettings
from scotoma.evolve.settings import RepairSettings
from scotoma.grpo.checkpoint import whole_checkpoints
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.engine import Look, open_policy, train, trainer_for
from scotoma.grpo.launch import launch
from scotoma.grpo.report import StepReport, TrainingReport
from scotoma.grpo.rollout import Completion, Prompt, Rollout
from scotoma.grpo.trainer import Trainer
from scotoma.models.checkpoint import Checkpoint, release
from scotoma.models.spec import trained
from scotoma.verify.rules import match

ACCURACY, FORMAT = 0.9, 0.1
_LONGEST_ANSWER = 40
_THOUGHT_AND_BOXED = re.compile(r"\s*(?:<think>)?.*</think>[^<]*\\boxed\{[^{}]+\}\W*", re.DOTALL)


def reward(rollouts: Sequence[Rollout]) -> list[float | None]:
    """0.9 · accuracy + 0.1 · format per rollout, in [0, 1]; None, so that nothing is learnt of it, where rules cannot
    decide: of a picture without facts "sofa" may be as right as "couch".
    """
    return [_reward(rollout) for rollout in rollouts]


def _reward(rollout: Rollout) -> float | None:
    closed = rollout.prompt.image.facts is not None
    found = match(rollout.text, rollout.prompt.meta["answer"], closed=closed)
    if found == "undecided" and not closed:
        return None
    return ACCURACY * (found == "correct") + FORMAT * _well_formed(rollout)


def _well_formed(rollout: Rollout) -> bool:
    """Thinking, closed, and then one box; or a short answer, where no thinking was asked for."""
    if rollout.prompt.meta.get("boxed"):
        return _THOUGHT_AND_BOXED.fullmatch(rollout.text) is not None
    return 0 < len(rollout.text) <= _LONGEST_ANSWER


def _said(answer: str, answers: AnswerSettings) -> str:
    """A right answer in the form that was asked for; there is no thinking to imitate."""
    return rf"\boxed{{{answer}}}" if answers.prompt == "boxed" else answer


def reinforce(
    policy: str,
    samples: Sequence[Sample],
    images: Mapping[str, ImageRecord],
    settings: RepairSettings,
    seed: int,
    out: Path,
    warm_start: Sequence[Sample] = (),
    rehearsal: Sequence[Sample] = (),
    on_step: Callable[[StepReport], None] | None = None,
    answers: AnswerSettings | None = None,
    good: Callable[[Path], bool] | None = None,
) -> TrainingReport:
    """Train a copy of the policy and write it to `out/policy`; the same call resumes.

    Args:
        policy: model spec.
        samples: what to train on, in any order.
        images: the pictures by id, those of the rehearsal too.
        settings: steps, rates, engine.
        seed: fixes order and draws.
        out: folder for the policy and what a resume needs.
        warm_start: samples that are first taught by a few supervised steps, mixed with the others.
        rehearsal: what the supervised steps keep in mind beside the samples.
        on_step: hears of every finished step.
        answers: how the questions are put: as in discovery and examination.
        good: whether a checkpoint of the training may go on, asked every `settings.look_every` steps.

    Raises:
        ConfigError: a training that one engine began is to go on by another.
    """
    answers = answers or AnswerSettings()
    config = GRPOConfig(
        learning_rate=settings.learning_rate,
        steps=settings.steps,
        warmup_steps=settings.warmup_steps,
        group_size=settings.group_size,
        prompts_per_step=settings.questions_per_step,
        beta=settings.beta,
        max_new_tokens=settings.room(answers),
        lora_rank=settings.lora_rank,
        frozen=settings.frozen,
        vllm=settings.vllm,
        tokens_per_minibatch=settings.tokens_per_minibatch,
        seed=seed,
    )
    prompts = [
        Prompt(
            f"{n}/{sample.id}",
            images[sample.image_id],
            put(sample.question, answers),
            meta={"answer": sample.answer, "boxed": answers.prompt == "boxed"},
        )
        for n, sample in enumerate(samples)
    ]
    start: str | Checkpoint = policy
    warm = out / "warm"
    begun = (out / "state.pt").is_file() or any(whole_checkpoints(out / "trl"))
    if warm_start and settings.warm_start_steps and not begun and not warm.is_dir():
        checkpoint = open_policy(policy, config)
        kept = [*samples, *rehearsal]
        taught = _warm_start(checkpoint, warm_start, kept, images, settings, config, answers)
        if settings.lora_rank or settings.accelerate is not None:
            taught.save(warm)  # with its adapters merged, and where other processes find it
            del checkpoint, taught  # the device's memory is for the training now
        else:
            start = checkpoint
            del taught  # and its optimizer's state with it
    if warm.is_dir():
        start = trained(policy, warm)
    if settings.accelerate is None:
        return train(
            start,
            prompts,
            reward,
            config,
            out=out,
            engine=settings.engine,
            save_every=20,
            on_step=on_step,
            look=Look(settings.look_every, good) if good is not None and settings.look_every else None,
        )
    release()
    return launch(
        settings.accelerate,
        trained(policy, warm) if warm.is_dir() else policy,
        prompts,
        reward,
        config,
        out=out,
        save_every=20,
        on_step=on_step,
    )


def _warm_start(
    checkpoint: Checkpoint,
    aimed: Sequence[Sample],
    kept: Sequence[Sample],
    images: Mapping[str, ImageRecord],
    settings: RepairSettings,
    config: GRPOConfig,
    answers: AnswerSettings,
) -> Trainer:
    """Supervised steps where GRPO has no signal, most of every step retention, so that nothing else is unlearnt.

    Half of a step's questions are about pictures that hold aimed samples, the others about any of what is `kept`, and a
    picture comes with all of its questions, as far as there is room: it is encoded once. A step has as many questions
    in every arm.
    The rate rises over the first steps and falls to 0: a cold optimizer's first full steps do the most harm.
    """
    by_image: dict[str, list[Sample]] = {}
    for sample in kept:
        by_image.setdefault(sample.image_id, []).append(sample)
    holding = list(dict.fromkeys(sample.image_id for sample in aimed))
    # Without a reference, which only GRPO holds to.
    config = config.model_copy(update={"beta": 0.0})
    trainer = trainer_for(checkpoint.model, checkpoint.processor, config)
    rng, steps = Random(f"warm/{config.seed}"), settings.warm_start_steps
    room = settings.questions_per_step
    for step in range(steps):
        shown: dict[str, list[Sample]] = {}
        for pictures, full in ((holding, room // 2), (list(by_image), room)):
            _show(shown, rng.sample(pictures, len(pictures)), by_image, full)
        completions = [
            Completion(
                Prompt(f"{step}/{s.id}", images[s.image_id], put(s.question, answers)),
                _said(s.answer, answers),
            )
            for _, shown_of in sorted(shown.items())
            for s in shown_of
        ]
        ramp = min(1.0, (step + 1) / 5, (steps - step) / steps * 1.5)
        trainer.supervised_step(completions, settings.warm_start_rate * ramp)
    return trainer


def _show(
    shown: dict[str, list[Sample]], pictures: Sequence[str], by_image: Mapping[str, list[Sample]], full: int
) -> None:
    """Add pictures that are not shown yet, each with its samples, until there are `full` of these."""
    left = full - sum(map(len, shown.values()))
    for image_id in pictures:
        if left <= 0:
            return
        if image_id not in shown:
            shown[image_id] = by_image[image_id][:left]
            left -= len(shown[image_id])
