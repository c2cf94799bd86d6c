"""The chains of checks as the commands run them, shown a batch: what becomes of a sample, and who turned it down.

Nothing here is a check. The samples of a batch go through what `scotoma evolve` asks in a world, and through what
`scotoma generate` asks of agents' samples: `generate.production` itself works through them, with agents that hand on
the batch's pictures, questions and answers, and the validator that stands before the checks there.

    chains = Chains(world, held_out, Leakage(ids, held_out), facts_of(records))
    chains.run("generate_exact", drafts)        # [None, "validator: another answer", "checks: duplicate", …]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, get_args

from scotoma.core import Facts, ImageRecord, ImageSource, Predicate, Split
from scotoma.generate.checks import Checks, Draft, usual_checks
from scotoma.generate.checks.leakage import Leakage
from scotoma.generate.exact.validator import ExactValidator
from scotoma.generate.handover import Brief, Edited, Found, Ruling, Sketch, Validator, Written
from scotoma.generate.production import Crew, Pace, batches
from scotoma.generate.settings import CheckSettings
from scotoma.generate.standards import Trainee, further_standards, standards
from scotoma.images.worlds.shapes.world import ShapesWorld

Chain = Literal["evolve", "generate_exact", "generate_llm"]
"""`evolve`: a spiral in a world. `generate_exact`: exact agents. `generate_llm`: language-model agents on photos, with
a validator that sees perfectly; so do `evolve`'s on photos. All with the settings as they are by default."""

CHAINS: tuple[Chain, ...] = get_args(Chain)


def facts_of(records: Iterable[ImageRecord]) -> dict[str, Facts]:
    """What the pictures really show, by id."""
    return {record.id: record.facts for record in records if record.facts is not None}


class Chains:
    """Args:
    held_out: pictures that nothing may be trained on.
    leakage: the check against them, near-copies among them.
    shown: picture id → what it really shows, for the pictures that some error may tell otherwise.
    """

    def __init__(
        self,
        world: ShapesWorld,
        held_out: Sequence[ImageRecord],
        leakage: Leakage,
        shown: Mapping[str, Facts],
    ) -> None:
        self._world = world
        self._held_out = {record.id for record in held_out}
        self._leakage = leakage
        self._shown = shown

    def run(self, chain: Chain, drafts: Sequence[Draft]) -> list[str | None]:
        """Of each draft why it is turned down, None where it is kept; a chain remembers the drafts of one call."""
        if chain == "evolve":
            checks = Checks(usual_checks(self._world, self._held_out))
            # The pipeline knows the scene of every picture.
            return [checks.objection(replace(d, facts=d.facts or d.image.facts)) for d in drafts]
        if chain == "generate_exact":
            return self._made(drafts, self._world, ExactValidator(self._world))
        shown = {**facts_of(draft.image for draft in drafts), **self._shown}
        photos = [replace(d, image=replace(d.image, facts=None), facts=None) for d in drafts]
        return self._made(photos, _Photos(), _Seeing(shown))

    def _made(self, drafts: Sequence[Draft], source: ImageSource, validator: Validator) -> list[str | None]:
        further = further_standards(CheckSettings(), Trainee("hf:nobody"))
        checks = Checks([*standards(self._leakage, source), *further])
        by_hand = _Replayed(drafts)
        crew = Crew("replayed", by_hand, by_hand, by_hand, by_hand, validator)
        brief = Brief("replayed", "what is in the batch", Predicate(), wanted=len(drafts))
        pace = Pace(at_once=1, batch=len(drafts), pictures=1, questions=1)
        first, *_ = batches(brief, crew, checks, pace)
        return [
            None if attempt.outcome == "kept" else f"{attempt.agent}: {attempt.reason}"
            for attempt in first.attempts
        ]


class _Replayed:
    """Planner, searcher, editor and writer in one: sketch n is draft n."""

    def __init__(self, drafts: Sequence[Draft]) -> None:
        self._drafts = drafts

    def plan(self, brief: Brief, n: int, earlier: Sequence[Sketch]) -> Sequence[Sketch]:
        return [Sketch(str(number), "its question") for number in range(len(earlier), len(self._drafts))]

    def search(self, sketch: Sketch, n: int) -> Sequence[Found]:
        return [Found(self._of(sketch).image, "replayed")]

    def edit(self, sketch: Sketch, found: Found) -> Edited:
        return Edited(found.image)

    def write(self, sketch: Sketch, edited: Edited, n: int) -> Sequence[Written]:
        return [Written(self._of(sketch).question, self._of(sketch).answer or "")]

    def _of(self, sketch: Sketch) -> Draft:
        return self._drafts[int(sketch.shows)]


class _Seeing:
    """A validator that sees what a picture shows, whatever is told of it."""

    def __init__(self, shown: Mapping[str, Facts]) -> None:
        self._shown = shown

    def validate(self, image: ImageRecord, question: str) -> Ruling:
        examined = self._shown[image.id].examine(question)
        return Ruling(examined.answer, examined.reason)


class _Photos:
    """A source of which nothing is known. The chain is shown pictures, and asks for none."""

    spec = "folder:photos"

    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        yield from ()
