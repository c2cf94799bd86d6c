"""What the finder finds where there is nothing: failure modes suspected and confirmed on a candidate without any.

The candidate answers right, but for errors spread at random over all questions. Every confirmed mode is false. Each
seed is a whole search with the budgets of a real one: uniform questions, `suspect`, and the proof on fresh images. So
is each of the adaptive ones: who asks where something failed meets chance patterns that uniform questions do not.

The proof is measured alone as well: nearly nothing is suspected of such a candidate, so the search is also told to
suspect what stands out at all (`min_z` 2.5), however likely that is by chance, and those suspects are put to the proof.

    result = measure(seeds=20)
    Console().print(table(result))
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.table import Table

from scotoma.core import ConfigError, FailureMode, Rate, Reply, Request
from scotoma.diagnose.modes import suspect
from scotoma.diagnose.statistics import wilson
from scotoma.diagnose.subgroups import ModeSearch
from scotoma.discover.confirm import confirm
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.loop import discover
from scotoma.discover.pool import Pool
from scotoma.discover.settings import ConfirmSettings, DiscoverSettings
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store.run import Run
from scotoma.verify.facts import FactsVerifier

CREDULOUS = ModeSearch(min_z=2.5, needed_z=0.5, needed_gain=0.02, min_failures=5)
"""A search that takes chance for a pattern."""


ADAPTIVE: dict[str, DiscoverSettings] = {
    "explorer": DiscoverSettings(explore=1.0, queries=100),
    "harvest": DiscoverSettings(reinforce=False, queries=100),
}
"""Searches whose questions depend on the answers: after leads; and as the surrogate picks of what the embedded
questioner proposes."""


class Careless:
    """A candidate that knows the facts and slips at random: whether, follows from seed, image and question alone."""

    def __init__(self, error_rate: float, seed: int) -> None:
        self.name = f"careless-{seed}"
        self.error_rate = error_rate
        self.seed = seed

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """The right answer, or a wrong one."""
        return [Reply(self._answer(request)) for request in requests]

    def _answer(self, request: Request) -> str:
        facts = request.images[0].facts
        assert facts is not None
        right = facts.examine(request.text).answer or ""
        slips = random.Random(f"{self.seed}/{request.images[0].id}/{request.text}").random() < self.error_rate
        return right if not slips else "no" if right == "yes" else "yes"


class Search(BaseModel):
    """What one seed came to; `failure_rate` is over its uniform questions."""

    model_config = ConfigDict(frozen=True)

    seed: int
    failure_rate: Rate
    suspected: int
    confirmed: tuple[str, ...]
    forced: int
    forced_confirmed: tuple[str, ...]
    seconds: float


class AdaptiveSearches(BaseModel):
    """What a search whose questions depend on the answers came to, over all seeds; `searches` has each seed's modes
    that were confirmed, by predicate.
    """

    model_config = ConfigDict(frozen=True)

    suspected: int
    confirmed: int
    share_of_seeds: Rate
    searches: tuple[tuple[str, ...], ...]
    seconds: float


class FalseDiscoveryBenchmark(BaseModel):
    """What was measured. `confirmed` counts false modes over all seeds, by the search as it is on uniform questions;
    `forced_confirmed` those of `forced`, the suspects of a search that takes chance for a pattern; `adaptive` by who
    asked. The shares are of seeds with any false mode; n is the number of seeds.
    """

    model_config = ConfigDict(frozen=True)

    seeds: int
    questions: int
    error_rate: float
    suspected: int
    confirmed: int
    share_of_seeds: Rate
    forced: int
    forced_confirmed: int
    forced_share_of_seeds: Rate
    searches: tuple[Search, ...]
    adaptive: dict[str, AdaptiveSearches] = {}
    seconds: float


def measure(
    *,
    seeds: int = 20,
    questions: int = 2500,
    error_rate: float = 0.05,
    proof: ConfirmSettings | None = None,
    adaptive: Sequence[str] = ("explorer",),
    on_seed: Callable[[int], None] | None = None,
) -> FalseDiscoveryBenchmark:
    """Search `seeds` careless candidates, with so many questions and so large a `proof` (the usual one).

    Args:
        adaptive: names in `ADAPTIVE`; a seed takes the explorer some 10 seconds on one core, the harvest 45.
        on_seed: hears of every finished seed.

    Raises:
        ConfigError: there is no such search.
    """
    if unknown := [name for name in adaptive if name not in ADAPTIVE]:
        raise ConfigError(f"there is no search {unknown[0]!r}", hint=f"choose among {', '.join(ADAPTIVE)}")
    # Nobody looks again at failures that are known to be accidents.
    told = (proof or ConfirmSettings()).model_copy(update={"checks": 0, "shrink": 0})
    searches: list[Search] = []
    asked: dict[str, list[tuple[int, tuple[str, ...], float]]] = {name: [] for name in adaptive}
    for seed in range(seeds):
        searches.append(_search(seed, questions, error_rate, told))
        for name, found in asked.items():
            found.append(_adaptive(ADAPTIVE[name], seed, questions, error_rate, told))
        if on_seed is not None:
            on_seed(seed + 1)
    return FalseDiscoveryBenchmark(
        seeds=seeds,
        questions=questions,
        error_rate=error_rate,
        suspected=sum(search.suspected for search in searches),
        confirmed=sum(len(search.confirmed) for search in searches),
        share_of_seeds=wilson(sum(bool(search.confirmed) for search in searches), seeds),
        forced=sum(search.forced for search in searches),
        forced_confirmed=sum(len(search.forced_confirmed) for search in searches),
        forced_share_of_seeds=wilson(sum(bool(search.forced_confirmed) for search in searches), seeds),
        searches=tuple(searches),
        adaptive={
            name: AdaptiveSearches(
                suspected=sum(suspected for suspected, _, _ in found),
                confirmed=sum(len(confirmed) for _, confirmed, _ in found),
                share_of_seeds=wilson(sum(bool(confirmed) for _, confirmed, _ in found), seeds),
                searches=tuple(confirmed for _, confirmed, _ in found),
                seconds=sum(seconds for _, _, seconds in found),
            )
            for name, found in asked.items()
        },
        seconds=sum(search.seconds for search in searches)
        + sum(seconds for found in asked.values() for _, _, seconds in found),
    )


def table(result: FalseDiscoveryBenchmark) -> Table:
    """The figures for people."""
    shown = Table(title="False discovery: a candidate without failure modes")
    shown.add_column("search")
    for column in ("suspected", "confirmed", "seeds with any confirmed"):
        shown.add_column(column, justify="right")
    shown.add_row(
        "uniform questions", str(result.suspected), str(result.confirmed), result.share_of_seeds.percent()
    )
    shown.add_row(
        "credulous, to test the proof",
        str(result.forced),
        str(result.forced_confirmed),
        result.forced_share_of_seeds.percent(),
    )
    for name, found in result.adaptive.items():
        shown.add_row(name, str(found.suspected), str(found.confirmed), found.share_of_seeds.percent())
    shown.caption = (
        f"{result.seeds} seeds, {result.questions} questions each, {100 * result.error_rate:g} % errors at"
        f" random · {result.seconds:.0f} s"
    )
    return shown


def _search(seed: int, questions: int, error_rate: float, proof: ConfirmSettings) -> Search:
    began = time.perf_counter()
    interview = Interview(Careless(error_rate, seed), FactsVerifier())
    settings, world = DiscoverSettings(), ShapesWorld()
    chosen = islice(Pool(world, settings).questions("discover", seed), questions)
    asked = [
        Asked(f"baseline/{i}", item.image, item.question, verdict=item.verdict)
        for i, item in enumerate(chosen)
    ]
    rows = interview.ask(asked, "baseline")
    proved: list[list[FailureMode]] = []
    for search in (settings.search, CREDULOUS):
        suspects = suspect(rows, search, rows)
        with (
            tempfile.TemporaryDirectory() as folder,
            Run.open(Path(folder) / "run", command="bench", config={}) as run,
        ):
            run.ledger.finish("suspect", modes=suspects)
            proved.append(confirm(run, world, interview, settings, proof, seed) if suspects else [])
    usual, credulous = proved
    return Search(
        seed=seed,
        failure_rate=wilson(sum(row.outcome == "failure" for row in rows), len(rows)),
        suspected=len(usual),
        confirmed=_confirmed(usual),
        forced=len(credulous),
        forced_confirmed=_confirmed(credulous),
        seconds=time.perf_counter() - began,
    )


def _adaptive(
    settings: DiscoverSettings, seed: int, questions: int, error_rate: float, proof: ConfirmSettings
) -> tuple[int, tuple[str, ...], float]:
    """One whole discovery and its proof: how many suspects, which were confirmed, and the seconds it took."""
    began = time.perf_counter()
    settings = settings.model_copy(update={"steps": max(1, questions // settings.queries)})
    interview, world = Interview(Careless(error_rate, seed), FactsVerifier()), ShapesWorld()
    with (
        tempfile.TemporaryDirectory() as folder,
        Run.open(Path(folder) / "run", command="bench", config={}) as run,
    ):
        suspects = discover(run, world, interview, settings, seed)
        proved = confirm(run, world, interview, settings, proof, seed) if suspects else []
    return len(suspects), _confirmed(proved), time.perf_counter() - began


def _confirmed(modes: Sequence[FailureMode]) -> tuple[str, ...]:
    return tuple(str(mode.predicate) for mode in modes if mode.status == "confirmed")
