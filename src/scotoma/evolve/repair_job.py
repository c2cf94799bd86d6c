"""One training of the candidate: what it learns from, from which weights, and where it is written.

Frozen and pickled, so that it travels whole: from the process that has the ledger to the one that trains, and from
`reinforce` to the warm start before it.

    job = RepairJob("pupil", samples, images, settings, seed=0, out=run.path / "work", warm_start=samples[:100])
    reinforce(job).checkpoint
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scotoma.core import ImageRecord, Sample
from scotoma.discover.interview import put
from scotoma.discover.settings import AnswerSettings
from scotoma.evolve.settings import RepairSettings
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.rollout import Prompt


@dataclass(frozen=True)
class RepairJob:
    """What to train, on what, and how.

    Attributes:
        policy: model spec of the weights that a copy is trained of.
        samples: what to train on, in any order.
        images: the pictures by id, those of the rehearsal too.
        settings: steps, rates, engine.
        seed: fixes order and draws.
        out: folder for the policy (`out/policy`) and what a resume needs.
        warm_start: samples that are first taught by a few supervised steps, mixed with the others.
        rehearsal: what the supervised steps keep in mind beside the samples.
        answers: how the questions are put: as in discovery and examination.
    """

    policy: str
    samples: Sequence[Sample]
    images: Mapping[str, ImageRecord]
    settings: RepairSettings
    seed: int
    out: Path
    warm_start: Sequence[Sample] = ()
    rehearsal: Sequence[Sample] = ()
    answers: AnswerSettings = field(default_factory=AnswerSettings)

    def config(self) -> GRPOConfig:
        """The settings in the words of the engines."""
        settings = self.settings
        return GRPOConfig(
            learning_rate=settings.learning_rate,
            steps=settings.steps,
            warmup_steps=settings.warmup_steps,
            group_size=settings.group_size,
            prompts_per_step=settings.questions_per_step,
            beta=settings.beta,
            max_new_tokens=settings.room(self.answers),
            lora_rank=settings.lora_rank,
            frozen=settings.frozen,
            vllm=settings.vllm,
            tokens_per_minibatch=settings.tokens_per_minibatch,
            seed=self.seed,
        )

    def prompts(self) -> list[Prompt]:
        """What GRPO asks: every sample's question, with what the reward has to know of it."""
        return [
            Prompt(
                f"{n}/{sample.id}",
                self.images[sample.image_id],
                put(sample.question, self.answers),
                meta={"answer": sample.answer, "boxed": self.answers.prompt == "boxed"},
            )
            for n, sample in enumerate(self.samples)
        ]
