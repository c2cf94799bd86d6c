"""Planted blind spots are found, named by what makes them, and proved on images that nobody looked at before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scotoma.core import Calibration, Discernment, FailureMode, Observation, Predicate, Tags, Verdict
from scotoma.diagnose.conditions import members, tabulate
from scotoma.diagnose.modes import ModeSearch, confirm, suspect
from scotoma.diagnose.prevalence import true_rate
from scotoma.diagnose.statistics import wilson
from tests.tagworld import ask, draw_tags, observation

PLANTED = {
    "skill=counting and colour=blue and count>=2": 0.85,
    "shape=star and relation=above": 0.75,
    "type=read and background=stripes": 0.8,
    "type=size and colour=green and things>=7": 0.9,
}


def jaccard(one: Predicate, other: Predicate, rows: list[Observation]) -> float:
    a, b = (members(predicate, (row.tags for row in rows)) for predicate in (one, other))
    return float(np.sum(a & b) / max(1, np.sum(a | b)))


@pytest.fixture(scope="module")
def held_out() -> list[Observation]:
    return ask(4000, seed=900, regions=PLANTED, name="held")


@pytest.fixture(scope="module")
def found() -> list[FailureMode]:
    asked = ask(4000, seed=1, regions=PLANTED)
    return suspect(asked, uniform=asked)


class TestSuspect:
    @pytest.mark.parametrize("planted", PLANTED)
    def test_every_planted_region_is_found(
        self, planted: str, found: list[FailureMode], held_out: list[Observation]
    ) -> None:
        where = Predicate.parse(planted)
        assert max(jaccard(mode.predicate, where, held_out) for mode in found) >= 0.5

    def test_the_planted_regions_come_first(
        self, found: list[FailureMode], held_out: list[Observation]
    ) -> None:
        planted = [Predicate.parse(text) for text in PLANTED]
        for mode in found[: len(planted)]:
            assert max(jaccard(mode.predicate, where, held_out) for where in planted) >= 0.5

    def test_a_mode_says_what_it_is(self, found: list[FailureMode], held_out: list[Observation]) -> None:
        where = Predicate.parse("skill=counting and colour=blue and count>=2")
        mode = max(found, key=lambda mode: jaccard(mode.predicate, where, held_out))
        assert mode.status == "suspected"
        assert mode.suspected_rate is not None
        assert mode.suspected_rate.value == pytest.approx(0.85, abs=0.15)
        assert mode.prevalence == pytest.approx(0.009, abs=0.006)
        share = mode.prevalence_rate
        assert share is not None
        assert (share.value, share.n) == (mode.prevalence, 4000)
        assert share.low < share.value < share.high
        assert "counting" in mode.skills
        assert len(mode.examples) == 6
        assert "blue things when the answer is" in mode.description

    def test_ids_depend_on_the_predicate_alone(self, found: list[FailureMode]) -> None:
        again = suspect(ask(4000, seed=2, regions=PLANTED))
        same = {str(mode.predicate): mode.id for mode in found}
        common = [mode for mode in again if str(mode.predicate) in same]
        assert common
        assert all(mode.id == same[str(mode.predicate)] for mode in common)

    def test_a_wide_mode_and_a_much_worse_one_inside_it_are_both_named(
        self, held_out: list[Observation]
    ) -> None:
        nested = {"skill=negation": 0.45, "skill=negation and colour=red": 0.95}
        modes = suspect(ask(4000, seed=3, regions=nested))
        for text in nested:
            assert max(jaccard(mode.predicate, Predicate.parse(text), held_out) for mode in modes) >= 0.6

    def test_a_narrow_mode_is_not_blown_up_to_the_skill_around_it(self, held_out: list[Observation]) -> None:
        modes = suspect(ask(4000, seed=4, regions={"type=read and background=stripes": 0.95}))
        wide = Predicate.parse("type=read")
        assert max(jaccard(mode.predicate, wide, held_out) for mode in modes) < 0.5

    def test_no_condition_is_idle_and_no_two_modes_are_the_same(self, found: list[FailureMode]) -> None:
        rows = ask(4000, seed=1, regions=PLANTED)
        failed = np.array([row.outcome == "failure" for row in rows])
        tags = [row.tags for row in rows]
        for mode in found:
            inside = members(mode.predicate, tags)
            assert np.sum(inside & failed) >= 10
            for dropped in mode.predicate.conditions:
                kept = tuple(c for c in mode.predicate.conditions if c != dropped)
                rest = members(Predicate(conditions=kept), tags) & ~inside
                assert failed[inside].mean() > failed[rest].mean()
        pairs = [(a, b) for a in found for b in found if a.id < b.id]
        assert all(jaccard(a.predicate, b.predicate, rows) < 0.6 for a, b in pairs)

    def test_rates_are_corrected_for_selection(self, held_out: list[Observation]) -> None:
        random = np.random.default_rng(5)
        asked = []
        for row in ask(9000, seed=6, base=0.1, regions={"type=read": 0.4, "type=read and things>=7": 0.9}):
            chance = 0.9 if int(str(row.tags["things"])) >= 7 else 0.15
            if random.random() < chance:
                asked.append(row.model_copy(update={"selection": chance}))
        picked = np.mean([row.outcome == "failure" for row in asked if row.tags["type"] == "read"])
        reading = Predicate.parse("type=read")
        whole = max(suspect(asked), key=lambda mode: jaccard(mode.predicate, reading, held_out))
        assert picked > 0.68
        assert whole.suspected_rate is not None
        assert whole.suspected_rate.value == pytest.approx(0.4 * 5 / 7 + 0.9 * 2 / 7, abs=0.08)

    def test_a_suspected_rate_is_of_uniform_questions_or_of_the_questioners_and_never_of_both(self) -> None:
        planted = {"type=read": 0.9}
        picked = [
            row.model_copy(update={"selection": 0.1}) for row in ask(3000, seed=9, regions=planted, name="q")
        ]
        uniform = ask(1200, seed=10, base=0.05, regions={"type=read": 0.4}, name="u")
        reading = {row.key for row in uniform if row.tags["type"] == "read"}
        mode = max(
            suspect([*picked, *uniform], uniform=uniform),
            key=lambda mode: jaccard(mode.predicate, Predicate.parse("type=read"), picked),
        )
        assert mode.suspected_rate is not None
        assert (mode.suspected_rate_of, mode.suspected_rate.n) == ("uniform", len(reading))
        assert mode.suspected_rate.value == pytest.approx(0.4, abs=0.08)
        few = [row for row in uniform if row.key not in reading or int(row.key.split("/")[1]) < 40]
        rare = next(m for m in suspect([*picked, *few], uniform=few) if m.predicate == mode.predicate)
        assert rare.suspected_rate is not None
        assert rare.suspected_rate_of == "questioner"
        assert rare.suspected_rate.value == pytest.approx(0.9, abs=0.05)

    def test_invalid_questions_and_infrastructure_errors_are_no_failures(self) -> None:
        rows = ask(1200, seed=7)
        noise = [
            row.model_copy(update={"key": f"x{row.key}", "verdict": verdict})
            for row in rows
            if row.tags["type"] == "read"
            for verdict in (Verdict(valid=False, reason="ambiguous"), Verdict(valid=True, error="timeout"))
        ]
        assert suspect(rows + noise) == suspect(rows)

    def test_a_handful_of_failures_is_no_mode(self) -> None:
        rows = [observation(str(i), str(i), {"skill": ("reading",)}, failed=i < 9) for i in range(100)]
        assert suspect(rows) == []

    def test_settings_bound_the_number_and_the_length_of_the_modes(self) -> None:
        rows = ask(4000, seed=8, regions=PLANTED)
        modes = suspect(rows, ModeSearch(max_modes=2, max_conditions=1))
        assert 1 <= len(modes) <= 2
        assert all(len(mode.predicate.conditions) == 1 for mode in modes)

    def test_ignored_tags_name_nothing(self) -> None:
        modes = suspect(
            ask(4000, seed=9, regions=PLANTED), ModeSearch(ignore=frozenset({"background", "colour"}))
        )
        assert modes
        named = {condition.key for mode in modes for condition in mode.predicate.conditions}
        assert named.isdisjoint({"background", "colour"})


class TestConfirm:
    def test_planted_modes_are_confirmed_and_what_is_none_is_rejected(
        self, found: list[FailureMode], held_out: list[Observation]
    ) -> None:
        idle = Predicate.parse("type=colour and background=dots")
        planted = [
            mode
            for mode in found
            if any(jaccard(mode.predicate, Predicate.parse(text), held_out) >= 0.5 for text in PLANTED)
        ]
        judged = confirm([*planted, FailureMode(id="idle", predicate=idle, description="")], held_out)
        assert [mode.status for mode in judged] == ["confirmed"] * len(planted) + ["rejected"]
        for mode in judged:
            assert mode.p_value is not None
            assert mode.q_value is not None
            assert mode.q_value >= mode.p_value

    def test_the_base_is_the_uniform_questions_outside_the_mode(self) -> None:
        mode = FailureMode(id="m", predicate=Predicate.parse("type=read"), description="")
        uniform = ask(3000, seed=10, regions={"type=read": 0.8}, name="uniform")
        aimed = [row for row in ask(3000, seed=11, regions={"type=read": 0.8}) if row.tags["type"] == "read"]
        [judged] = confirm([mode], aimed, uniform)
        assert judged.failure_rate is not None
        assert judged.base_rate is not None
        reading = [row for row in uniform if row.tags["type"] == "read"]
        assert judged.failure_rate.n == len(aimed) + len(reading)
        assert judged.base_rate.n == len(uniform) - len(reading)
        assert judged.failure_rate.value == pytest.approx(0.8, abs=0.05)
        assert judged.base_rate.value == pytest.approx(0.12, abs=0.03)

    def test_a_mode_that_is_better_than_the_base_is_rejected(self) -> None:
        mode = FailureMode(id="m", predicate=Predicate.parse("type=read"), description="")
        [judged] = confirm([mode], ask(1200, seed=12, base=0.5, regions={"type=count": 0.9}))
        assert judged.status == "rejected"

    def test_a_mode_without_fresh_questions_is_rejected(self) -> None:
        mode = FailureMode(id="m", predicate=Predicate.parse("type=juggling"), description="")
        [judged] = confirm([mode], ask(300, seed=13))
        assert (judged.status, judged.p_value) == ("rejected", 1.0)

    def test_members_that_were_kept_for_a_louder_mode_say_nothing_of_a_mode_around_it(self) -> None:
        """Questions are collected until each mode has enough: after that, of a wide mode only its loud part comes."""
        loud, wide = Predicate.parse("type=count and things>=6"), Predicate.parse("things>=6")
        modes = [FailureMode(id=str(p), predicate=p, description="") for p in (loud, wide)]
        each, confirmed = 60, {True: 0, False: 0}
        for seed in range(30, 38):
            uniform = ask(900, seed, regions={"type=count": 0.8}, name="uniform")
            stream = ask(2400, seed + 100, regions={"type=count": 0.8})
            kept, wanted = [], {loud: each, wide: each}
            for row in stream:
                inside = [p for p in wanted if p.matches(row.tags)]
                if any(wanted[p] > 0 for p in inside):
                    kept.append(row)
                    wanted.update({p: wanted[p] - 1 for p in inside})
            for fair in (True, False):
                judged = confirm(modes, kept, uniform, each=each if fair else None)
                assert judged[0].status == "confirmed"
                confirmed[fair] += judged[1].status == "confirmed"
        assert confirmed[True] <= 1
        assert confirmed[False] >= 5

    def test_lost_answers_let_no_late_member_in(self) -> None:
        """Of the first hundred of a wide mode, which fails no more than all else, 40 time out."""

        def row(key: str, outcome: str, **tags: str) -> Observation:
            verdict = Verdict(valid=True, error="timeout")
            if outcome != "lost":
                verdict = Verdict(valid=True, correct=float(outcome == "right"), decided_by="facts")
            return Observation(
                key=key, phase="confirm", image_id=key, question="?", verdict=verdict, tags=tags
            )

        often = ["wrong" if i % 10 == 0 else "right" for i in range(1000)]
        first = [row(f"w{i}", "lost" if i < 40 else often[i], shape="star") for i in range(100)]
        late = [row(f"l{i}", "wrong", shape="star", colour="red") for i in range(100)]
        uniform = [row(f"u{i}", outcome, shape="circle") for i, outcome in enumerate(often)]
        modes = [
            FailureMode(id=where, predicate=Predicate.parse(where), description="")
            for where in ("shape=star", "colour=red")
        ]
        wide, loud = confirm(modes, [*first, *late], uniform, each=100)
        assert (wide.status, loud.status) == ("rejected", "confirmed")
        assert wide.failure_rate is not None
        assert (wide.failure_rate.value, wide.failure_rate.n) == (pytest.approx(0.1), 60)

    def test_without_blind_spots_hardly_anything_is_ever_confirmed(self) -> None:
        names = ("skill=counting", "skill=colour", "skill=reading", "colour=red", "colour=blue", "shape=star")
        modes = [FailureMode(id=n, predicate=Predicate.parse(n), description=n) for n in names]
        runs: list[list[FailureMode]] = []
        for seed in range(20, 32):
            random = np.random.default_rng(seed)
            for base in (0.1, 0.9):
                asked = [
                    observation(question.key, question.image_id, question.tags, failed=random.random() < base)
                    for question in ask(1500, seed)
                ]
                runs.append(confirm(modes, asked))
        assert all(mode.failure_rate and mode.failure_rate.n > 20 for modes in runs for mode in modes)
        # At 5 % each, five or more of 24 runs come once in 150 times.
        assert sum(any(mode.status == "confirmed" for mode in modes) for modes in runs) <= 4


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_every_column_of_the_table_is_what_its_condition_says(seed: int) -> None:
    random = np.random.default_rng(seed)
    tags = draw_tags(120, random)
    failed = random.random(120) < 0.5
    table = tabulate(tags, failed, minimum=5, cuts=3)
    for column, condition in enumerate(table.conditions):
        assert table.members[:, column].tolist() == [condition.matches(tag) for tag in tags]
        assert np.sum(table.members[:, column] & failed) >= 5


def test_values_that_are_written_alike_are_one_condition() -> None:
    levels: list[bool | int | str] = ["3", 3, "true", True, 1, "1", 2, "07", 7] * 10
    tags: list[Tags] = [{"level": level} for level in levels]
    table = tabulate(tags, np.ones(len(tags), dtype=bool), minimum=1)
    equal = [condition for condition in table.conditions if condition.op == "="]
    assert len(equal) == len(set(map(str, equal))) == 6
    for column, condition in enumerate(table.conditions):
        if condition.op == "=":
            assert table.members[:, column].tolist() == [condition.matches(tag) for tag in tags]


class TestCalibratedJudge:
    """Rates are corrected for the judge's errors, and the apparent ones kept; what is confirmed stays the same."""

    JUDGE = Discernment(sensitivity=wilson(90, 100), specificity=wilson(95, 100))

    def confirmed(
        self, calibration: Calibration | None, decided_by: str = "judge"
    ) -> tuple[FailureMode, FailureMode]:
        mode = FailureMode(id="m", predicate=Predicate.parse("type=count"), description="counting")
        rows = []
        for i in range(400):
            kind = "count" if i % 4 == 0 else "colour"
            failed = i % (8 if kind == "count" else 9) == 0
            row = observation(f"k{i}", f"i{i}", {"type": kind}, failed=failed)
            verdict = row.verdict.model_copy(update={"decided_by": decided_by})
            rows.append(row.model_copy(update={"verdict": verdict}))
        [plain], [corrected] = confirm([mode], rows), confirm([mode], rows, calibration=calibration)
        return plain, corrected

    def calibration(self) -> Calibration:
        return Calibration(
            judge="j", prompts={}, measured_on="labels", made="2026-01-01T00:00:00Z", items=400,
            validity=self.JUDGE, correctness=self.JUDGE,
        )  # fmt: skip

    def test_both_rates_are_corrected_and_the_apparent_ones_kept(self) -> None:
        plain, corrected = self.confirmed(self.calibration())
        assert plain.failure_rate is not None
        assert plain.base_rate is not None
        assert (corrected.apparent_failure_rate, corrected.apparent_base_rate) == (
            plain.failure_rate,
            plain.base_rate,
        )
        assert corrected.failure_rate == true_rate(plain.failure_rate, self.JUDGE)
        assert corrected.base_rate == true_rate(plain.base_rate, self.JUDGE)
        assert (
            (corrected.status, corrected.q_value)
            == (plain.status, plain.q_value)
            == ("confirmed", plain.q_value)
        )

    def test_facts_need_no_correction(self) -> None:
        plain, corrected = self.confirmed(self.calibration(), decided_by="facts")
        assert corrected == plain
        assert corrected.apparent_failure_rate is None


