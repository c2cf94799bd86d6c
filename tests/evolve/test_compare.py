"""Candidates compared: the same questions to all, a ranking no surer than its tests, modes told apart, resumable."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from scotoma.core import (
    ConfigError,
    FailureMode,
    ModelError,
    Predicate,
    Reply,
    ReplyError,
    Request,
    RunError,
    SpecError,
)
from scotoma.diagnose.subgroups import ModeSearch
from scotoma.discover import confirm as proof
from scotoma.discover.interview import Interview
from scotoma.discover.settings import ConfirmSettings, DiscoverSettings, JudgeSettings
from scotoma.evolve import compare as comparing
from scotoma.evolve.compare import CompareSettings, check_before, compare
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.models.spec import load_model
from scotoma.report import build
from scotoma.store.run import Run
from scotoma.store.summary import RankingSummary
from scotoma.verify.facts import FactsVerifier
from tests import photographs
from tests.scripted import Candidate

HERE = "tests.evolve.test_compare"
COUNTING, LEFT = Predicate.parse("type=counting"), Predicate.parse("type=horizontal and relation=left")
ANSWERED: dict[str, int] = {}


class Blind(Candidate):
    """Wrong in its blind spots, nine times out of ten; counts what it was asked."""

    spots: tuple[Predicate, ...] = ()

    def __init__(self) -> None:
        self.name = "all of one name"  # names need not differ

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        ANSWERED[type(self).__name__] = ANSWERED.get(type(self).__name__, 0) + len(requests)
        return [Reply(self._said(request)) for request in requests]

    def _said(self, request: Request) -> str:
        facts = request.images[0].facts
        assert facts is not None
        examined = facts.examine(request.text)
        right = examined.answer or ""
        lucky = sum(map(ord, request.text + request.images[0].id)) % 10 == 0
        blind = any(spot.matches(examined.tags) for spot in self.spots) and not lucky
        return right if not blind else "yes" if right == "no" else "no"


class Seeing(Blind): ...


class OneSpot(Blind):
    spots = (COUNTING,)


class TwoSpots(Blind):
    spots = (COUNTING, LEFT)


class Deaf(Blind):
    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(error=ReplyError("timeout", "nobody there")) for _ in requests]


class HardOfHearing(Seeing):
    """Its server loses every fifth question."""

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        replies = super().answer(requests)
        lost = Reply(error=ReplyError("timeout", "slow"))
        return [lost if i % 5 == 0 else reply for i, reply in enumerate(replies)]


SEEING, ONE, TWO = f"{HERE}:Seeing", f"{HERE}:OneSpot", f"{HERE}:TwoSpots"
SEARCH = DiscoverSettings(search=ModeSearch(max_conditions=2))


def settings(*candidates: str, **more: object) -> CompareSettings:
    given = {
        "candidates": candidates, "questions": 600, "base_questions": 200, "mode_questions": 40, "pool": 2000,
        "discover": SEARCH,
    }  # fmt: skip
    return CompareSettings.model_validate({**given, **more})


def compared(path: Path, given: CompareSettings) -> RankingSummary:
    with Run.open(path, command="compare", config=given.model_dump(mode="json")) as run:
        ranking = compare(run, given).ranking
    assert ranking is not None
    return ranking


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "versus"
    compared(path, settings(TWO, SEEING, ONE))
    return path


@pytest.fixture(scope="module")
def ranking(run: Path) -> RankingSummary:
    with Run.read(run) as opened:
        summary = opened.summary()
    assert summary is not None
    assert summary.ranking is not None
    return summary.ranking


def test_candidates_are_ranked_best_first(ranking: RankingSummary) -> None:
    assert [own.candidate for own in ranking.candidates] == [SEEING, ONE, TWO]
    assert [own.rank.value for own in ranking.candidates] == [1, 2, 3]
    assert ranking.candidates[0].accuracy.value == 1
    assert (ranking.questions, ranking.compared, ranking.asked_from) == (600, 600, "template")
    for pair in ranking.pairs:
        assert pair.p_value <= pair.p_holm <= 0.05
        assert pair.difference.low > 0
        assert pair.second_only == 0


def test_skills_say_where_they_differ(ranking: RankingSummary) -> None:
    seeing, one, two = (own.skills for own in ranking.candidates)
    assert one["counting"].high < seeing["counting"].value == 1
    assert two["horizontal"].value < one["horizontal"].value == 1


def test_a_mode_of_several_is_told_from_one_that_is_a_single_candidates(ranking: RankingSummary) -> None:
    [counting] = [mode for mode in ranking.modes if "counting" in mode.predicate]
    assert counting.kind == "partial"
    assert set(counting.found_in) == set(counting.confirmed_for) == {ONE, TWO}
    [left] = [mode for mode in ranking.modes if "relation=left" in mode.predicate]
    assert (left.kind, left.confirmed_for) == ("specific", [TWO])
    for mode in (counting, left):
        assert set(mode.failure_rates) == {SEEING, ONE, TWO}
        assert mode.failure_rates[SEEING].value == 0
        assert mode.failure_rates[TWO].value > 0.7
        assert mode.q_values[TWO] <= 0.05


def test_the_proof_is_on_other_images_than_the_search(run: Path) -> None:
    with Run.read(run) as opened:
        searched = {o.image_id for o in opened.ledger.observations(phase_prefix="compare/0/test")}
        proved = {o.image_id for o in opened.ledger.observations(phase_prefix="compare/0/proof")}
        split = {entry.id: entry.split for entry in opened.ledger.images()}
    assert proved
    assert not searched & proved
    assert {split[image] for image in searched} == {"test"}
    assert {split[image] for image in proved} == {"confirm"}


def test_everybody_is_asked_the_same(run: Path) -> None:
    with Run.read(run) as opened:
        asked = [
            [(o.image_id, o.question) for o in opened.ledger.observations(phase_prefix=f"compare/{i}/")]
            for i in range(3)
        ]
    assert asked[0] == asked[1] == asked[2]


def test_stopped_anywhere_it_goes_on_and_asks_nothing_twice(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(Exception):
        pass

    def progress(phase: str, done: int, total: int) -> None:
        if (phase, done) in stops:
            stops.remove((phase, done))
            raise Stop

    stops = [(f"test: {SEEING}", 1), (f"proof: {TWO}", 0)]
    given = settings(TWO, SEEING, ONE)
    monkeypatch.setattr(comparing, "PORTION", 250)
    ANSWERED.clear()
    for _ in range(2):
        with (
            pytest.raises(Stop),
            Run.open(tmp_path / "run", command="compare", config=given.model_dump(mode="json")) as opened,
        ):
            compare(opened, given, progress)
    compared(tmp_path / "run", given)
    with Run.read(run) as whole, Run.read(tmp_path / "run") as resumed:
        for number, name in enumerate(("TwoSpots", "Seeing", "OneSpot")):
            mine = resumed.ledger.observations(phase_prefix=f"compare/{number}/")
            assert mine == whole.ledger.observations(phase_prefix=f"compare/{number}/")
            assert ANSWERED[name] == len(mine)
        ours, theirs = resumed.summary(), whole.summary()
        assert ours is not None
        assert theirs is not None
        assert ours.ranking == theirs.ranking
    ANSWERED.clear()
    compared(tmp_path / "run", given)
    assert ANSWERED == {}


@pytest.fixture(scope="module")
def discovered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in which two modes of `TwoSpots` were confirmed."""
    path = tmp_path_factory.mktemp("runs") / "first"
    interview, small = (
        Interview(load_model(TWO), FactsVerifier()),
        ConfirmSettings(questions=30, base_questions=300, pool=1500),
    )
    config = {"images": "worlds:shapes", "confirm": small.model_dump(mode="json")}
    with Run.open(path, command="discover", config=config) as opened:
        modes = [
            FailureMode(id=name, predicate=p, description=name)
            for name, p in (("m1", COUNTING), ("m2", LEFT))
        ]
        opened.ledger.finish("suspect", modes=modes)
        proof.confirm(opened, ShapesWorld(), interview, DiscoverSettings(), small, seed=0)
    return path


