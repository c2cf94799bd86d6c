"""What the agents hand to each other, and what each of them must be able to do.

A brief says which failure mode samples are wanted for. The planner makes sketches of it, the searcher finds a picture
for each, the editor changes it, the writer asks about it, and the validator answers without knowing what the writer
holds to be true:

    Brief ─planner→ Sketch ─searcher→ Found ─editor→ Edited ─writer→ Written ─validator→ Ruling

Every agent is replaceable: any class with the method of its protocol will do (`scotoma.generate.crew`).

>>> Sketch(shows="six cups on a table", asks="how many cups there are").purpose
'mode'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from scotoma.core import FaultKind, ImageRecord, Predicate, Reply, ScotomaError, Tags
from scotoma.images.editing import PictureEdit

Role = Literal["planner", "searcher", "editor", "writer", "validator"]

Purpose = Literal["mode", "contrast"]
"""In the failure mode, or a near miss: alike, but outside it in one respect, so that the mode's answer is not learnt in
place of its skill."""


@dataclass(frozen=True)
class FailedQuestion:
    """A question that the candidate answered wrongly: what an agent learns of the mode by example.

    `image` is of the `discover` split; nothing may be trained on it as it is. `tags` are the question's.
    """

    image: ImageRecord
    question: str
    answer: str
    truth: str
    tags: Tags = field(default_factory=dict)


@dataclass(frozen=True)
class Brief:
    """One failure mode and how many samples of it are wanted.

    `decidable` is the part of the predicate that the tags of a question and a picture can be held to: all of it where
    facts tell the tags, less where a tagger or topics told them. `seed` fixes whatever an agent draws at random.
    """

    mode_id: str
    description: str
    predicate: Predicate
    wanted: int
    decidable: Predicate = field(default_factory=Predicate)
    failures: tuple[FailedQuestion, ...] = ()
    seed: str = "0"


@dataclass(frozen=True)
class Sketch:
    """One picture with a question about it, before there is either.

    Attributes:
        shows: what the picture must show, in a sentence.
        asks: what the question must be about.
        search: words to look for pictures with.
        edits: operations with a known effect, in order, in fractions of the picture's sides.
        instruction: what a generative editor is told; empty where nothing is to be painted.
        scene_edits: names of operations on a scene graph, for pictures with exact facts (`RetouchableWorld.edit`).
        must: what the tags of question and picture together must satisfy, where tags can say.
        like: the failure that the sketch is modelled on.
        draw: tells apart sketches of the same words; where all pictures fit alike, it decides which comes first.
        offered: how often each picture was the first to be offered for this brief, by id: one caption is not to make
            all samples.
    """

    shows: str
    asks: str
    search: str = ""
    edits: tuple[PictureEdit, ...] = ()
    instruction: str = ""
    scene_edits: tuple[str, ...] = ()
    must: Predicate = field(default_factory=Predicate)
    purpose: Purpose = "mode"
    like: FailedQuestion | None = None
    draw: str = ""
    offered: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    @property
    def key(self) -> str:
        """Tells sketches apart, wherever the pictures lie: what agents draw their seeds from."""
        like = "" if self.like is None else f"{self.like.image.id}/{self.like.question}"
        return "|".join(
            (self.shows, self.asks, *self.scene_edits, str(self.must), self.purpose, like, self.draw)
        )


@dataclass(frozen=True)
class Found:
    """A picture; its record keeps licence and source. `how` says by what it was found."""

    image: ImageRecord
    how: str


class Finds(list[Found]):
    """What a searcher found, and what it passed over on the way: reason, in a word or two → pictures.

    >>> Finds([], {"licence refused": 2}).passed_over
    {'licence refused': 2}
    """

    def __init__(self, found: Iterable[Found] = (), passed_over: Mapping[str, int] | None = None) -> None:
        super().__init__(found)
        self.passed_over: Mapping[str, int] = dict(passed_over or {})


@dataclass(frozen=True)
class Edited:
    """The picture as it will be trained on, of split `train`. `operations` names what was done to it, `effects` says
    what each of these changes in what the picture shows."""

    image: ImageRecord
    operations: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()


@dataclass(frozen=True)
class Written:
    """A question with the answer that its writer holds to be true. `phrasing` tells its wordings apart."""

    question: str
    answer: str
    phrasing: str = "first"


@dataclass(frozen=True)
class Ruling:
    """What the validator makes of a question: its own answer, or why there is none (`ambiguous`, `not_answerable` …).

    `tags` are those of the question, where whoever validates knows them exactly.
    """

    answer: str | None
    reason: str | None = None
    tags: Tags | None = None


class Declined(ScotomaError):
    """An agent cannot do its part for this draft, and says why in a word or two that can be counted."""


class Outage(ScotomaError):
    """Infrastructure failed an agent: nothing is known about the draft, and it counts as no rejection. `passed_over`:
    what a searcher had turned down before (`Finds`)."""

    def __init__(self, kind: FaultKind, message: str, passed_over: Mapping[str, int] | None = None) -> None:
        super().__init__(message)
        self.kind: FaultKind = kind
        self.passed_over: Mapping[str, int] = dict(passed_over or {})

    @classmethod
    def of(cls, replies: Sequence[Reply]) -> Outage:
        """The last of the errors that a model had in place of any answer."""
        error = next(reply.error for reply in reversed(replies) if reply.error is not None)
        return cls(error.kind, error.message)


class Planner(Protocol):
    """Turns a brief into sketches. Raises `Declined` or `Outage`, as every agent does."""

    def plan(self, brief: Brief, n: int, earlier: Sequence[Sketch]) -> Sequence[Sketch]:
        """Up to `n` further sketches; `earlier` are those that it made before, so that it does not repeat itself."""
        ...


class Searcher(Protocol):
    """Finds pictures, of the split `train` or of nobody's."""

    def search(self, sketch: Sketch, n: int) -> Sequence[Found]:
        """Up to `n` pictures, the most fitting first; none where nothing fits. `Finds` also tell what was passed over,
        so that it is counted."""
        ...


class Editor(Protocol):
    """Makes of a found picture the one that the sketch asks for."""

    def edit(self, sketch: Sketch, found: Found) -> Edited:
        """The edited picture, of split `train`; its licence and source are those of the picture it was made from."""
        ...


class Writer(Protocol):
    """Asks about a picture, and says what is true."""

    def write(self, sketch: Sketch, edited: Edited, n: int) -> Sequence[Written]:
        """Up to `n` questions with short answers that the picture alone settles, in several phrasings."""
        ...


class Validator(Protocol):
    """Answers a question independently: it is shown neither the sketch nor the writer's answer."""

    def validate(self, image: ImageRecord, question: str) -> Ruling:
        """Its own short answer, or why the question has none."""
        ...
