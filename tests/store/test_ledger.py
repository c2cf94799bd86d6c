"""The ledger: a stage is written whole and once, and everything comes back as it went in."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scotoma.core import Observation, Rate, RunError, RunVersion
from scotoma.store import Counts, CurvePoint, Ledger
from tests.store.records import mode, observation, picture, sample


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "ledger.sqlite")


TAG = st.one_of(
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.text(max_size=8),
    st.lists(st.text(max_size=5), max_size=3).map(tuple),
)


@given(tags=st.dictionaries(st.text(max_size=8), TAG, max_size=4), question=st.text(), answer=st.text())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_observation_comes_back_as_it_went_in(tags: dict, question: str, answer: str) -> None:
    # Surrogates cannot be written as text anywhere; no model says them.
    item = observation("a", question=question, answer=answer, tags=tags)
    ledger = Ledger.open(Path(":memory:"))
    ledger.finish("s", observations=[item])
    assert ledger.observations() == [item]
    assert {key: type(value) for key, value in ledger.observations()[0].tags.items()} == {
        key: type(value) for key, value in tags.items()
    }


def test_records_of_every_kind_come_back_as_they_went_in(ledger: Ledger) -> None:
    rate = Rate(value=0.5, low=0.4, high=0.6, n=90)
    modes, samples = (
        [mode("m", failure_rate=rate, q_value=0.01)],
        [sample("s1"), sample("s2", purpose="retention")],
    )
    ledger.finish("s", {"nested": {"list": [1, "ä"]}}, modes=modes, samples=samples, images=[picture(4)])
    assert ledger.done("s") == {"nested": {"list": [1, "ä"]}}
    assert ledger.modes() == modes
    assert ledger.samples() == samples
    [entry] = ledger.images()
    assert (entry.id, entry.split, entry.licence, entry.facts) == (
        picture(4).id,
        "discover",
        "CC0-1.0",
        {"colour": 4},
    )
    assert entry.attributes == {"colours": ("red", "blue"), "things": 4}


def test_a_stage_is_not_done_until_it_is_finished_even_with_nothing(ledger: Ledger) -> None:
    assert ledger.done("s") is None
    ledger.finish("s")
    assert ledger.done("s") == {}
    assert ledger.stages() == ["s"]


def test_finishing_a_stage_again_writes_nothing(ledger: Ledger) -> None:
    for key in ("a", "b"):
        ledger.finish("s", {"loss": math.nan}, observations=[observation(key)])
    assert [item.key for item in ledger.observations()] == ["a"]


def test_two_stages_of_one_name_are_a_mistake_that_is_told(ledger: Ledger) -> None:
    ledger.finish("s", {"arm": "targeted"}, observations=[observation("a")])
    with pytest.raises(RunError, match="'s' was already finished with another payload"):
        ledger.finish("s", {"arm": "uniform"}, observations=[observation("b")])
    assert [item.key for item in ledger.observations()] == ["a"]


def test_a_key_is_there_once_whichever_stage_writes_it(ledger: Ledger) -> None:
    ledger.finish("s", observations=[observation("a", answer="first"), observation("a", answer="again")])
    ledger.finish("t", observations=[observation("a", answer="later"), observation("b")])
    assert [(item.key, item.answer) for item in ledger.observations()] == [("a", "first"), ("b", "no")]


def test_a_stage_that_cannot_be_written_leaves_nothing(ledger: Ledger) -> None:
    def broken():
        yield observation("a")
        raise KeyError("b")

    with pytest.raises(KeyError):
        ledger.finish("s", observations=broken())
    with pytest.raises(TypeError):
        ledger.finish("s", {"path": Path("x")}, observations=[observation("a")])
    assert ledger.done("s") is None
    assert ledger.observations() == []
    ledger.finish("s", observations=[observation("a")])


def test_a_mode_is_kept_in_its_latest_state_and_first_place(ledger: Ledger) -> None:
    ledger.finish("discover", modes=[mode("m1"), mode("m2")])
    ledger.put_modes([mode("m1", status="confirmed"), mode("m3")])
    ledger.finish("confirm", modes=[mode("m2", status="rejected")])
    assert [(item.id, item.status) for item in ledger.modes()] == [
        ("m1", "confirmed"),
        ("m2", "rejected"),
        ("m3", "suspected"),
    ]


def test_two_arms_may_share_a_sample(ledger: Ledger) -> None:
    ledger.finish("round-1/targeted", samples=[sample("a"), sample("b", purpose="retention", mode_id=None)])
    ledger.finish("round-1/uniform", samples=[sample("a")])
    assert [item.id for item in ledger.samples("round-1/targeted")] == ["a", "b"]
    assert [item.id for item in ledger.samples(stage_prefix="round-1/")] == ["a", "b", "a"]
    assert [item.id for item in ledger.samples(purpose="retention")] == ["b"]
    assert [item.id for item in ledger.samples(mode_id="m", stage="round-1/uniform")] == ["a"]


def test_observations_are_chosen_by_phase_and_outcome(ledger: Ledger) -> None:
    ledger.finish(
        "s", observations=[observation("a", phase="test/1"), observation("b", "correct", phase="test/2")]
    )
    ledger.finish("t", observations=[observation("c", phase="test%")])

    def keys(**conditions: str) -> list[str]:
        return [item.key for item in ledger.observations(**conditions)]

    assert keys(phase="test/1") == ["a"]
    assert keys(phase_prefix="test/") == ["a", "b"]
    assert keys(phase_prefix="test%") == ["c"]
    assert keys(outcome="failure") == ["a", "c"]
    assert keys(phase_prefix="test", outcome="failure") == ["a", "c"]
    assert keys(phase="nowhere") == []


def test_observations_can_be_read_one_after_the_other(ledger: Ledger) -> None:
    kinds = ("correct", "failure", "infrastructure")
    ledger.finish("s", observations=[observation(f"o{n}", kinds[n % 3]) for n in range(2500)])
    assert list(ledger.each_observation()) == ledger.observations()
    assert list(ledger.each_observation(outcome="failure")) == ledger.observations(outcome="failure")


def test_infrastructure_errors_are_counted_apart(ledger: Ledger) -> None:
    outcomes = ["correct"] * 3 + ["failure"] * 2 + ["invalid"] * 4 + ["infrastructure"]
    ledger.finish("s", observations=[observation(str(i), outcome) for i, outcome in enumerate(outcomes)])
    counts = ledger.counts()
    assert counts == Counts(correct=3, failure=2, invalid=4, infrastructure=1)
    assert (counts.valid, counts.questions) == (5, 10)
    assert ledger.counts("nowhere") == Counts()


def test_failures_are_counted_per_combination_of_skills(ledger: Ledger) -> None:
    tags = [("counting",), ("size", "colour"), ("colour", "size"), ("size",)]
    items: list[Observation] = [observation(str(i), tags={"skill": skill}) for i, skill in enumerate(tags)]
    ledger.finish("s", observations=[*items, observation("right", "correct"), observation("none", tags={})])
    assert list(ledger.skill_combinations().items()) == [
        ("colour+size", 2),
        ("", 1),
        ("counting", 1),
        ("size", 1),
    ]


def test_curves_come_back_by_stage_and_keep_nan(ledger: Ledger) -> None:
    ledger.finish("grpo/1", curve=[CurvePoint(0, "reward", 0.5), CurvePoint(1, "reward", math.nan)])
    ledger.finish("grpo/2", curve=[CurvePoint(0, "kl", 0.25)])
    first, second = ledger.curve("grpo/1")
    assert first == CurvePoint(step=0, name="reward", value=0.5, stage="grpo/1")
    assert math.isnan(second.value)
    assert [point.stage for point in ledger.curve(name="kl")] == ["grpo/2"]


class TestDamage:
    def test_a_file_that_is_no_ledger_is_a_clear_error(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.sqlite"
        path.write_bytes(b"this is not a database, it is a poem\n" * 100)
        for opening in (Ledger.open, Ledger.read):
            with pytest.raises(RunError, match="is damaged"):
                opening(path)
        assert path.read_bytes().startswith(b"this is not")

    def test_a_ledger_with_a_torn_page_is_a_clear_error(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.sqlite"
        with Ledger.open(path) as ledger:
            ledger.finish("s", observations=[observation(str(i)) for i in range(2_000)])
        data = bytearray(path.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 20_000] = bytes(20_000)
        path.write_bytes(data)
        for opening in (Ledger.open, Ledger.read):
            with pytest.raises(RunError, match="is damaged"):
                opening(path)

    def test_a_cut_off_ledger_is_a_clear_error(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.sqlite"
        with Ledger.open(path) as ledger:
            ledger.finish("s", observations=[observation(str(i)) for i in range(2_000)])
        path.write_bytes(path.read_bytes()[:50_000])
        with pytest.raises(RunError, match="is damaged"):
            Ledger.open(path)

    def test_a_ledger_of_another_version_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "ledger.sqlite"
        Ledger.open(path).close()
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 9")
        connection.close()
        for opening in (Ledger.open, Ledger.read):
            with pytest.raises(RunVersion, match="version 9; this Scotoma reads version 1"):
                opening(path)


def test_a_stage_can_write_new_tags_to_observations_that_are_there(ledger: Ledger) -> None:
    before = [observation("a", tags={"skill": ("counting",)}), observation("b", tags={"skill": ("colour",)})]
    ledger.finish("ask", observations=before)
    tagged = before[0].model_copy(update={"tags": {"skill": ("colour", "counting"), "topic": "cups"}})
    ledger.finish("topics", {"topics": 1}, retagged=[tagged])
    assert ledger.observations() == [tagged, before[1]]
    assert set(ledger.skill_combinations(outcome=tagged.outcome)) == {"colour+counting", "colour"}
    ledger.finish("topics", {"topics": 1}, retagged=before)
    assert ledger.observations() == [tagged, before[1]], "a finished stage writes nothing"


def test_new_tags_for_what_was_never_observed_add_nothing(ledger: Ledger) -> None:
    ledger.finish("topics", retagged=[observation("nobody")])
    assert ledger.observations() == []
