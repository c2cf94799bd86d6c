"""After the proof: confirmed modes get their checks and smallest examples, in stages that a stopped run resumes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scotoma.core import ConfigError, Predicate
from scotoma.discover import loop, qualification
from scotoma.discover.account import account_of_shrinking, summarise
from scotoma.discover.confirm import confirm
from scotoma.discover.interview import Interview
from scotoma.discover.settings import ConfirmSettings, DiscoverySettings
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.report.build import build
from scotoma.report.export.offer import offered_answers
from scotoma.store.run import Run
from scotoma.verify.facts import FactsVerifier
from tests.discover.test_loop import PROOF, SETTINGS
from tests.scripted import Candidate

WITHOUT = PROOF.model_copy(update={"checks": 0, "shrink": 0})
WHOLE = PROOF.model_copy(update={"checks": 12, "shrink": 2})


def prove(path: Path, settings: ConfirmSettings) -> Run:
    interview = Interview(Candidate(), FactsVerifier())
    with Run.open(path, command="discover", config={}) as run:
        loop.discover(run, ShapesWorld(), interview, SETTINGS, seed=0)
        confirm(run, ShapesWorld(), interview, SETTINGS, settings, seed=0)
        run.write_summary(summarise(run, DiscoverySettings()))
    return Run.read(path)


@pytest.fixture(scope="module")
def proved(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose modes are proved, and no more."""
    return prove(tmp_path_factory.mktemp("runs") / "proved", WITHOUT)


@pytest.fixture(scope="module")
def run(proved: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same with checks and smallest examples."""
    path = tmp_path_factory.mktemp("runs") / "whole"
    shutil.copytree(proved.path, path)
    return prove(path, WHOLE)


def test_with_both_switched_off_nothing_more_is_asked(proved: Run) -> None:
    assert all(mode.checks is None and not mode.shrunk for mode in proved.ledger.modes())
    assert proved.ledger.done(qualification.CHECKS) is None
    assert proved.ledger.done(qualification.SMALLEST) is None


def test_no_status_rate_or_q_value_depends_on_what_follows(proved: Run, run: Run) -> None:
    bare = [mode.model_copy(update={"checks": None, "shrunk": ()}) for mode in run.ledger.modes()]
    assert bare == proved.ledger.modes()


def test_confirmed_modes_are_qualified_and_rejected_ones_stay_as_they_are(run: Run) -> None:
    statuses = {mode.status for mode in run.ledger.modes()}
    assert "confirmed" in statuses
    for mode in run.ledger.modes():
        assert (mode.checks is not None) == (mode.status == "confirmed")
        assert bool(mode.shrunk) == (mode.status == "confirmed")


def test_the_checks_take_less_than_a_fifth_of_the_proofs_queries(run: Run) -> None:
    told = run.ledger.done(qualification.CHECKS)
    assert told is not None
    proof = [o for phase in ("confirm", "confirm-base") for o in run.ledger.observations(phase)]
    assert told["proof_queries"] == len(proof)
    assert 0 < told["queries"] < 0.2 * len(proof)


def test_every_answer_of_the_checks_is_in_the_ledger(run: Run) -> None:
    told = run.ledger.done(qualification.CHECKS)
    assert told is not None
    kept = run.ledger.observations(phase_prefix="checks/")
    assert told["queries"] == len(kept) + 3 * told["questions"]
    for item in kept:
        assert run.images.get(item.image_id).split == "confirm"


def test_the_smallest_examples_lie_in_the_run_and_in_their_mode(run: Run) -> None:
    world = ShapesWorld()
    for mode in run.ledger.modes():
        for one in mode.shrunk:
            assert one.smallest.things <= one.original.things
            assert one.smallest.words <= one.original.words
            facts = run.images.get(one.smallest.image_id, facts=world.facts).facts
            assert facts is not None
            examined = facts.examine(one.smallest.question)
            assert mode.predicate.matches(examined.tags)
            assert examined.answer == one.smallest.truth


def test_the_summary_tells_how_small_they_got(run: Run) -> None:
    summary = run.summary()
    assert summary is not None
    assert summary.shrunk is not None
    assert summary.shrunk == account_of_shrinking(run.ledger.modes())
    assert 0 < summary.shrunk.words.value <= 1
    assert summary.shrunk.still_failing.value == 1
    told = next(mode for mode in summary.modes if mode.status == "confirmed")
    assert told.checks is not None
    assert told.checks.resampled_failure is not None


def test_the_report_shows_both_beside_the_mode(run: Run, tmp_path: Path) -> None:
    page = build(run, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "asked once more" in page
    assert "The smallest that still fails" in page
    assert page.count('class="pair"') == sum(len(mode.shrunk) for mode in run.ledger.modes())
    rejected = sum(mode.status == "rejected" for mode in run.ledger.modes())
    assert f"{rejected} suspect" in page or not rejected


def test_what_was_made_out_of_other_questions_is_not_exported_with_them(run: Run) -> None:
    offered = offered_answers(run.ledger, (), checkpoint=None, failures=False, inside=False)
    kept = [o for o in run.ledger.observations() if not o.phase.startswith(("checks", "smaller"))]
    answered = [o for o in kept if o.outcome in ("correct", "failure")]
    assert [(o.image_id, o.question) for o in offered] == [(o.image_id, o.question) for o in answered]


class Stop(Exception):
    pass


@pytest.mark.parametrize("stage", [qualification.CHECKS, qualification.SMALLEST])
def test_stopped_in_between_it_ends_the_same_and_repeats_no_finished_stage(
    proved: Run, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    path = tmp_path / "stopped"
    shutil.copytree(proved.path, path)
    part = {qualification.CHECKS: "_check", qualification.SMALLEST: "_shrink"}

    def stop(*_: object) -> None:
        raise Stop

    with monkeypatch.context() as patch:
        patch.setattr(qualification, part[stage], stop)
        with pytest.raises(Stop):
            prove(path, WHOLE)
    resumed = prove(path, WHOLE)
    assert resumed.ledger.modes() == run.ledger.modes()
    assert resumed.ledger.observations() == run.ledger.observations()
    finished = resumed.ledger.stages("confirm")
    assert len(set(finished)) == len(finished)
    asked_again = prove(path, WHOLE)
    assert asked_again.ledger.stages("confirm") == finished


def test_where_nothing_is_confirmed_nothing_is_asked(proved: Run, tmp_path: Path) -> None:
    path = tmp_path / "none"
    shutil.copytree(proved.path, path)
    with Run.open(path, command="discover", config={}) as opened:
        opened.ledger.put_modes(
            mode.model_copy(update={"status": "rejected"}) for mode in opened.ledger.modes()
        )
    done = prove(path, WHOLE)
    told = done.ledger.done(qualification.CHECKS)
    assert told is not None
    assert (told["questions"], told["queries"]) == (0, 0)
    assert account_of_shrinking(done.ledger.modes()) is None


def test_the_candidate_may_not_choose_the_words_it_is_asked_in() -> None:
    with pytest.raises(ConfigError, match=r"confirm\.writer"):
        DiscoverySettings(
            candidate="openai:m@http://localhost:1/v1",
            confirm=ConfirmSettings(writer="openai:m@http://localhost:1/v1?concurrency=2"),
        )


def test_a_mode_in_whichever_state_after_repair_was_proved() -> None:
    from scotoma.core import FailureMode

    mode = FailureMode(id="m", predicate=Predicate(), description="anything")
    assert not mode.proved
    assert mode.model_copy(update={"status": "repaired"}).proved
    assert not mode.model_copy(update={"status": "rejected"}).proved
