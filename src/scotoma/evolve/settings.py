"""The whole config of `scotoma evolve`, one object per stage; `configs/pupil.yaml` is one.

>>> EvolveSettings(rounds=1, arms=("targeted",)).repair.steps
100
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from scotoma.core import ConfigError
from scotoma.diagnose.mixture import TargetedMixture
from scotoma.discover.settings import AnswerSettings, DiscoverySettings
from scotoma.generate.settings import PER_IMAGE, GenerateSettings, refuse_the_trained
from scotoma.store.configuration import HomePath, Settings

Arm = Literal["targeted", "uniform", "random", "targeted-frozen", "dpe"]
"""Ways of choosing samples; `evolve.diagnosis` says how each does it."""


class RepairSettings(Settings):
    """How the candidate is trained in one arm of one round.

    Attributes:
        engine: `shared`, `trl`, `stock`, or `auto`: shared where the model's family can be packed.
        samples: training samples per arm and round, the same for every arm.
        steps: GRPO steps per arm and round, the same for every arm that is not ended early (`look_every`).
        images_per_step: pictures per step with eight questions each; so many questions make up a step of every arm,
            however many pictures have them (≥ 192 questions a step, 24 pictures, is stable).
        group_size: G, answers per question.
        learning_rate: 3e-5 mends the Pupil without hurting its neighbours; 1e-4 hurts them. LoRA adapters want 1e-4 to
            2e-4: of less, too much is rounded away when they are merged into bfloat16.
        warmup_steps, beta: GRPO's.
        max_new_tokens: room for an answer in training, thinking included; none: `answers.max_tokens`, or 4, enough for
            a word, where `answers` is left at its defaults.
        lora_rank: rank of LoRA adapters, trained instead of the weights (0: the weights); engines `trl`, `stock`.
        tokens_per_minibatch: how many tokens go through the model at once; lower it where training runs out of memory.
        accelerate: an Accelerate config; training is launched on its processes (engine `trl`).
        vllm: sample with vLLM while training (engine `trl`).
        pass_samples: k answers per question in the diagnosis (DPE: 9).
        warm_start_steps: supervised steps before GRPO for modes that pass less often than `mixture.warm_start_below`.
        warm_start_rate: their learning rate.
        warm_start_once: a mode gets one in a run, since each costs its neighbours a little; off: in every round in
            which it is still below `mixture.warm_start_below`.
        rehearsal: uniform questions of the `train` split that the untouched candidate is asked; the right answers are
            shown to every arm beside the samples of the supervised steps, and cost no sample (`evolve.rehearsal`).
        frozen: regular expressions of parameters that are not trained, e.g. `vision_model`.
        look_every: after so many steps, and again, the retained questions of the gate are asked; training ends early
            with the weights before if any skill fell (0: nobody looks; under engine `trl` nobody does).
        mixture: of the targeted arm.
    """

    engine: Literal["auto", "shared", "stock", "trl"] = "auto"
    samples: int = Field(default=6000, ge=8)
    steps: int = Field(default=100, ge=1)
    images_per_step: int = Field(default=24, ge=1)
    group_size: int = Field(default=8, ge=2)
    learning_rate: float = Field(default=5e-5, gt=0)
    warmup_steps: int = Field(default=5, ge=0)
    beta: float = Field(default=0.0, ge=0)
    max_new_tokens: int | None = Field(default=None, ge=1)
    lora_rank: int = Field(default=0, ge=0)
    tokens_per_minibatch: int = Field(default=16_384, ge=1)
    accelerate: HomePath | None = None
    vllm: bool = False
    pass_samples: int = Field(default=9, ge=2)
    warm_start_steps: int = Field(default=24, ge=0)
    warm_start_rate: float = Field(default=1.5e-4, gt=0)
    warm_start_once: bool = True
    rehearsal: int = Field(default=0, ge=0)
    frozen: tuple[str, ...] = ()
    look_every: int = Field(default=40, ge=0)
    mixture: TargetedMixture = TargetedMixture()

    @property
    def questions_per_step(self) -> int:
        """Questions that make up a step, in every arm: arms differ in how many a picture of theirs has."""
        return self.images_per_step * PER_IMAGE

    @property
    def rehearses(self) -> bool:
        """Whether there is anything to rehearse, and steps to do it in."""
        return self.rehearsal > 0 and self.warm_start_steps > 0

    def room(self, answers: AnswerSettings) -> int:
        """`max_new_tokens`, or what it is where nobody gave it.

        >>> RepairSettings().room(AnswerSettings(prompt="boxed", max_tokens=512))
        512
        """
        if self.max_new_tokens is not None:
            return self.max_new_tokens
        return 4 if answers == AnswerSettings() else answers.max_tokens

    @model_validator(mode="after")
    def _launched_with_trl(self) -> RepairSettings:
        if (self.accelerate is not None or self.vllm) and self.engine not in ("auto", "trl"):
            raise ValueError(f"accelerate and vllm go with engine: trl, not {self.engine}")
        if self.lora_rank and self.engine == "shared":
            raise ValueError("lora_rank goes with engine: trl or stock, not shared")
        return self


class TestSettings(Settings):
    """The examination on the `test` split, the same questions for every checkpoint.

    Attributes:
        mode_questions: in all, from the confirmed modes, spread evenly over them.
        retained_questions: uniform questions outside the modes.
        pool: the most uniform questions to look through for members of the modes.
    """

    __test__ = False  # not a pytest class

    mode_questions: int = Field(default=1500, ge=10)
    retained_questions: int = Field(default=4000, ge=40)
    pool: int = Field(default=60_000, ge=100)


class EvolveSettings(DiscoverySettings):
    """Everything a spiral is decided by; `run.yaml` keeps it.

    Attributes:
        rounds: turns of the spiral; may grow on a resume.
        arms: `targeted` (the mixture follows the diagnosis), and controls of the same volume and steps: `uniform`
            (template questions; of photos, what the same agents make unaimed), `random` (made like the targeted ones,
            from questions drawn by chance), `targeted-frozen` (the first diagnosis in all rounds), `dpe` (the paper's
            bands by type of question).
        generate: who makes the samples. `agents: varied` varies the failing scenes of a world in bulk, eight questions
            a picture; `exact` has the five agents of a world plan, search, edit, write and validate, sample by sample;
            `llm` has language models do it, which is the only way with photos.
        repair: how the candidate is trained.
        test: how it is examined.
        rediscover: afterwards a fresh questioner looks for what is left, and for what the repair opened.
        gate_margin: a retained skill may fall by so much, [0, 1]; a significant fall beyond it keeps the old weights.
    """

    rounds: int = Field(default=2, ge=1)
    arms: tuple[Arm, ...] = ("targeted", "uniform")
    generate: GenerateSettings = Field(default=GenerateSettings(), validate_default=True)
    repair: RepairSettings = Field(default=RepairSettings(), validate_default=True)
    test: TestSettings = TestSettings()
    rediscover: bool = True
    gate_margin: float = Field(default=0.02, ge=0, le=1)

    @field_validator("generate")
    @classmethod
    def _in_bulk(cls, told: GenerateSettings) -> GenerateSettings:
        return told.chosen("varied")

    @field_validator("repair")
    @classmethod
    def _with_room(cls, repair: RepairSettings, info: ValidationInfo) -> RepairSettings:
        room = repair.room(info.data.get("answers", AnswerSettings()))
        return repair.model_copy(update={"max_new_tokens": room})

    @model_validator(mode="after")
    def _made_by_agents_that_can(self) -> EvolveSettings:
        told = self.generate
        refuse_the_trained(told, self.candidate)
        if told.agents == "llm":
            return self
        if self.tagging.topics in ("beside", "only"):
            raise ConfigError(
                f"tagging.topics: {self.tagging.topics}: samples are made by exact tags, and no topic is one",
                hint="use auto or never, or generate.agents: llm; `scotoma discover` can find modes by topics",
            )
        if told.unread and told.agents == "varied":
            raise ConfigError(
                f"generate names {', '.join(told.unread)}: nobody asks for that where failing scenes are varied",
                hint="set generate.agents: llm, or exact, or leave it out",
            )
        if told.unread:
            raise ConfigError(
                f"generate names {', '.join(told.unread)}: that is for language models, and exact agents are none",
                hint="set generate.agents: llm, or leave it out",
            )
        return self

    @field_validator("arms")
    @classmethod
    def _different(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        if not arms or len(set(arms)) < len(arms):
            raise ValueError("name each arm once, and at least one")
        return arms
