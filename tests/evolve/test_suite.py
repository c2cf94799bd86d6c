"""Regression suites: what a run's proof becomes, the folder and its damage, and who falls back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import (
    ConfigError,
    FailureMode,
    ImageError,
    ImageRecord,
    ModelError,
    Observation,
    Predicate,
    Reply,
    ReplyError,
    Request,
    RunError,
    StorageError,
    Verdict,
)
from scotoma.discover import confirm as proof
from scotoma.discover.interview import Interview
from scotoma.discover.settings import ConfirmSettings, DiscoverSettings, JudgeSettings
from scotoma.evolve.check import Answered, ask, check, recorded
from scotoma.evolve.excerpt import excerpt, mended_checkpoint
from scotoma.evolve.suite import (
    RETAINED,
    UNMEASURED,
    Baseline,
    Suite,
    SuiteHeader,
    SuiteMode,
    SuiteQuestion,
)
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.models.spec import load_model
from scotoma.store.run import Run
from scotoma.verify.facts import FactsVerifier
from tests import photographs
from tests.evolve.test_compare import COUNTING, LEFT, ONE, SEEING, TWO, Blind, Seeing

HERE = "tests.evolve.test_suite"


class Forgetful(Blind):
    """Has no blind spot but one that the others have not: whether something is there."""

    spots = (Predicate.parse("type=existence"),)


class Interrupted(Seeing):
    """Right, but its first answer was lost."""

    def __init__(self) -> None:
        super().__init__()
        self._lost = False

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        replies = super().answer(requests)
        if not self._lost:
            self._lost = True
            replies[0] = Reply(error=ReplyError("timeout", "slow"))
        return replies


class HardOfHearing(Seeing):
    """Its server loses every tenth question."""

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        lost = Reply(error=ReplyError("timeout", "slow"))
        return [lost if i % 10 == 0 else reply for i, reply in enumerate(super().answer(requests))]


class Sofa:
    """Sees a sofa in everything."""

    name = "sofa"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply("sofa") for _ in requests]


class Lenient:
    """A judge who lets everything pass."""

    name = "lenient"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [Reply(json.dumps({"correct": True, "reason": "a synonym"})) for _ in requests]


def proved(path: Path, candidate: str = TWO) -> Path:
    """A run in which the two modes of `TwoSpots` were put to a candidate, and proved if it has them."""
    small = ConfirmSettings(questions=20, base_questions=150, pool=1000, checks=0, shrink=0)
    interview = Interview(load_model(candidate), FactsVerifier())
    config = {"images": "worlds:shapes", "candidate": candidate, "confirm": small.model_dump(mode="json")}
    with Run.open(path, command="discover", config=config) as run:
        modes = [
            FailureMode(id=name, predicate=predicate, description=f"questions of {name}")
            for name, predicate in (("m1", COUNTING), ("m2", LEFT))
        ]
        run.ledger.finish("suspect", modes=modes)
        proof.confirm(run, ShapesWorld(), interview, DiscoverSettings(), small, seed=0)
    return path


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return proved(tmp_path_factory.mktemp("runs") / "first")


@pytest.fixture(scope="module")
def suite(run_dir: Path) -> Suite:
    with Run.read(run_dir) as run:
        return excerpt(run)


@pytest.fixture(scope="module")
def written(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suites") / "first"
    suite.write(folder)
    return folder


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    """A suite that may be damaged."""
    return shutil.copytree(written, tmp_path / "suite")


# ---------------------------------------------------------------- from a run


def test_the_questions_are_those_of_the_proof_and_none_is_there_twice(run_dir: Path, suite: Suite) -> None:
    with Run.read(run_dir) as run:
        asked = {
            row.key: row for phase in ("confirm", "confirm-base") for row in run.ledger.observations(phase)
        }
        splits = {entry.id: entry.split for entry in run.ledger.images()}
    assert {splits[q.image_id] for q in suite.questions} == {"confirm"}
    for question in suite.questions:
        row = asked[question.id]
        assert (question.question, question.image_id) == (row.question, row.image_id)
        assert (question.truth, question.decided_by) == (row.verdict.truth, "facts")
        assert question.baseline == Baseline(answer=row.answer, correct=row.outcome == "correct")
        assert (question.run, question.source, question.licence) == (
            "first",
            "worlds:shapes",
            "Apache-2.0 (rendered)",
        )
    about = [(q.image_id, q.question) for q in suite.questions]
    assert len(about) == len(set(about))


def test_a_part_is_a_mode_or_what_is_outside_them_all(suite: Suite) -> None:
    assert suite.parts == ["m1", "m2", RETAINED]
    for name, predicate in (("m1", COUNTING), ("m2", LEFT)):
        assert len(suite.part(name)) >= 20
        assert all(predicate.matches(q.tags) for q in suite.part(name))
    assert len(suite.part(RETAINED)) >= 100
    for question in suite.part(RETAINED):
        assert question.id.startswith("confirm-base/")
        assert not COUNTING.matches(question.tags)
        assert not LEFT.matches(question.tags)


def test_the_baseline_is_what_the_candidate_answered_in_the_proof(suite: Suite) -> None:
    assert suite.header.candidate == TWO
    for mode in suite.header.modes:
        assert mode.baseline.value < 0.4
        assert mode.baseline.n == len(suite.part(mode.id))
    assert suite.header.retained.value == 1


def test_fewer_questions_are_drawn_by_the_seed(run_dir: Path) -> None:
    with Run.read(run_dir) as run:
        few, again, other = (excerpt(run, most=10, seed=seed) for seed in (0, 0, 1))
    assert [len(few.part(part)) for part in few.parts] == [10, 10, 10]
    assert few.questions == again.questions
    assert few.questions != other.questions


def test_a_run_that_confirmed_nothing_is_refused(tmp_path: Path) -> None:
    with Run.read(proved(tmp_path / "run", SEEING)) as run, pytest.raises(RunError, match="no confirmed"):
        excerpt(run)


def test_questions_without_a_picture_or_a_truth_are_counted_and_left_out(tmp_path: Path) -> None:
    mode = FailureMode(id="m1", predicate=Predicate(), description="all", status="confirmed")
    rows = [
        Observation(
            key=f"c/{i}", phase="confirm-base", image_id="ab", question="?", answer="x", verdict=verdict
        )
        for i, verdict in enumerate(
            [Verdict(valid=True, correct=0, truth="y"), Verdict(valid=True, correct=0), Verdict(valid=False)]
        )
    ]
    with Run.open(tmp_path / "run", command="import", config={}) as run:
        run.ledger.finish("confirm", observations=rows, modes=[mode])
        with pytest.raises(RunError, match="1 without a picture") as error:
            excerpt(run)
    assert "1 without a known answer" in str(error.value)
    assert "1 not valid" in str(error.value)


def test_the_mended_weights_are_the_last_that_passed_the_gate(tmp_path: Path) -> None:
    with Run.open(tmp_path / "run", command="evolve", config={}) as run:
        assert mended_checkpoint(run) is None
        for name, accepted in (
            ("round1/targeted", True),
            ("round1/uniform", True),
            ("round2/uniform", True),
            ("round2/targeted", False),
        ):
            (run.checkpoint(name) / "policy").mkdir(parents=True)
            run.ledger.finish(f"{name}/gate", {"accepted": accepted})
        assert mended_checkpoint(run) == run.checkpoint("round1/targeted/policy")


# ---------------------------------------------------------------- the folder


def test_a_suite_is_read_as_it_was_written_without_the_run(suite: Suite, written: Path) -> None:
    assert sorted(entry.name for entry in written.iterdir()) == ["images", "questions.jsonl", "suite.json"]
    assert json.loads((written / "suite.json").read_text())["schema"] == "scotoma.suite/1"
    again = Suite.read(written)
    assert (again.header, again.questions) == (suite.header, suite.questions)
    for question in again.questions:
        picture = again.pictures[question.image_id]
        assert picture.path is not None
        assert picture.path.is_relative_to(written)
        assert picture.facts is not None
        assert picture.facts.examine(question.question).answer == question.truth


def test_a_suite_may_hold_any_text(suite: Suite, tmp_path: Path) -> None:
    [first, *rest] = suite.questions
    odd = first.model_copy(update={"question": "what is\u2028written\x85there\u2029?"})
    replace(suite, questions=(odd, *rest)).write(tmp_path / "odd")
    assert Suite.read(tmp_path / "odd").questions == (odd, *rest)


def test_only_a_suite_is_replaced_and_only_by_force(suite: Suite, copy: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="a suite already"):
        suite.write(copy)
    suite.write(copy, force=True)
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match="more than a suite"):
        suite.write(copy, force=True)
    assert (copy / "notes.txt").read_text() == "mine"
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is a file"):
        suite.write(tmp_path / "file", force=True)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"scotoma.suite/1"', '"scotoma.suite/9"', "has the format 'scotoma.suite/9'"),
        ('"modes"', '"moods"', "is damaged"),
        ("{", "[", "is damaged"),
        ('"predicate": "type=counting"', '"predicate": "type counting"', "cannot read the condition"),
        ('"id": "m1"', '"id": "m3"', "its modes are not those"),
        ('"questions": ', '"questions": 9', "questions, and suite.json says 9"),
    ],
)
def test_a_damaged_header_is_told(copy: Path, old: str, new: str, says: str) -> None:
    text = (copy / "suite.json").read_text()
    assert old in text
    (copy / "suite.json").write_text(text.replace(old, new, 1))
    with pytest.raises(ConfigError, match=says):
        Suite.read(copy)


def test_a_header_that_is_nested_too_deeply_is_told(copy: Path) -> None:
    (copy / "suite.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match=r"suite\.json is damaged"):
        Suite.read(copy)


def test_damaged_questions_are_told_by_line(copy: Path) -> None:
    path = copy / "questions.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], lines[1][:-9], *lines[2:]]))
    with pytest.raises(ConfigError, match=r"questions\.jsonl:2 is damaged"):
        Suite.read(copy)
    path.write_text("\n".join([lines[0], lines[0], *lines[2:]]))
    with pytest.raises(ConfigError, match="is there twice"):
        Suite.read(copy)
    path.write_text("\n".join([lines[0].replace('"image":"', '"image":"../'), *lines[1:]]))
    with pytest.raises(ConfigError, match="image"):
        Suite.read(copy)
    path.unlink()
    with pytest.raises(ConfigError, match="is damaged: No such file"):
        Suite.read(copy)


def test_a_picture_that_is_missing_or_damaged_is_told(copy: Path) -> None:
    picture = next((copy / "images").glob("*.png"))
    data = picture.read_bytes()
    picture.write_bytes(data[:-1])
    with pytest.raises(ImageError, match="is damaged"):
        Suite.read(copy)
    picture.unlink()
    with pytest.raises(ImageError, match="is missing"):
        Suite.read(copy)


def test_what_is_no_suite_is_told_with_what_to_do(run_dir: Path, tmp_path: Path) -> None:
    for folder, says in (
        (tmp_path / "nowhere", "there is no folder"),
        (tmp_path, "has no suite.json"),
        (run_dir, "is a run"),
    ):
        with pytest.raises(ConfigError, match=says) as error:
            Suite.read(folder)
        assert "--write DIR" in (error.value.hint or "")


# ---------------------------------------------------------------- asking


def test_the_candidate_of_the_run_answers_as_it_did_in_the_proof(suite: Suite) -> None:
    now = ask(suite, TWO, JudgeSettings())
    assert now.answers == recorded(suite).answers
    result = check(suite, now)
    assert result.passed
    assert all(part.change.value == 0 and part.p_value == 1 and not part.broken for part in result.parts)


def test_a_better_candidate_does_not_fall_back(suite: Suite) -> None:
    result = check(suite, ask(suite, SEEING, JudgeSettings()))
    assert result.passed
    assert [part.change.value > 0.5 for part in result.parts] == [True, True, False]


def test_a_mended_model_that_loses_one_mode_again_falls_back_on_that_one(suite: Suite) -> None:
    mended = suite.with_baseline(SEEING, ask(suite, SEEING, JudgeSettings()).answers)
    assert [mode.baseline.value for mode in mended.header.modes] == [1, 1]
    result = check(mended, ask(mended, ONE, JudgeSettings()))
    assert not result.passed
    [counting] = result.fallen
    assert (counting.id, counting.standing) == ("m1", "fell")
    assert counting.change.high < 0
    assert counting.p_holm <= 0.05
    wrong = {q.id for q in mended.part("m1")} & set(counting.broken)
    assert len(wrong) == round((1 - counting.now.value) * counting.now.n)


def test_a_model_that_forgets_other_skills_falls_back_on_what_is_retained(suite: Suite) -> None:
    result = check(suite, ask(suite, f"{HERE}:Forgetful", JudgeSettings()))
    assert [part.id for part in result.fallen] == [RETAINED]


def test_a_lost_answer_counts_for_nobody(suite: Suite) -> None:
    now = ask(suite, f"{HERE}:Interrupted", JudgeSettings())
    assert now.lost == {"timeout": 1}
    before = ask(suite, SEEING, JudgeSettings())
    result = check(suite, now, before)
    assert result.passed
    assert result.lost == {"timeout": 1}
    assert all(part.now.value == part.before.value == 1 for part in result.parts)
    assert [len(suite.part(part.id)) - part.now.n for part in result.parts].count(0) < len(result.parts)


def test_too_many_lost_answers_are_no_verdict(suite: Suite) -> None:
    with pytest.raises(ModelError, match=r"no verdict, as \d+ of \d+ questions .* × timeout"):
        ask(suite, f"{HERE}:HardOfHearing", JudgeSettings())


def photographed(path: Path, truth: str = "couch") -> Path:
    """A run about pictures without facts, in which a judge had said what is right."""
    photographs.write(path / "photos", 12)
    pictures = [
        ImageRecord(ImageRecord.hash(file.read_bytes()), f"folder:{file}", path=file, split="confirm")
        for file in sorted((path / "photos").iterdir())
    ]
    mode = FailureMode(
        id="m1", predicate=Predicate.parse("kind=seat"), description="seats", status="confirmed"
    )
    rows = [
        Observation(
            key=f"confirm-base/{i}", phase="confirm-base", image_id=picture.id, question="What is that?",
            answer="table", tags={"kind": "seat" if i % 2 else "other"},
            verdict=Verdict(valid=True, truth=truth, correct=0.0, decided_by="judge"),
        )
        for i, picture in enumerate(pictures)
    ]  # fmt: skip
    config = {
        "images": "folder:photos",
        "judge": JudgeSettings(model=f"{HERE}:Lenient").model_dump(mode="json"),
    }
    with Run.open(path / "run", command="discover", config=config) as run:
        kept = run.images.put_all(pictures)
        run.ledger.finish("confirm", observations=rows, modes=[mode], images=kept)
    return path / "run"


def test_the_runs_judge_goes_with_the_suite_and_rules_where_rules_cannot(tmp_path: Path) -> None:
    with Run.read(photographed(tmp_path)) as run:
        excerpt(run).write(tmp_path / "suite")
    suite = Suite.read(tmp_path / "suite")
    assert suite.header.judge.model == f"{HERE}:Lenient"
    assert not (tmp_path / "suite/images/facts.jsonl").exists()
    result = check(suite, ask(suite, f"{HERE}:Sofa", suite.header.judge))
    assert [part.now.value for part in result.parts] == [1, 1]
    with pytest.raises(ModelError, match="× undecided") as error:
        ask(suite, f"{HERE}:Sofa", JudgeSettings())
    assert "--judge" in (error.value.hint or "")
    with pytest.raises(ConfigError, match="nobody judges himself"):
        ask(suite, f"{HERE}:Lenient", suite.header.judge)


# ---------------------------------------------------------------- who falls back


def made(before: Sequence[Sequence[bool]], at_least: float | None = None) -> Suite:
    """A suite without pictures: a mode per row, but the last of several rows is retained."""
    count = max(1, len(before) - 1)
    questions = [
        SuiteQuestion(
            id=f"{part}/{i}", image=f"{part:032x}{i:032x}.png", question="?", truth="yes", decided_by="facts",
            modes=(f"m{part}",) if part < count else (), tags={}, run="r", source="s", licence="CC0-1.0",
            baseline=Baseline(answer="", correct=right),
        )
        for part, row in enumerate(before)
        for i, right in enumerate(row)
    ]  # fmt: skip
    header = SuiteHeader(
        scotoma="0",
        run="r",
        images="",
        candidate="old",
        questions=len(questions),
        modes=tuple(
            SuiteMode(id=f"m{i}", predicate="a=1", description="a", baseline=UNMEASURED, at_least=at_least)
            for i in range(count)
        ),
        retained=UNMEASURED,
    )
    return Suite(header, tuple(questions), {}).measured()


def now(*rows: Sequence[bool | None]) -> Answered:
    return Answered(
        "new",
        {
            f"{part}/{i}": Baseline(answer="", correct=right)
            for part, row in enumerate(rows)
            for i, right in enumerate(row)
        },
    )


def test_a_fall_must_be_significant_after_holms_correction() -> None:
    before = [[True] * 20, [True] * 20, [True] * 20]
    # Six of six discordant questions: p = 1/32, enough for one part alone and too little for one of three.
    fallen = [False] * 6 + [True] * 14
    one = check(made([[True] * 20]), now(fallen))
    assert [part.standing for part in one.parts] == ["fell"]
    three = check(made(before), now(fallen, [True] * 20, [True] * 20))
    assert three.passed
    assert three.parts[0].p_value == 1 / 32
    assert three.parts[0].p_holm == 3 / 32


def test_a_minimum_holds_for_the_modes_whatever_the_baseline_was() -> None:
    suite, low = made([[False] * 10, [True] * 10], at_least=0.8), [True] * 7 + [False] * 3
    result = check(suite, now(low, low))
    assert [part.standing for part in result.parts] == ["below", "holds"]
    assert not result.passed
    assert check(suite, now(low, low), at_least=0.7).passed
    assert check(suite, now([True] * 8 + [False] * 2, low)).passed


def test_a_part_that_nobody_answered_is_no_verdict() -> None:
    with pytest.raises(ModelError, match="no question of m0"):
        check(made([[True], [True]]), now([None], [True]))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60), st.booleans())
def test_what_is_lost_makes_nobody_fall_back(rows: list[tuple[bool, bool]], kept: bool) -> None:
    right = [was for was, _ in rows]
    lost = [None if gone and i else was for i, (was, gone) in enumerate(rows)]
    result = check(made([right, [kept] * 3]), now(lost, [kept] * 3))
    assert result.passed
    assert result.parts[0].now.n == sum(answer is not None for answer in lost)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_whoever_falls_back_is_worse_and_whoever_is_no_worse_never_falls(
    rows: list[tuple[bool, bool]],
) -> None:
    was, is_ = [one for one, _ in rows], [two for _, two in rows]
    forth = check(made([was]), now(is_)).parts[0]
    back = check(made([is_]), now(was)).parts[0]
    assert (forth.standing == "fell") <= (sum(is_) < sum(was))
    assert not forth.standing == back.standing == "fell"
    assert len(forth.broken) - len(back.broken) == sum(was) - sum(is_)
