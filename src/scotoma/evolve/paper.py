"""An exam paper: the questions that every candidate is asked, the same for each, kept in the run.

A paper that was drawn is never drawn again: after a resume the questions must be those that the first candidates had.

    paper = Paper(uniform=drawn.uniform, members=drawn.modes, asked_by=pool.asked_by, each=120)
    run.ledger.finish("draw", paper.payload(), images=paper.images)
    paper = Paper.read(run, "draw", source)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scotoma.core import (
    ImageRecord,
    ImageSource,
    Observation,
    RunError,
)
from scotoma.diagnose.proven import how_to_prove
from scotoma.discover.interview import Asked
from scotoma.discover.pictures import pictures_of
from scotoma.discover.pool import ValidQuestion
from scotoma.discover.settings import ConfirmSettings
from scotoma.store.run import Run

_PARTS = ("uniform", "members")


@dataclass(frozen=True)
class Paper:
    """`uniform` questions, which nothing selected, and `members` of failure modes: of each mode the first `each` are a
    fair sample (`discover.confirm.draw`). `asked_by` says who wrote them.
    """

    uniform: tuple[ValidQuestion, ...]
    members: tuple[ValidQuestion, ...]
    asked_by: str
    each: int

    @property
    def images(self) -> list[ImageRecord]:
        """Every picture, once."""
        return list({item.image.id: item.image for item in (*self.uniform, *self.members)}.values())

    def asked(self, phase: str) -> list[tuple[str, list[Asked]]]:
        """What to ask, phase by phase: `PHASE/uniform` and `PHASE/members`."""
        return [
            (
                f"{phase}/{part}",
                [
                    Asked(
                        f"{phase}/{part}/{i}", item.image, item.question, verdict=item.verdict, tags=item.tags
                    )
                    for i, item in enumerate(items)
                ],
            )
            for part, items in (("uniform", self.uniform), ("members", self.members))
            if items
        ]

    def payload(self) -> dict[str, Any]:
        """For the ledger; `read` is the other way round."""
        return {
            "asked_by": self.asked_by,
            "each": self.each,
            "uniform": [item.line() for item in self.uniform],
            "members": [item.line() for item in self.members],
        }

    @classmethod
    def read(cls, run: Run, stage: str, source: ImageSource) -> Paper:
        """The paper that a stage kept.

        Raises:
            ImageError: a picture is missing or damaged.
        """
        kept = run.ledger.done(stage)
        assert kept is not None
        images = pictures_of(run, source, [line[0] for part in _PARTS for line in kept[part]])
        uniform, members = (tuple(ValidQuestion.read(line, images) for line in kept[part]) for part in _PARTS)
        return cls(uniform, members, kept["asked_by"], kept["each"])

    @classmethod
    def of_proof(cls, run: Run, source: ImageSource) -> Paper:
        """The questions with which `scotoma confirm` proved the modes of another run: on its `confirm` split.

        Raises:
            RunError: nothing was proved there.
            ImageError: a picture is missing or damaged.
        """
        uniform, members = (_valid(run.ledger.observations(phase)) for phase in ("confirm-base", "confirm"))
        if not uniform:
            raise RunError(
                f"the run {run.path} holds no proof whose questions could be asked",
                hint=how_to_prove(run),
            )
        images = pictures_of(run, source, [row.image_id for row in (*uniform, *members)])
        drawn = [
            tuple(
                ValidQuestion(
                    images[row.image_id],
                    row.question,
                    row.tags,  # as the proof told them: topics and what a model says cannot be told again
                    row.verdict.model_copy(update={"correct": None, "error": None}),
                )
                for row in rows
            )
            for rows in (uniform, members)
        ]
        proof = run.settings(ConfirmSettings, "confirm")
        return cls(drawn[0], drawn[1], str(run.path), proof.questions)


def _valid(rows: Iterable[Observation]) -> list[Observation]:
    return [row for row in rows if row.verdict.valid]
