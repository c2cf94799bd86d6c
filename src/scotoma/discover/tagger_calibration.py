"""How well questions are tagged that no facts explain: measured on a world, whose exact tags the tagger does not see.

The same questions are tagged three ways at choice: by their wording, by a language model's sheet (beside the wording
that it falls back to), and by topics, which are fitted on other questions first.

    measured = calibrate_tagger(ShapesWorld(), TaggingSettings(), n=1200, seed=0)
    measured.error.macro_f1.percent()
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scotoma.core import ChatModel, Claim, ConfigError, Tags, Verdict, World, skills_of
from scotoma.diagnose.naming_error import NamingError, naming_error
from scotoma.diagnose.tagging_error import TaggingError, TopicAgreement, tagging_error, topic_agreement
from scotoma.discover.settings import TaggingSettings
from scotoma.discover.tag_sheet import VERSION
from scotoma.discover.tagging import Tagger
from scotoma.discover.topics import assigner, different, embedder_name, fit
from scotoma.models.spec import same_model
from scotoma.store.ledger import Ledger
from scotoma.store.run import Run
from scotoma.store.summary import TaggerSummary
from scotoma.verify.calibration import picture_stream

SAME_SKILL = {"horizontal": "position", "vertical": "position"}
"""A world's skills by the names that the wording's tags have for them."""

FITTED_ON = 3000
"""Questions about other pictures that topics are fitted on, not all different."""

WORDING = "wording"
"""The tagger where no model tags."""

_STAGE = "tagger-calibration"
_PER_IMAGE = 6
_BATCH = 64
_VALID = Verdict(valid=True, decided_by="facts")


class TaggerCalibration(BaseModel):
    """One way of tagging, measured. `topics` is by what they were compared with: `skills` (sets of them), `type`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: Literal["scotoma.tagger/1"] = Field(default="scotoma.tagger/1", alias="schema")
    tagger: str = Field(
        description="`wording`, a model spec, or how topics were found and on which embeddings"
    )
    prompt: str | None = Field(default=None, description="version of the model's prompt")
    measured_on: str
    made: datetime
    questions: int
    error: TaggingError | None = Field(default=None, description="skills, per skill and in all")
    named: dict[str, NamingError] = Field(
        default_factory=dict,
        description="what else the tagger names: `attribute`, `object`, `relation`, `answer_kind`",
    )
    topics: dict[str, TopicAgreement] = Field(default_factory=dict)
    tagged: dict[str, int] = Field(
        default_factory=dict,
        description="questions by what came of the model's sheet; without one they keep their wording's tags",
    )

    def to_json(self) -> str:
        """The text of the file."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def read_tagger_calibration(settings: TaggingSettings) -> TaggerCalibration | None:
    """The calibration that the settings name, if they name one.

    Raises:
        ConfigError: it cannot be read, measures topics, or is another tagger's or of another prompt.
    """
    path = settings.calibration
    if path is None:
        return None
    hint = "write one with `scotoma calibrate --tagger SPEC --out FILE`"
    try:
        found = TaggerCalibration.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"tagging.calibration: cannot read {path}: {error.strerror}", hint=hint) from error
    except ValidationError as error:
        raise ConfigError(f"{path} is no calibration of a tagger", hint=hint) from error
    ours = settings.model or WORDING
    models = WORDING not in (found.tagger, ours)  # topics, of which no error is told, are no model either
    if found.error is None or not (found.tagger == ours or (models and same_model(found.tagger, ours))):
        raise ConfigError(f"{path} is of {found.tagger}, and the questions are tagged by {ours}", hint=hint)
    if settings.model is not None and found.prompt != VERSION:
        raise ConfigError(f"{path} was measured with the prompt {found.prompt}, not {VERSION}", hint=hint)
    return found


def adopt_tagger_calibration(run: Run, settings: TaggingSettings) -> None:
    """Keep it in the run; nothing to do where none is named, or one was kept before.

    Raises:
        ConfigError: see `read_tagger_calibration`.
    """
    if run.ledger.done(_STAGE) is not None or (found := read_tagger_calibration(settings)) is None:
        return
    assert found.error is not None
    kept = TaggerSummary(
        tagger=found.tagger,
        measured_on=found.measured_on,
        questions=found.questions,
        macro_f1=found.error.macro_f1,
        skills={name: skill.f1 for name, skill in found.error.skills.items()},
        named={kind: error.macro_f1 for kind, error in found.named.items()},
    )
    run.ledger.finish(_STAGE, kept.model_dump(mode="json"))


def tagger_of(ledger: Ledger) -> TaggerSummary | None:
    """How well the questions of a run were tagged, where that was measured."""
    kept = ledger.done(_STAGE)
    return None if kept is None else TaggerSummary.model_validate(kept)


def calibrate_tagger(
    world: World,
    settings: TaggingSettings,
    n: int,
    seed: int,
    model: ChatModel | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> TaggerCalibration:
    """Measure the wording's tags or, where one is given, a model's.

    Raises:
        ConfigError: the world's questions have no exact tags.
    """
    tagger = Tagger(settings.model_copy(update={"topics": "never"}), model)
    items = _items(world, n, seed)
    said: list[Tags] = []
    for start in range(0, len(items), _BATCH):
        claims = [claim for claim, _ in items[start : start + _BATCH]]
        said += tagger.tags(claims, [_VALID] * len(claims))
        on_progress(len(said), len(items))
    exact = [frozenset(SAME_SKILL.get(skill, skill) for skill in skills_of(tags)) for _, tags in items]
    images = [claim.image.id for claim, _ in items]
    return TaggerCalibration(
        tagger=settings.model or WORDING,
        prompt=VERSION if model is not None else None,
        measured_on=world.spec,
        made=datetime.now(UTC).replace(microsecond=0),
        questions=len(items),
        error=tagging_error([frozenset(skills_of(tags)) for tags in said], exact, images),
        named=naming_error(said, [tags for _, tags in items], images),
        tagged=dict(tagger.counted.most_common()),
    )


def calibrate_topics(world: World, settings: TaggingSettings, n: int, seed: int) -> TaggerCalibration:
    """Fit topics on some questions, and measure them on `n` others about other pictures.

    Raises:
        ConfigError: the world's questions have no exact tags, or are too few or too much alike for topics.
        ModelError: the embedder is not installed.
    """
    corpus = [claim.question for claim, _ in _items(world, FITTED_ON, seed + 1)]
    fitted = fit(different(corpus), embedder_name(settings), seed)
    if not fitted.topics:
        raise ConfigError(f"no topic was found in {len(set(corpus))} questions of {world.spec}")
    items = _items(world, n, seed)
    topics = assigner(fitted)([claim.question for claim, _ in items])
    images = [claim.image.id for claim, _ in items]
    return TaggerCalibration(
        tagger=f"{fitted.found_by} on {fitted.embedder}",
        measured_on=world.spec,
        made=datetime.now(UTC).replace(microsecond=0),
        questions=len(items),
        topics={
            key: topic_agreement(topics, [str(tags[key]) for _, tags in items], images)
            for key in ("skills", "type")
            if all(key in tags for _, tags in items)
        },
    )


def _items(world: World, n: int, seed: int) -> list[tuple[Claim, Tags]]:
    """Questions as a tagger gets them, and their exact tags."""
    found: list[tuple[Claim, Tags]] = []
    for number, (claims, tags) in enumerate(_by_picture(world, seed)):
        found += zip(claims, tags, strict=True)
        if len(found) >= n:
            return found[:n]
        if number > 50 and not found:
            break
    raise ConfigError(f"{world.spec} has too few questions with exact tags", hint="ask for fewer: --n")


def _by_picture(world: World, seed: int) -> Iterator[tuple[list[Claim], list[Tags]]]:
    for number, record in enumerate(picture_stream(world, seed)):
        if record.facts is None:
            continue
        # The tagger is shown neither facts nor the attributes that come of them.
        blind = replace(record, facts=None, attributes={})
        questions = world.questions(record.facts, seed + number, _PER_IMAGE)
        tagged = [(question, record.facts.examine(question).tags) for question in dict.fromkeys(questions)]
        known = [(question, tags) for question, tags in tagged if "skill" in tags]
        yield [Claim(image=blind, question=question) for question, _ in known], [tags for _, tags in known]
