"""The examination: the same held-out questions put to every checkpoint, so that changes are paired.

    examination = Examination.draw(pool, "test", seed, modes, in_modes=1500, retained=4000, limit=60_000)
    observations = examination.ask(interview, "test/round1/targeted")

A world draws the same questions in every session of a run. What a model asked and another judged is kept in the run
instead (`payload`, `read`), and never drawn again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scotoma.core import FailureMode, ImageRecord, ImageSource, Observation, Rate, Split
from scotoma.diagnose.statistics import clustered_rate, paired_difference
from scotoma.discover.confirm import draw
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.outage import MOST_LOST, check_answered
from scotoma.discover.pictures import pictures_of
from scotoma.discover.pool import Candidacy, Pool
from scotoma.store.run import Run

_PARTS = ("modes", "retained", "uniform")


@dataclass(frozen=True)
class Examination:
    """Questions from the confirmed modes, retained ones from outside every mode, and `uniform` ones that nothing
    selected, as many as are retained (most of them the same). Of `modes` the first `each` members of a mode are a fair
    sample of it; later ones were kept for the sake of others (`discover.confirm.draw`).
    """

    modes: tuple[Candidacy, ...]
    retained: tuple[Candidacy, ...]
    uniform: tuple[Candidacy, ...] = ()
    each: int | None = None

    @classmethod
    def draw(
        cls,
        pool: Pool,
        split: Split,
        seed: int,
        modes: Sequence[FailureMode],
        in_modes: int,
        retained: int,
        limit: int,
    ) -> Examination:
        """`in_modes` questions and more, until every mode has its share of them, and `retained` ones outside the modes,
        from fresh images of a split.
        """
        predicates = [mode.predicate for mode in modes]
        each = -(-in_modes // max(len(modes), 1))
        # A uniform question may fall into a mode: look at more of them than are kept.
        drawn = draw(pool, split, seed, predicates, each, 2 * retained, limit)
        outside = [item for item in drawn.uniform if not any(p.matches(item.tags) for p in predicates)]
        return cls(drawn.modes, tuple(outside[:retained]), drawn.uniform[:retained], each)

    @property
    def images(self) -> list[ImageRecord]:
        """Every picture, once."""
        items = (*self.modes, *self.retained, *self.uniform)
        return list({item.image.id: item.image for item in items}.values())

    def payload(self) -> dict[str, Any]:
        """For the ledger; `read` is the other way round."""
        return {name: [item.line() for item in getattr(self, name)] for name in _PARTS} | {"each": self.each}

    @classmethod
    def read(cls, payload: Mapping[str, Any], run: Run, source: ImageSource) -> Examination:
        """What was kept.

        Raises:
            ImageError: a picture is missing or damaged.
        """
        images = pictures_of(run, source, [line[0] for name in _PARTS for line in payload[name]])
        parts = {name: tuple(Candidacy.read(line, images) for line in payload[name]) for name in _PARTS}
        return cls(**parts, each=payload.get("each"))

    def ask(self, interview: Interview, phase: str) -> list[Observation]:
        """Observations under the phases `phase/modes` and `phase/retained`.

        Raises:
            ModelError: half of a part or more was lost to errors: the same command asks again.
        """
        return self._part(interview, phase, "modes", self.modes) + self.ask_retained(interview, phase)

    def ask_retained(self, interview: Interview, phase: str) -> list[Observation]:
        """Those under `phase/retained` alone."""
        return self._part(interview, phase, "retained", self.retained)

    @staticmethod
    def _part(interview: Interview, phase: str, name: str, items: Sequence[Candidacy]) -> list[Observation]:
        asked = [
            Asked(f"{phase}/{name}/{i}", item.image, item.question, verdict=item.verdict, tags=item.tags)
            for i, item in enumerate(items)
        ]
        answered = interview.ask(asked, f"{phase}/{name}")
        check_answered(answered, MOST_LOST)
        return answered


def accuracy(observations: Iterable[Observation]) -> Rate:
    """Share of right answers with its interval, clustered by image; infrastructure errors aside."""
    answered = [o for o in observations if o.outcome in ("correct", "failure")]
    return clustered_rate([o.outcome == "correct" for o in answered], [o.image_id for o in answered])


def change(after: Sequence[Observation], before: Sequence[Observation]) -> Rate:
    """Paired difference of accuracy on the questions that both answered, in [-1, 1], clustered by image."""
    earlier = {question_of(o): o for o in before if o.outcome in ("correct", "failure")}
    pairs = [
        (o, earlier[question_of(o)])
        for o in after
        if o.outcome in ("correct", "failure") and question_of(o) in earlier
    ]
    return paired_difference(
        [a.outcome == "correct" for a, _ in pairs],
        [b.outcome == "correct" for _, b in pairs],
        [a.image_id for a, _ in pairs],
    )


def members_of(mode: FailureMode, observations: Iterable[Observation], each: int | None) -> list[Observation]:
    """The mode's fair sample among the questions of all modes, lost ones too (`Examination.each`)."""
    return [o for o in part(observations, "modes") if mode.predicate.matches(o.tags)][:each]


def part(observations: Iterable[Observation], name: str) -> list[Observation]:
    """The observations of one part, `modes` or `retained`."""
    return [o for o in observations if o.phase.endswith(f"/{name}")]


def question_of(observation: Observation) -> str:
    """The same for the same question in every phase: `modes/17`."""
    return "/".join(observation.key.rsplit("/", 2)[-2:])
