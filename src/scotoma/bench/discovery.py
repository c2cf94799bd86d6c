"""What share of a candidate's blind spots does a way of asking find, and after how many questions?

Candidates with known blind spots are examined by every method under the same budget of candidate queries. Again and
again along the way the modes are named from all that was asked so far. A region counts as found while some mode and it
hold the same held-out questions (Jaccard ≥ 0.5). A mode counts as right if it is a planted region, or another weakness
of the planted candidate that fresh questions confirm (one-sided test, Benjamini–Hochberg): one that it had before, or a
by-product of the planting, such as a region that took by half.

    case = open_case("hf:planted", Truth.load(Path("planted/truth.json")))
    run(case, "scotoma", seed=0, queries=5000).recall
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from pydantic import BaseModel, ConfigDict
from scipy.stats import entropy

from scotoma.bench.drill import Item, survey
from scotoma.bench.methods import METHODS
from scotoma.bench.truth import Truth
from scotoma.core import (
    ChatModel,
    EditableWorld,
    FailureMode,
    Observation,
    Predicate,
    Reply,
    Request,
    skills_of,
)
from scotoma.diagnose.conditions import members
from scotoma.diagnose.modes import confirm, suspect
from scotoma.diagnose.subgroups import ModeSearch
from scotoma.discover.episodes import Episodes
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.pool import Pool, endless
from scotoma.discover.settings import ConfirmSettings, DiscoverSettings
from scotoma.images.spec import open_images
from scotoma.models.spec import load_model
from scotoma.verify.facts import FactsVerifier

JACCARD = 0.5
"""From this overlap on a mode and a region are the same."""

SEARCH = ModeSearch(max_modes=40, most_trust=3)
"""A candidate has many weaknesses of its own beside the planted ones: a dozen names would not hold them all."""

_EVERY = 50
"""Questions between two namings at first: a region is found at the end of such a stretch."""

HELD_OUT = 20_000
"""Uniform questions on which names and regions are compared; nobody is asked them."""

FRESH = 24_000
"""Uniform questions that are looked through for members of the modes that are to be confirmed."""

_PROOF = ConfirmSettings()
"""Modes are confirmed with as many questions as in a run."""


class Outcome(BaseModel):
    """One method on one planted candidate with one seed.

    Attributes:
        planting: digest of the candidate's truth.
        found: per region (its predicate) the candidate queries after which it was first named; None: never.
        named: regions named at the end.
        spilled: regions whose blind spot goes well beyond their border; a finder that names what fails names others.
        modes: suspected at the end; `planted` of them are regions, `native` other confirmed weaknesses.
        queries: put to the candidate; `failures` of them valid and answered wrongly.
        failing_skills: skills with at least one failure; `failing_combinations` likewise.
        effective_combinations: the failures' combinations of skills as if all were equally frequent (Hill number of
            order 1: e to the Shannon entropy); a questioner that collapses has few, however many it once met.
        seconds: asking and the last naming.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    planting: str
    planted_set: int
    seed: int
    found: dict[str, int | None]
    named: tuple[str, ...]
    spilled: tuple[str, ...]
    modes: int
    planted: int
    native: int
    queries: int
    failures: int
    failing_skills: int
    failing_combinations: int
    effective_combinations: float
    seconds: float

    @property
    def sharp(self) -> dict[str, int | None]:
        """`found` of the regions that end where their predicate does."""
        return {region: count for region, count in self.found.items() if region not in self.spilled}

    @property
    def recall(self) -> float:
        """Share of the sharp regions named at the end."""
        return sum(region in self.named for region in self.sharp) / len(self.sharp)

    @property
    def recall_all(self) -> float:
        """Share of all regions named at the end, also of those that spilled over."""
        return len(self.named) / len(self.found)

    @property
    def precision(self) -> float:
        """Share of the modes that are right; 1 where none was named."""
        return (self.planted + self.native) / self.modes if self.modes else 1.0

    def named_by(self, count: int) -> float:
        """Share of the sharp regions that had been named once after so many candidate queries."""
        return sum(first is not None and first <= count for first in self.sharp.values()) / len(self.sharp)

    def queries_to(self, share: float) -> int | None:
        """Candidate queries until this share of the sharp regions had been named; None: never."""
        needed = math.ceil(share * len(self.sharp) - 1e-9)
        counts = sorted(count for count in self.sharp.values() if count is not None)
        return counts[needed - 1] if len(counts) >= needed else None


@dataclass(frozen=True)
class Case:
    """A planted candidate, opened, with what it is judged on."""

    truth: Truth
    world: EditableWorld
    candidate: ChatModel
    held_out: tuple[Item, ...]
    fresh: tuple[Item, ...]

    @property
    def predicates(self) -> list[Predicate]:
        """The regions that took; where the candidate is not blind there is nothing to find."""
        return [region.predicate for region in self.truth.regions if region.planted]


def open_case(candidate: str, truth: Truth) -> Case:
    """Open a planted candidate and draw what its finders are judged on."""
    world = open_images(truth.images)
    assert isinstance(world, EditableWorld)
    held_out = survey(world, [], "test", 1_000_003, enough=0, least=HELD_OUT).uniform
    fresh = survey(world, [], "confirm", 1_000_003, enough=0, least=FRESH).uniform
    return Case(truth, world, Remembering(load_model(candidate)), held_out, fresh)


