"""A regression suite: the confirmed modes of a run as a folder with pictures and questions, readable without the run.

suites/first/
  suite.json         the modes, whose answers are the baseline, how questions are put and judged    (`SuiteHeader`)
  questions.jsonl    one question a line: what is right, and what was answered                      (`SuiteQuestion`)
  images/            the pictures, each under the hash of its bytes; facts.jsonl where they were rendered

    suite = excerpt(run)                       # scotoma.evolve.excerpt
    suite.write(Path("suites/first"))
    suite = Suite.read(Path("suites/first"))

The questions are those with which the modes were proved, on the `confirm` split: no sample was ever made from it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

import scotoma
from scotoma.core import (
    ConfigError,
    ImageError,
    ImageRecord,
    Observation,
    Predicate,
    Rate,
    StorageError,
    Tag,
    World,
)
from scotoma.diagnose.statistics import clustered_rate
from scotoma.discover.settings import AnswerSettings, JudgeSettings
from scotoma.images.sidecar import SIDECAR, SidecarLine, read_sidecar
from scotoma.images.spec import open_world
from scotoma.store.durable import replace_durably

SUITE_SCHEMA: Literal["scotoma.suite/1"] = "scotoma.suite/1"
HEADER, QUESTIONS, PICTURES = "suite.json", "questions.jsonl", "images"

RETAINED = "retained"
"""The part of the suite that is in no mode: what a model that mends its modes must not forget."""

Row = TypeVar("Row", bound=BaseModel)


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class SuiteMode(_Document):
    """A confirmed mode. `baseline` is the accuracy, [0, 1], from which no significant fall is allowed; `at_least`,
    where set, one that every model must reach.
    """

    id: str
    predicate: str
    description: str
    title: str | None = None
    baseline: Rate
    at_least: float | None = Field(default=None, ge=0, le=1)

    @field_validator("predicate")
    @classmethod
    def _readable(cls, predicate: str) -> str:
        return str(Predicate.parse(predicate))


class SuiteHeader(_Document):
    """`suite.json`. `run` and `images` say where the questions come from, `candidate` whose answers are the baseline;
    `answers` and `judge` are the run's. `questions` counts the lines of `questions.jsonl`.
    """

    schema_: Literal["scotoma.suite/1"] = Field(default=SUITE_SCHEMA, alias="schema")
    scotoma: str
    run: str
    images: str
    candidate: str
    questions: int = Field(ge=1)
    modes: tuple[SuiteMode, ...] = Field(min_length=1)
    retained: Rate
    answers: AnswerSettings = AnswerSettings()
    judge: JudgeSettings = JudgeSettings()


class Baseline(_Document):
    """What was answered before: right or wrong, or None where infrastructure had failed."""

    answer: str
    correct: bool | None


class SuiteQuestion(_Document):
    """A line of `questions.jsonl`. `id` is its key in the run, `image` a file in `images/`, named by its hash; `modes`
    are those it counts for, none: it is retained. `decided_by` says who knew the `truth` (`core.Verdict`).
    """

    id: str
    image: str = Field(pattern=r"^[0-9a-f]{64}\.\w+$")
    question: str
    truth: str
    decided_by: str
    modes: tuple[str, ...]
    tags: dict[str, Tag]
    run: str
    source: str
    licence: str
    baseline: Baseline

    @property
    def image_id(self) -> str:
        """The hash of the picture's bytes."""
        return self.image.partition(".")[0]