def test_the_confirmed_modes_of_a_run_are_put_to_all(discovered: Path, tmp_path: Path) -> None:
    given = settings(ONE, TWO, modes_from=[str(discovered)], questions=200)
    ranking = compared(tmp_path / "run", given)
    assert {mode.id: mode.kind for mode in ranking.modes} == {"m1": "universal", "m2": "specific"}
    assert all(mode.found_in == [str(discovered)] for mode in ranking.modes)
    assert all(rate.n >= 40 for mode in ranking.modes for rate in mode.failure_rates.values())


def test_the_questions_of_a_runs_proof_are_asked_again(discovered: Path, tmp_path: Path) -> None:
    ranking = compared(tmp_path / "run", settings(ONE, SEEING, questions_from=str(discovered)))
    assert ranking.asked_from == str(discovered)
    assert ranking.questions == 300
    assert {mode.id: mode.kind for mode in ranking.modes} == {"m1": "specific", "m2": "unproven"}
    with Run.read(discovered) as theirs, Run.read(tmp_path / "run") as ours:
        for mine, other in (("uniform", "confirm-base"), ("members", "confirm")):
            asked = ours.ledger.observations(f"compare/0/test/{mine}")
            assert [(o.image_id, o.question, o.tags) for o in asked] == [
                (o.image_id, o.question, o.tags) for o in theirs.ledger.observations(other)
            ]


