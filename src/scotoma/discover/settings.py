"""How a discovery is run: one settings object for the loop and one for the proof.

>>> DiscoverSettings(steps=10, surrogate=False).steps
10
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from scotoma.core import ConfigError
from scotoma.diagnose.subgroups import ModeSearch
from scotoma.discover.curriculum import Progression
from scotoma.discover.reward import RewardTerms
from scotoma.models.spec import same_model
from scotoma.store.configuration import HomePath, Settings

WISHES = (
    "existence", "counting", "colour", "shape", "size", "horizontal", "vertical",
    "comparison", "reading", "negation", "composition",
)  # fmt: skip


PER_IMAGE = 10
"""Uniform questions about an image."""

PROPOSED_PER_EXPLORED = 4
"""Uniform questions that are proposed for each exploring one."""


class DiscoverSettings(Settings):
    """The questioner's training and what the candidate is asked.

    Attributes:
        questioner: model spec of the policy that asks; `hf:RUN/checkpoints/questioner` is the one that a run trained.
        prompts: `short` for the embedded questioner, `chat` for a chat model, `auto` to choose by the spec.
        steps: turns of the loop; each looks at `images` new images, `turns` times.
        images: new images per step that the questioner looks at; exploring questions are about others (`explore`).
        turns: how often an image is asked about; from the second on, the prompt holds the candidate's earlier answers.
        history: how many of these at the most, the latest; the embedded questioner was taught one. 0 hides them (for
            the ablation).
        wishes: what the questioner is asked to ask about, one prompt each, drawn at random per image.
        wishes_per_image: prompts per image.
        group_size: G, questions per prompt.
        curriculum: `progressive` raises the complexity that is aimed at as failures saturate (off: no aim).
        queries: candidate queries per step, shared by the turns.
        samples: answers drawn to each question, of which C_Q is the mean; each is a query. 1: the greedy answer.
        embedder: what semantic novelty and naturalness compare questions by: `words` (content words and skills, hashed;
            needs nothing) or `minilm` (sentence embeddings, as in the paper; extra `topics`), which the surrogate looks
            at too, beside the tags.
        reinforce: train the questioner (off: it stays as it was warm-started).
        surrogate: let the surrogate pick what is asked (off: a random choice).
        random_share: the share of picks made at random all the same.
        explore: the share of a step's questions that explore instead, beside the questioner: more small modes, fewer
            failures. They are uniform questions about further images.
        lead_share: the share of the exploring questions that may follow up odd failures; the others are drawn blindly.
        learning_rate, beta, temperature: GRPO's, with `beta` the weight of the KL to the warm-started questioner.
        lora_rank: train LoRA adapters of this rank instead of the questioner's weights (0: the weights).
        max_new_tokens: a longer question is cut, and so unparsable.
        reference: a file of questions, one per line, that naturalness is measured against; none: the world's templates,
            or for photos the ordinary questions that come with Scotoma.
        reward: the terms of what the questioner is paid for (docs/concepts.md).
        search: how suspected modes are looked for.
        block: steps between two checkpoints; a killed run repeats at most that many.
        stop_below: end early, after a block, when the share of failures that are of a kind never seen is surely below
            this: the upper end of its 95 % interval (none: all steps are taken). A kind is a combination of skills.

    Raises:
        ConfigError: the queries of a step do not suffice for one question.
    """

    questioner: str = "questioner"
    prompts: Literal["auto", "short", "chat"] = "auto"
    steps: int = Field(default=30, ge=1)
    images: int = Field(default=12, ge=1)
    turns: int = Field(default=2, ge=1, le=8)
    history: int = Field(default=8, ge=0)
    wishes: tuple[str, ...] = WISHES
    wishes_per_image: int = Field(default=4, ge=1)
    group_size: int = Field(default=8, ge=2)
    curriculum: Progression = "progressive"
    queries: int = Field(default=96, ge=1)
    samples: int = Field(default=1, ge=1, le=25)
    embedder: Literal["words", "minilm"] = "words"
    reinforce: bool = True
    surrogate: bool = True
    random_share: float = Field(default=0.3, ge=0, le=1)
    explore: float = Field(default=0.0, ge=0, le=1)
    lead_share: float = Field(default=0.5, ge=0, le=1)
    learning_rate: float = Field(default=5e-5, gt=0)
    beta: float = Field(default=0.1, ge=0)
    temperature: float = Field(default=1.0, gt=0)
    lora_rank: int = Field(default=0, ge=0)
    max_new_tokens: int = Field(default=32, ge=4)
    reference: HomePath | None = None
    reward: RewardTerms = RewardTerms()
    search: ModeSearch = ModeSearch()
    block: int = Field(default=5, ge=1)
    stop_below: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _queries_suffice(self) -> DiscoverSettings:
        if self.samples > self.queries:
            raise ConfigError(
                f"discover: {self.samples} samples of an answer, and only {self.queries} queries per step",
                hint="raise discover.queries or lower discover.samples",
            )
        return self

    @property
    def questions(self) -> int:
        """Questions per step: each takes as many queries as answers are drawn."""
        return self.queries // self.samples

    @property
    def explored(self) -> int:
        """Questions per step that explore."""
        return round(self.explore * self.questions)

    @property
    def looked_at(self) -> int:
        """Images per step that the questioner looks at: none where all the questions explore."""
        return self.images if self.questions > self.explored else 0

    @property
    def trains(self) -> bool:
        """Whether a questioner is trained: one that is never asked learns nothing."""
        return self.reinforce and self.looked_at > 0

    def explored_images(self, world: bool) -> int:
        """Images per step that the exploring questions are proposed about; of a world templates propose, else the
        questioner, one question for each wish.
        """
        per_image = PER_IMAGE if world else min(PER_IMAGE, max(1, len(self.wishes)))
        return math.ceil(self.explored * PROPOSED_PER_EXPLORED / per_image)


class ConfirmSettings(Settings):
    """The proof on the `confirm` split.

    Attributes:
        questions: per suspected mode, on fresh images; fewer where the mode is too rare to find that many.
        base_questions: uniform questions that give the base rate.
        pool: the most uniform questions to look through for members of the modes.
        alpha: the false-discovery rate.
        checks: failures per confirmed mode that are looked at again (0: none): resampled, in other words, and with one
            thing in the picture changed. Fewer where they would take a fifth of the proof's own queries.
        shrink: failures per confirmed mode that are made as small as they get (0: none); images from a world only.
        shrink_queries: the most candidate queries for making one failure small.
        writer: spec of the model that puts questions in other words where no world does; none: the first judge.
    """

    questions: int = Field(default=120, ge=10)
    base_questions: int = Field(default=2000, ge=100)
    pool: int = Field(default=40_000, ge=1000)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    checks: int = Field(default=12, ge=0)
    shrink: int = Field(default=2, ge=0)
    shrink_queries: int = Field(default=120, ge=1)
    writer: str | None = None


class AnswerSettings(Settings):
    """How a question is put to the candidate, in every stage alike, training included.

    Attributes:
        prompt: `plain`, the question alone; `short`, asking for a word or short phrase; `boxed`, thinking first and the
            answer in a box (the files of `discover/prompts/answer`).
        max_tokens: room for an answer, thinking included.
    """

    prompt: Literal["plain", "short", "boxed"] = "plain"
    max_tokens: int = Field(default=16, ge=1)


class JudgeSettings(Settings):
    """Who judges where the images carry no facts.

    Attributes:
        model: model spec of the judge; none: only images with facts can be judged.
        judges: model specs of further judges; with more than one in all, or several samples, a consensus decides.
        samples: how often each judge rules; one is greedy, several are drawn at `temperature`.
        temperature: of several samples.
        agreement: the share of the rulings that must agree, and always more than half.
        max_tokens: room for a ruling, thinking included.
        calibration: a file from `scotoma calibrate`; rates are then corrected for the judge's errors.
    """

    model: str | None = None
    judges: tuple[str, ...] = ()
    samples: int = Field(default=1, ge=1, le=25)
    temperature: float = Field(default=0.7, gt=0, le=2)
    agreement: float = Field(default=0.6, gt=0, le=1)
    max_tokens: int = Field(default=1024, ge=16)
    calibration: HomePath | None = None

    @property
    def specs(self) -> tuple[str, ...]:
        """Every judge, once."""
        named = (self.model, *self.judges) if self.model is not None else self.judges
        return tuple(dict.fromkeys(named))


class TaggingSettings(Settings):
    """What questions are about, where no facts say it exactly.

    Attributes:
        model: model spec of a tagger, asked for each question's skills, objects, attributes and relations; none: the
            wording alone says them. It may be the candidate: whoever tags rules on nothing.
        max_tokens: room for its reply, thinking included.
        calibration: a file from `scotoma calibrate --tagger`: summary and report say how far the tags are right. It
            corrects nothing.
        topics: `auto`: topics are found in the questions' text where images carry no facts, beside the other tags;
            `beside`: always; `only`: nothing but topics and image attributes name modes; `never`.
        embedder: of the topics: `minilm` (extra `topics`, with BERTopic), `words` (hashed words, needs nothing), or
            `auto`, the first that is installed.
        name_modes: let `model` give each mode a short name; the predicate stays beside it.
    """

    model: str | None = None
    max_tokens: int = Field(default=512, ge=16)
    calibration: HomePath | None = None
    topics: Literal["auto", "beside", "only", "never"] = "auto"
    embedder: Literal["auto", "minilm", "words"] = "auto"
    name_modes: bool = False

    @model_validator(mode="after")
    def _somebody_names(self) -> TaggingSettings:
        if self.name_modes and self.model is None:
            raise ValueError("name_modes needs a model that names: set tagging.model")
        return self


class DiscoverySettings(Settings):
    """Everything a discovery is decided by; `run.yaml` keeps it.

    Attributes:
        candidate: model spec of the model under test.
        images: image spec.
        embedder: spec of a checkpoint whose vision tower tells near-copies that no perceptual hash does (a cut, say).
        similarity: cosine from which on it calls two pictures near-copies; it depends on the tower.
        out: the run directory.
        seed: with the stage's name it fixes everything random.
        discover, confirm: the stages.
        judge: who judges where the images carry no facts.
        answers: how a question is put to the candidate.
        tagging: what questions are about, where no facts say it.

    Raises:
        ConfigError: the candidate is to judge itself, or to choose the words it is asked in.
    """

    candidate: str = "pupil"
    images: str = "worlds:shapes"
    embedder: str | None = None
    similarity: float = Field(default=0.997, gt=0, le=1)
    out: HomePath = Path("runs/discovery")
    seed: int = Field(default=0, ge=0, lt=2**32)
    discover: DiscoverSettings = DiscoverSettings()
    confirm: ConfirmSettings = ConfirmSettings()
    judge: JudgeSettings = JudgeSettings()
    answers: AnswerSettings = AnswerSettings()
    tagging: TaggingSettings = TaggingSettings()

    @model_validator(mode="after")
    def _judged_and_rewritten_by_another(self) -> DiscoverySettings:
        for spec in self.judge.specs:
            if same_model(spec, self.candidate):
                # No ValueError: pydantic would show the whole config instead of the message.
                raise ConfigError(
                    f"judge: {spec!r} is the candidate itself, and nobody judges himself",
                    hint="name another model in judge.model and judge.judges",
                )
        if self.confirm.writer is not None and same_model(self.confirm.writer, self.candidate):
            raise ConfigError(
                f"confirm.writer: {self.confirm.writer!r} is the candidate itself, which would choose its own words",
                hint="name another model, or leave it out",
            )
        return self