@dataclass(frozen=True)
class Suite:
    """A suite with its pictures by image id. `skipped` counts what a run had and the suite has not, by reason."""

    header: SuiteHeader
    questions: tuple[SuiteQuestion, ...]
    pictures: Mapping[str, ImageRecord]
    facts: Mapping[str, SidecarLine] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)

    def part(self, name: str) -> list[SuiteQuestion]:
        """The questions of a mode, by its id, or those of `RETAINED`."""
        return [q for q in self.questions if (name in q.modes if name != RETAINED else not q.modes)]

    @property
    def parts(self) -> list[str]:
        """The modes' ids, and `RETAINED` where the suite has such questions."""
        names = [mode.id for mode in self.header.modes]
        return [*names, RETAINED] if self.part(RETAINED) else names

    def with_baseline(self, candidate: str, baseline: Mapping[str, Baseline]) -> Suite:
        """The suite with another candidate's answers, by the questions' ids, as its baseline."""
        questions = tuple(q.model_copy(update={"baseline": baseline[q.id]}) for q in self.questions)
        header = self.header.model_copy(update={"candidate": candidate})
        return replace(self, header=header, questions=questions).measured()

    def judged_by(self, judge: JudgeSettings) -> Suite:
        """The suite with another judge."""
        return replace(self, header=self.header.model_copy(update={"judge": judge}))

    def measured(self) -> Suite:
        """With the accuracy of every part, as the questions have it."""
        modes = tuple(
            mode.model_copy(update={"baseline": _accuracy(self.part(mode.id))}) for mode in self.header.modes
        )
        retained = _accuracy(self.part(RETAINED))
        return replace(self, header=self.header.model_copy(update={"modes": modes, "retained": retained}))

    def write(self, folder: Path, *, force: bool = False) -> None:
        """Write the folder whole, or not at all. `force` replaces a suite that is there, and nothing else.

        Raises:
            StorageError: the folder is not empty, or cannot be written; what was there is untouched.
            ImageError: a picture cannot be read.
        """
        check_place(folder, force=force)

        def writer(partial: Path) -> None:
            (partial / PICTURES).mkdir(parents=True)
            for question in {q.image_id: q for q in self.questions}.values():
                (partial / PICTURES / question.image).write_bytes(self.pictures[question.image_id].read())
            header = json.dumps(
                self.header.model_dump(mode="json", by_alias=True), indent=2, ensure_ascii=False
            )
            (partial / HEADER).write_text(header + "\n", encoding="utf-8")
            _write_lines(partial / QUESTIONS, self.questions)
            if self.facts:
                _write_lines(partial / PICTURES / SIDECAR, self.facts.values())

        replace_durably(folder, writer)

    @classmethod
    def read(cls, folder: Path, *, world: str | None = None) -> Suite:
        """The suite in a folder, every picture verified. A suite may be a stranger's: the code of a world that it names
        is run only if it is `world`.

        Raises:
            ConfigError: there is no suite, or a file of it is damaged or contradicts another.
            SpecError: its facts are of a world that is not to be run.
            ImageError: a picture is missing or damaged.
        """
        header = _header(folder)
        lines = _text(folder / QUESTIONS).rstrip("\n").split("\n")  # JSON may hold other line ends
        questions = tuple(
            _parsed(SuiteQuestion, line, f"{folder / QUESTIONS}:{number}")
            for number, line in enumerate(lines, start=1)
        )
        _check_consistent(folder, header, questions)
        pictures = {q.image_id: _picture(folder / PICTURES, q) for q in questions}
        facts = read_sidecar(folder / PICTURES)
        return cls(header, questions, with_facts(pictures, facts, world), facts)


UNMEASURED = Rate(value=0, low=0, high=1, n=0)


def check_place(folder: Path, *, force: bool) -> None:
    """Refuse, before anything is asked or read, a place where no suite can be written.

    Raises:
        StorageError: it holds something; with `force`, something that is no suite.
    """
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is a file, not a folder", hint="choose another --write")
    held = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if not held:
        return
    if HEADER not in held or held - {HEADER, QUESTIONS, PICTURES}:
        raise StorageError(f"{folder} holds more than a suite", hint="choose another --write")
    if not force:
        raise StorageError(
            f"{folder} holds a suite already", hint="choose another --write, or replace it with --force"
        )


def baseline_of(row: Observation) -> Baseline:
    """What an observation says of its question; None for right or wrong is an error of the infrastructure."""
    return Baseline(answer=row.answer, correct={"correct": True, "failure": False}.get(row.outcome))


def _accuracy(questions: Iterable[SuiteQuestion]) -> Rate:
    answered = [q for q in questions if q.baseline.correct is not None]
    return clustered_rate([bool(q.baseline.correct) for q in answered], [q.image_id for q in answered])