def test_a_mode_by_topic_is_found_among_the_questions_of_its_proof_and_refused_elsewhere(
    discovered: Path, tmp_path: Path
) -> None:
    topic = FailureMode(
        id="t", predicate=Predicate.parse("topic=counts"), description="t", status="confirmed"
    )
    with (
        Run.read(discovered) as old,
        Run.open(tmp_path / "topics", command="discover", config=old.config) as new,
    ):
        rows = {
            phase: [
                row.model_copy(update={"tags": {**row.tags, "topic": "counts"}})
                if COUNTING.matches(row.tags)
                else row
                for row in old.ledger.observations(phase)
            ]
            for phase in ("confirm", "confirm-base")
        }
        images = [
            old.images.get(row.image_id, facts=ShapesWorld().facts) for some in rows.values() for row in some
        ]
        new.images.put_all(images)
        new.ledger.finish(
            "confirm",
            observations=[row for some in rows.values() for row in some],
            modes=[topic],
            images=images,
        )
    ranking = compared(tmp_path / "run", settings(ONE, SEEING, questions_from=str(tmp_path / "topics")))
    assert {mode.id: mode.kind for mode in ranking.modes} == {"t": "specific"}
    given = settings(ONE, SEEING, modes_from=[str(tmp_path / "topics")], questions=200, pool=500)
    with pytest.raises(ConfigError, match=r"tagged with 'topic'.*--from"):
        compared(tmp_path / "other", given)
    # A command does not go through a whole pool first.
    with pytest.raises(ConfigError, match="is by topic") as refused:
        check_before(given)
    assert f"--from {tmp_path / 'topics'}" in str(refused.value.hint)


def test_questions_that_somebody_could_not_answer_count_for_nobody(tmp_path: Path) -> None:
    ranking = compared(tmp_path / "run", settings(f"{HERE}:HardOfHearing", ONE, questions=200))
    lost = next(own for own in ranking.candidates if own.candidate.endswith("HardOfHearing"))
    assert lost.infrastructure_errors == 40
    assert ranking.compared == 160
    assert {own.accuracy.n for own in ranking.candidates} == {160}
    assert lost.accuracy.value == 1


def test_a_candidate_that_answers_nothing_is_not_ranked_but_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"Deaf: none of 100 questions was answered.*timeout"):
        compared(tmp_path / "run", settings(SEEING, f"{HERE}:Deaf", questions=100))


