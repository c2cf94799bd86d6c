"""The baseline: nothing selects its questions; what is still undiscovered is read off it, and when that is enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest

from scotoma.core import Claim, FailureMode, Observation, Predicate, Verdict
from scotoma.discover import loop
from scotoma.discover.account import account_of_discovery
from scotoma.discover.baseline import Baseline, stopped, undiscovered_failure_mass
from scotoma.discover.interview import Interview
from scotoma.discover.pool import Pool
from scotoma.discover.settings import DiscoverSettings
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store.run import Run
from scotoma.store.summary import UndiscoveredSummary
from scotoma.verify.facts import FactsVerifier
from tests.scripted import Candidate

SETTINGS = DiscoverSettings(
    questioner="tests.scripted:Questioner",
    prompts="chat",
    reinforce=False,
    steps=4,
    images=6,
    queries=48,
    block=1,
)
GENEROUS, IMPOSSIBLE = 0.75, 0.0001


def discovered(path: Path, stop_below: float | None) -> Run:
    settings = SETTINGS.model_copy(update={"stop_below": stop_below})
    with Run.open(path, command="discover", config={}) as run:
        loop.discover(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, seed=0)
    return Run.read(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return discovered(tmp_path_factory.mktemp("runs") / "whole", None)


@pytest.fixture(scope="module")
def early(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return discovered(tmp_path_factory.mktemp("runs") / "early", GENEROUS)


def test_discovery_ends_when_the_upper_end_of_the_undiscovered_share_is_below_the_limit(early: Run) -> None:
    stop = stopped(early.ledger)
    assert stop is not None
    assert stop.steps < SETTINGS.steps
    assert stop.steps % SETTINGS.block == 0
    assert stop.undiscovered.value <= stop.undiscovered.high < GENEROUS == stop.below
    assert len(early.ledger.observations("discover")) == stop.steps * SETTINGS.queries
    # It did not end a block later than it could.
    for stage in early.ledger.stages("baseline/")[:-1]:
        assert (early.ledger.done(stage) or {})["undiscovered"]["high"] >= GENEROUS


def test_the_baseline_has_as_many_questions_as_the_questioner_put(whole: Run, early: Run) -> None:
    for run in (whole, early):
        assert len(run.ledger.observations("baseline")) == len(run.ledger.observations("discover"))


def test_the_stop_rule_changes_no_question_before_it_stops(whole: Run, early: Run) -> None:
    for phase in ("discover", "baseline"):
        some = early.ledger.observations(phase)
        assert some == whole.ledger.observations(phase)[: len(some)]


def test_a_limit_that_is_never_reached_changes_nothing(whole: Run, tmp_path: Path) -> None:
    run = discovered(tmp_path / "run", IMPOSSIBLE)
    assert stopped(run.ledger) is None
    assert run.ledger.observations("discover") == whole.ledger.observations("discover")
    assert run.ledger.observations("baseline") == whole.ledger.observations("baseline")


@pytest.mark.parametrize("at", ["between", "after"])
def test_a_resumed_run_takes_the_same_decision(
    early: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    class Stop(Exception):
        pass

    stop = stopped(early.ledger)
    assert stop is not None
    ask = Baseline.enough

    def enough(self: Baseline, steps: int) -> bool:
        if steps == stop.steps and not (tmp_path / "stopped").exists():
            (tmp_path / "stopped").touch()
            if at == "after":
                ask(self, steps)
            raise Stop
        return ask(self, steps)

    monkeypatch.setattr(Baseline, "enough", enough)
    with pytest.raises(Stop):
        discovered(tmp_path / "run", GENEROUS)
    resumed = discovered(tmp_path / "run", GENEROUS)
    assert resumed.ledger.observations("discover") == early.ledger.observations("discover")
    assert resumed.ledger.observations("baseline") == early.ledger.observations("baseline")
    assert stopped(resumed.ledger) == stop
    # And once more, when all is done.
    assert stopped(discovered(tmp_path / "run", GENEROUS).ledger) == stop


def test_the_account_says_what_is_left_and_why_it_stopped(whole: Run, early: Run) -> None:
    for run, ended in ((whole, False), (early, True)):
        account = account_of_discovery(run.ledger)
        assert account is not None
        assert (account.stopped is not None) == ended
        assert account.undiscovered is not None


def test_the_account_counts_kinds_and_modes_by_uniform_failures(tmp_path: Path) -> None:
    uniform = [row("colour", "a", 0), row("colour", "b", 0), row("size", "c", 0), row("shape+size", "d", 0)]
    guided = [row("shape+size", "e", 0), row("reading", "f", 0), row("colour", "g", 1)]
    modes = [
        FailureMode(id=skill, predicate=Predicate.parse(f"skill={skill}"), description=skill, status=status)
        for skill, status in (("size", "confirmed"), ("reading", "suspected"), ("colour", "rejected"))
    ]  # fmt: skip
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        for phase, rows in (("discover", guided), ("baseline", uniform)):
            observed = [o.model_copy(update={"phase": phase, "key": f"{phase}/{o.key}"}) for o in rows]
            run.ledger.finish(phase, observations=observed)
        run.ledger.finish("suspect", modes=modes)
        account = account_of_discovery(run.ledger)
    assert account is not None
    left = account.undiscovered
    assert left is not None
    assert (left.failure_mass.value, left.failure_mass.n) == (
        0.25,
        4,
    )  # "size" alone was seen by one image only
    assert left.kinds_seen == 4
    assert left.kinds.value == 4
    # "size" holds two of the four uniform failures, "reading" only the questioner's; the rejected mode is none.
    old = left.model_dump() | {"modes": None, "mode_coverage": None}  # as earlier versions wrote it
    assert UndiscoveredSummary.model_validate(old) == left
    assert left.outside_modes is not None
    assert left.outside_modes.value == 0.5


def test_a_resume_asks_nothing_twice_when_what_was_lost_is_judged_now(tmp_path: Path) -> None:
    class Flaky(FactsVerifier):
        """Loses the third and the seventh question."""

        def __init__(self) -> None:
            super().__init__()
            self.lost = {3, 7}
            self.ruled = 0

        def judge(self, items: Sequence[Claim], errors: Sequence[str | None] | None = None) -> list[Verdict]:
            verdicts = super().judge(items, errors)
            for i in range(len(verdicts)):
                self.ruled += 1
                if self.ruled in self.lost:
                    verdicts[i] = Verdict(error="timeout", reason="no reply in time")
            return verdicts

    settings = SETTINGS.model_copy(update={"stop_below": IMPOSSIBLE})
    with Run.open(tmp_path, command="discover", config={}) as run:
        begun = Baseline(run, ShapesWorld(), Interview(Candidate(), Flaky()), settings, 0)
        assert not begun.enough(1)
        resumed = Baseline(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, 0)
        assert not resumed.enough(2)
        asked = Counter((o.image_id, o.question) for o in run.ledger.observations("baseline"))
    pool = Pool(ShapesWorld(), settings)
    stream = [(i.image.id, i.question) for i in islice(pool.questions("discover", 500_009), 120)]
    assert asked.total() == 2 * settings.queries
    assert asked == Counter(stream[: 2 * settings.queries])


def row(kind: str, image: str, correct: float) -> Observation:
    verdict = Verdict(valid=True, correct=correct, truth="yes", decided_by="facts")
    tags = {"skill": tuple(kind.split("+"))}
    return Observation(
        key=f"{kind}{image}", phase="x", image_id=image, question="?", verdict=verdict, tags=tags
    )


def test_what_the_questioner_found_is_known_but_the_share_is_taken_over_uniform_failures() -> None:
    uniform = [row("colour", "a", 0), row("colour", "b", 0), row("size", "c", 0), row("shape+size", "d", 0)]
    assert undiscovered_failure_mass([], uniform).value == 0.5
    guided = [row("size", "e", 0), row("reading", "f", 0), row("shape+size", "g", 1)]
    assert undiscovered_failure_mass(guided, uniform).value == 0.25
    assert undiscovered_failure_mass(guided, []).high == 1