class TestForm:
    """How long a question is names a mode only where nothing that it asks about explains it nearly as well."""

    # Few wordings, so that each has a length of its own: nine words are `counting` where something is `left`.
    WORDINGS = (
        ({"skill": ("counting",), "relation": ()}, 5, 0.1),
        ({"skill": ("counting",), "relation": ("left",)}, 9, 0.9),
        ({"skill": ("existence",), "relation": ("left",)}, 7, 0.1),
        ({"skill": ("colour",), "relation": ()}, 6, 0.1),
    )

    def rows(self, n: int = 1200) -> list[Observation]:
        random = np.random.default_rng(0)
        rows = []
        for i in range(n):
            tags, words, rate = self.WORDINGS[i % len(self.WORDINGS)]
            failed = bool(random.random() < rate)
            rows.append(observation(f"k{i}", f"i{i}", {**tags, "words": words}, failed=failed))
        return rows

    def test_content_goes_before_length_where_both_say_the_same(self) -> None:
        [mode] = suspect(self.rows())
        assert str(mode.predicate) == "skill=counting and relation=left"

    def test_with_equal_standing_the_length_would_have_been_the_name(self) -> None:
        [mode] = suspect(self.rows(), ModeSearch(form_weight=1.0))
        assert "words" in str(mode.predicate)

    def test_where_only_the_length_explains_it_still_names_the_mode(self) -> None:
        random = np.random.default_rng(1)
        rows = [
            observation(
                f"k{i}",
                f"i{i}",
                {"skill": ("counting",), "words": words},
                failed=bool(random.random() < rate),
            )
            for i in range(900)
            for words, rate in [(4 + i % 9, 0.9 if i % 9 >= 6 else 0.1)]
        ]
        [mode] = suspect(rows)
        assert str(mode.predicate) == "words>=10"