@pytest.mark.parametrize(
    ("candidates", "more", "says"),
    [
        ((SEEING,), {}, "two candidates or more"),
        ((SEEING, ONE, SEEING), {}, "named twice"),
        (("pupil", "pupil"), {}, "named twice"),
        ((SEEING, ONE), {"judge": {"model": ONE}}, "nobody judges himself"),
        ((SEEING, ONE), {"questions_from": "a", "modes_from": ["b"]}, "not both"),
        ((SEEING, ONE), {"tagging": {"topics": "only"}}, "finds no topics"),
        ((SEEING, "gpt"), {}, "names no model"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    candidates: tuple[str, ...], more: dict[str, object], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        settings(*candidates, **more)


def test_runs_that_prove_nothing_are_refused_before_anything_is_begun(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no confirmed failure mode"):
        check_before(settings(SEEING, ONE, modes_from=[str(run)]))
    with pytest.raises(RunError, match="there is no run"):
        check_before(settings(SEEING, ONE, questions_from=str(tmp_path / "nowhere")))


def test_whoever_tagged_the_questions_of_a_mode_must_tag_those_of_the_comparison(tmp_path: Path) -> None:
    proved = FailureMode(id="m", predicate=COUNTING, description="counting", status="confirmed")
    config = {"tagging": {"model": "openai:tagger@http://localhost:1/v1"}}
    with Run.open(tmp_path / "tagged", command="discover", config=config) as tagged:
        tagged.ledger.finish("confirm", modes=[proved])
    given = {"modes_from": [str(tmp_path / "tagged")]}
    with pytest.raises(ConfigError, match=r"openai:tagger.*nobody but theirs.*set tagging\.model"):
        check_before(settings(SEEING, ONE, **given))
    check_before(settings(SEEING, ONE, **given, **config))


@pytest.mark.parametrize(
    ("second", "more", "told"),
    [
        ("hf:./nowhere", {}, "does not exist"),
        (ONE, {"judge": {"model": "no_such_module:Judge"}}, "there is no module 'no_such_module'"),
    ],
)
def test_a_candidate_or_judge_that_cannot_be_opened_is_told_before_a_run_is_begun(
    second: str, more: dict[str, object], told: str, tmp_path: Path
) -> None:
    with pytest.raises((ModelError, SpecError), match=told):
        check_before(settings(SEEING, second, out=tmp_path / "run", **more))


def test_who_has_answered_need_not_be_there_any_more(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run, tmp_path / "run")
    monkeypatch.setattr(comparing, "check_model", lambda spec: pytest.fail(f"{spec} was looked at"))
    with Run.open(tmp_path / "run", command="compare", config=None) as opened:
        chosen = CompareSettings.model_validate(opened.config | {"out": tmp_path / "run"})
        check_before(chosen)
        assert compare(opened, chosen).ranking is not None


def test_the_report_shows_ranking_pairs_skills_and_modes(run: Path, tmp_path: Path) -> None:
    html = build(run, tmp_path / "report.html").read_text()
    for text in ("Who sees better", "Pair by pair", "Holm", "specific", "relation=left", "Counting"):
        assert text in html
    assert "Before and after" not in html
    assert "This run is unfinished" not in html


def test_a_report_of_a_comparison_that_has_only_begun_says_so(tmp_path: Path) -> None:
    with Run.open(tmp_path / "run", command="compare", config={}) as opened:
        pass
    html = build(opened.path).read_text()
    assert "This run is unfinished" in html
    assert "Not every candidate has been asked yet" in html


def test_the_embedded_questioner_is_refused_on_photos_before_anything_is_asked(tmp_path: Path) -> None:
    photographs.write(tmp_path / "photos", 12)
    chosen = {
        "images": f"folder:{tmp_path / 'photos'}",
        "judge": JudgeSettings(model="tests.photographs:Judge"),
    }
    with pytest.raises(ConfigError, match="knows worlds:shapes only"):
        check_before(settings(SEEING, ONE, **chosen))