class Remembering:
    """A candidate that is asked nothing twice: a greedy answer does not change, and methods are judged on the same
    fresh questions.
    """

    def __init__(self, model: ChatModel) -> None:
        self.name = model.name
        self._model = model
        self._known: dict[tuple[tuple[str, ...], str], Reply] = {}

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """See `core.ChatModel`."""
        keys = [(tuple(image.id for image in request.images), request.text) for request in requests]
        unknown = {
            key: request for key, request in zip(keys, requests, strict=True) if key not in self._known
        }
        self._known.update(zip(unknown, self._model.answer(list(unknown.values())), strict=True))
        return [self._known[key] for key in keys]


def run(case: Case, method: str, seed: int, queries: int, planted_set: int = 0) -> Outcome:
    """Let one method ask `queries` questions, and judge what it names."""
    settings = METHODS[method].settings
    interview = Interview(case.candidate, FactsVerifier())
    started = time.monotonic()
    if settings is None:
        asked = _uniformly(case, interview, seed, queries)
    else:
        asked = _episodes(case, interview, settings, seed, queries)
    modes = suspect(asked, SEARCH)
    seconds = time.monotonic() - started
    named = _named(case, modes)
    found: dict[str, int | None] = {str(predicate): None for predicate in case.predicates}
    for count in looks(len(asked)):
        if all(first is not None for first in found.values()):
            break
        for predicate in named if count == len(asked) else _named(case, suspect(asked[:count], SEARCH)):
            if found[predicate] is None:
                found[predicate] = count
    others = [mode for mode in modes if not _same(case, mode)]
    failures = [o for o in asked if o.outcome == "failure"]
    combinations = Counter(str(failure.tags.get("skills")) for failure in failures)
    skills: Counter[str] = Counter()
    for failure in failures:
        skills.update(skills_of(failure.tags))
    return Outcome(
        method=method,
        planting=case.truth.digest,
        planted_set=planted_set,
        seed=seed,
        found=found,
        named=tuple(named),
        spilled=case.truth.spilled,
        modes=len(modes),
        planted=len(modes) - len(others),
        native=_confirmed(case, others),
        queries=len(asked),
        failures=len(failures),
        failing_skills=len(skills),
        failing_combinations=len(combinations),
        effective_combinations=float(np.exp(entropy(list(combinations.values())))) if failures else 0.0,
        seconds=seconds,
    )


def looks(queries: int) -> Iterator[int]:
    """After how many questions the modes are named: every 50 at first, later a sixth more each time, and at the end.

    >>> list(looks(1000))[-4:]
    [650, 750, 850, 1000]
    """
    count = _EVERY
    while count < queries:
        yield count
        count += _EVERY * max(1, round(count / 6 / _EVERY))
    yield queries


def _uniformly(case: Case, interview: Interview, seed: int, queries: int) -> list[Observation]:
    pool = Pool(case.world, DiscoverSettings(), interview.verifier)
    asked = [
        Asked(f"uniform/{i}", item.image, item.question, verdict=item.verdict)
        for i, item in enumerate(islice(pool.questions("discover", seed), queries))
    ]
    return interview.ask(asked, "discover")


def _episodes(
    case: Case, interview: Interview, settings: DiscoverSettings, seed: int, queries: int
) -> list[Observation]:
    steps = math.ceil(queries / settings.queries)
    episodes = Episodes(interview, case.world, settings.model_copy(update={"steps": steps}), seed)
    images = endless(case.world, "discover", seed)
    asked: list[Observation] = []
    for step in range(4 * steps):  # a questioner that collapses offers fewer questions than may be asked
        asked += episodes.step(step, list(islice(images, episodes.images_per_step))).observations
        if len(asked) >= queries:
            break
    return asked[:queries]


def _named(case: Case, modes: Sequence[FailureMode]) -> list[str]:
    """The regions that some mode names."""
    return sorted({region for mode in modes for region in _same(case, mode)})


def _same(case: Case, mode: FailureMode) -> list[str]:
    """The regions that this mode is."""
    tags = [item.tags for item in case.held_out]
    inside = members(mode.predicate, tags)
    same = []
    for predicate in case.predicates:
        region = members(predicate, tags)
        if (inside & region).sum() >= JACCARD * (inside | region).sum() > 0:
            same.append(str(predicate))
    return same


def _confirmed(case: Case, modes: Sequence[FailureMode]) -> int:
    """How many of the modes fresh questions confirm."""
    if not modes:
        return 0
    chosen: set[int] = set()
    for mode in modes:  # beyond the uniform ones, which stay a sample that nothing selected
        inside = np.flatnonzero(
            members(mode.predicate, (item.tags for item in case.fresh[_PROOF.base_questions :]))
        )
        chosen |= {_PROOF.base_questions + int(i) for i in inside[: _PROOF.questions]}
    interview = Interview(case.candidate, FactsVerifier())
    asked = [
        Asked(f"fresh/{i}", case.fresh[i].image, case.fresh[i].question)
        for i in (*range(_PROOF.base_questions), *sorted(chosen))
    ]
    observations = interview.ask(asked, "confirm")
    uniform, inside_modes = observations[: _PROOF.base_questions], observations[_PROOF.base_questions :]
    judged = confirm(modes, inside_modes, uniform, each=_PROOF.questions)
    return sum(mode.status == "confirmed" for mode in judged)