def _write_lines(path: Path, rows: Iterable[BaseModel]) -> None:
    path.write_text("".join(f"{row.model_dump_json()}\n" for row in rows), encoding="utf-8")


def _header(folder: Path) -> SuiteHeader:
    if not folder.is_dir():
        raise ConfigError(
            f"there is no folder {folder}", hint="write a suite first: scotoma check RUN --write DIR"
        )
    if not (folder / HEADER).is_file():
        is_run = (folder / "run.yaml").exists()
        raise ConfigError(
            f"{folder} is {'a run' if is_run else 'no suite: it has no suite.json'}",
            hint=f"write a suite first: scotoma check {folder if is_run else 'RUN'} --write DIR",
        )
    text = _text(folder / HEADER)
    schema = _json(text, folder / HEADER).get("schema")
    if schema != SUITE_SCHEMA:
        raise ConfigError(
            f"{folder / HEADER} has the format {schema!r}; this Scotoma ({scotoma.__version__}) reads {SUITE_SCHEMA!r}",
            hint="write the suite again with this version",
        )
    return _parsed(SuiteHeader, text, str(folder / HEADER))


def _json(text: str, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _damaged(str(path), str(error)) from error
    except RecursionError as error:
        raise _damaged(str(path), "it is nested too deeply") from error
    if not isinstance(document, dict):
        raise _damaged(str(path), "expected an object")
    return document


def _parsed(model: type[Row], text: str, where: str) -> Row:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise _damaged(where, f"{key + ': ' if key else ''}{first['msg']}") from error
    except ConfigError as error:  # a predicate that cannot be read
        raise _damaged(where, error.message) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise _damaged(str(path), reason or "it cannot be read") from error


def _damaged(where: str, how: str) -> ConfigError:
    return ConfigError(
        f"{where} is damaged: {how}",
        hint="restore it from a copy, or write the suite again: scotoma check RUN --write DIR --force",
    )


def _check_consistent(folder: Path, header: SuiteHeader, questions: Sequence[SuiteQuestion]) -> None:
    """What each file says of itself must be true of the others."""
    path = str(folder / QUESTIONS)
    if len(questions) != header.questions:
        raise _damaged(path, f"it has {len(questions)} questions, and {HEADER} says {header.questions}")
    known = {mode.id for mode in header.modes}
    named = {name for question in questions for name in question.modes}
    if known != named:
        raise _damaged(path, f"its modes are not those of {HEADER}: {', '.join(sorted(known ^ named))}")
    [(twice, count)] = Counter(question.id for question in questions).most_common(1)
    if count > 1:
        raise _damaged(path, f"the question {twice!r} is there twice")


def with_facts(
    pictures: Mapping[str, ImageRecord], facts: Mapping[str, SidecarLine], world: str | None = None
) -> dict[str, ImageRecord]:
    """The pictures by id, with the facts that are kept for their files. `world` names the one world whose code may be
    run besides Scotoma's own.

    Raises:
        SpecError, ConfigError: a world cannot be opened, or cannot read the facts.
    """
    worlds: dict[str, World] = {}
    known = dict(pictures)
    for line in facts.values():
        picture = known.get(Path(line.file).stem)
        if picture is None:
            continue
        if line.world not in worlds:
            worlds[line.world] = open_world(line.world, trusted=world, flag="--world ")
        known[picture.id] = replace(picture, facts=worlds[line.world].facts(line.facts))
    return known


def _picture(folder: Path, question: SuiteQuestion) -> ImageRecord:
    path = folder / question.image
    if not path.is_file():
        raise ImageError(f"the picture {path} is missing", hint="restore it from a copy of the suite")
    picture = ImageRecord(
        id=question.image_id, source=question.source, licence=question.licence, split="confirm", path=path
    )
    if ImageRecord.hash(picture.read()) != picture.id:
        raise ImageError(
            f"the picture {path} is damaged: its bytes are not those that were kept",
            hint="restore it from a copy of the suite",
        )
    return picture