def crowded(seed: int) -> list[Observation]:
    """Two blind spots in one skill: 200 questions drawn blindly, and 300 that followed leads into them."""
    random = np.random.default_rng(seed)
    rows: list[Observation] = []
    while len(rows) < 500:
        tags = {
            "skill": str(random.choice(["shape", "colour", "size", "count"])),
            "tint": str(random.choice(["red", "green", "blue"])),
            "place": str(random.choice(["left", "right", "top"])),
        }
        inside = tags["skill"] == "shape" and (tags["tint"] == "red" or tags["place"] == "left")
        led = len(rows) >= 200
        if led and not inside:
            continue
        right = float(random.random() > (0.9 if inside else 0.1))
        verdict = Verdict(valid=True, correct=right, truth="x", decided_by="facts")
        rows.append(
            Observation(
                key=str(len(rows)),
                phase="discover",
                image_id=str(len(rows)),
                question="",
                verdict=verdict,
                tags=tags,
                selection=1.0 if led else 0.125,
            )
        )
    return rows


def test_questions_that_crowd_into_two_blind_spots_do_not_make_one_wide_mode_of_them() -> None:
    both = {"skill=shape and place=left", "skill=shape and tint=red"}
    for seed in (0, 2, 3):
        rows = crowded(seed)
        assert [str(m.predicate) for m in suspect(rows, ModeSearch(most_trust=1))] == ["skill=shape"]
        assert {str(m.predicate) for m in suspect(rows, ModeSearch(most_trust=3))} == both
