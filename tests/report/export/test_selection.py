"""What is taken from a run: samples, failures with their truth, or every question, each once and in a stable order."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.core import ConfigError, Observation, RunError, Split
from scotoma.report.export import Selected, Selection, select
from scotoma.store import Run
from tests.report.export.small import PICTURES, answers, lessons, picture, small


def chosen(run: Path, **wanted: object) -> Selected:
    with Run.read(run) as opened:
        return select(opened, Selection.model_validate(wanted))


def asked(split: Split, phase: str) -> list[Observation]:
    return [item for n in range(PICTURES[split]) for item in answers(phase, picture(split, n), n)]


def test_a_run_with_samples_gives_those_of_the_targeted_arm(run: Path) -> None:
    selected = chosen(run)
    expected = {(s.image_id, s.question) for n in range(4) for s in lessons(picture("train", n), "targeted")}
    assert selected.what == "samples"
    assert {(item.image.id, item.question) for item in selected.items} == expected
    assert {item.purpose for item in selected.items} == {"mode", "retention"}


def test_an_arm_a_round_and_a_mode_can_be_asked_for(run: Path) -> None:
    assert {item.purpose for item in chosen(run, arm="uniform").items} == {"uniform"}
    assert {item.image.id for item in chosen(run, round=2).items} == {picture("train", 3).id}
    assert {item.modes for item in chosen(run, mode="m1").items} == {("m1",)}


def test_two_arms_that_share_a_sample_give_it_once(run: Path) -> None:
    everything = chosen(run, arm="all")
    pairs = [(item.image.id, item.question) for item in everything.items]
    assert len(set(pairs)) == len(pairs)
    assert everything.skipped["asked or sampled before"] > 0


def test_a_run_without_samples_gives_the_failures_of_its_confirmed_modes(tmp_path: Path) -> None:
    selected = chosen(small(tmp_path / "run", samples=False))
    failures = {
        (item.image_id, item.question)
        for item in [*asked("discover", "discover"), *asked("confirm", "confirm")]
        if item.outcome == "failure"
    }
    assert selected.what == "failures"
    assert {(item.image.id, item.question) for item in selected.items} == failures
    assert {item.reply for item in selected.items} == {"purple elephant"}
    assert all(item.answer != item.reply and item.modes for item in selected.items)


def test_what_proves_or_measures_is_not_trained_on(run: Path) -> None:
    for what in ("failures", "questions"):
        selected = chosen(run, what=what)
        assert {item.image.split for item in selected.training} <= {"train", "discover"}
        assert {item.image.split for item in selected.held_out} <= {"confirm", "test"}
        assert len(selected.training) + len(selected.held_out) == len(selected.items)
        assert "confirm" in {item.image.split for item in selected.held_out}


def test_a_comparison_is_of_several_candidates_and_is_refused(tmp_path: Path) -> None:
    with Run.open(tmp_path / "run", command="compare", config={}):
        pass
    with pytest.raises(ConfigError, match="answers of several candidates"):
        chosen(tmp_path / "run", what="questions")


def test_failures_of_the_test_split_are_taken_only_when_asked_for(run: Path) -> None:
    assert "test" not in {item.image.split for item in chosen(run, what="failures").items}
    assert {item.image.split for item in chosen(run, what="failures", split="test").items} == {"test"}


def test_questions_are_all_valid_ones_that_the_untrained_candidate_was_asked(run: Path) -> None:
    selected = chosen(run, what="questions")
    assert {item.purpose for item in selected.items} == {"correct", "failure"}
    put = [*asked("discover", "discover"), *asked("confirm", "confirm"), *asked("test", "test/base/modes")]
    assert len(selected.items) == len(put)


def test_the_answers_of_a_trained_checkpoint_are_another_selection(run: Path) -> None:
    selected = chosen(run, what="questions", arm="targeted", round=1)
    assert selected.answered_by == "pupil@round1/targeted"
    # Round 2 has samples but was not examined yet: the last that answered is meant.
    assert chosen(run, what="questions", arm="targeted") == selected
    assert {item.purpose for item in selected.items} == {"correct"}
    assert {item.image.split for item in selected.items} == {"test"}


def test_a_suspected_mode_can_be_named(run: Path) -> None:
    selected = chosen(run, what="failures", mode="m3")
    assert selected.items
    assert all("colour" in item.skills and item.modes == ("m3",) for item in selected.items)


def test_what_cannot_be_exported_is_counted_by_reason(run: Path) -> None:
    selected = chosen(run, what="questions")
    assert selected.skipped == {
        "without a known answer": 1,
        "without a picture": 1,
        "asked or sampled before": 1,
    }


def test_the_order_depends_on_the_seed_and_nothing_else(run: Path, tmp_path: Path) -> None:
    first = [item.id for item in chosen(run).items]
    assert first == [item.id for item in chosen(small(tmp_path / "again")).items]
    assert first != [item.id for item in chosen(run, seed=1).items]
    assert sorted(first) == sorted(item.id for item in chosen(run, seed=1).items)


def test_the_id_of_a_question_is_that_of_its_sample(run: Path) -> None:
    expected = {s.id for n in range(4) for s in lessons(picture("train", n), "targeted")}
    assert {item.id for item in chosen(run).items} == expected


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"mode": "m9"}, "its modes are m1, m2"),
        ({"arm": "lucky"}, "targeted, uniform"),
        ({"round": 7}, "1, 2"),
    ],
)
def test_what_the_run_does_not_have_is_named(run: Path, wanted: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        chosen(run, **wanted)


def test_a_run_without_samples_says_what_to_take_instead(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="--what failures"):
        chosen(small(tmp_path / "run", samples=False), what="samples")


def test_a_run_without_a_confirmed_mode_says_how_to_confirm(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="scotoma confirm"):
        chosen(small(tmp_path / "run", samples=False, confirmed=False))


def test_an_empty_run_says_so(tmp_path: Path) -> None:
    with Run.open(tmp_path / "run", command="discover", config={}):
        pass
    with pytest.raises(RunError, match="no such questions"):
        chosen(tmp_path / "run", what="questions")


def test_every_arm_at_once_is_for_samples_only(run: Path) -> None:
    with pytest.raises(ConfigError, match="targeted, uniform"):
        chosen(run, what="questions", arm="all")
