"""The benchmark of discovery on a candidate whose blind spots are written down: what counts as found, and when."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from scotoma.bench import discovery, discovery_table, study
from scotoma.bench.discovery import Case, Outcome, Remembering, looks, open_case, run
from scotoma.bench.methods import METHODS
from scotoma.bench.truth import Region, Truth
from scotoma.core import ConfigError, Rate, Reply, Request
from tests.scripted import BLIND_SPOTS, Candidate


def rate(value: float) -> Rate:
    return Rate(value=value, low=value, high=value, n=100)


def truth(after: float = 0.2) -> Truth:
    return Truth(
        candidate="tests.scripted:Candidate",
        images="worlds:shapes",
        seed=0,
        regions=tuple(
            Region(predicate=spot, prevalence=rate(0.03), before=rate(1.0), after=rate(after))
            for spot in BLIND_SPOTS
        ),
        outside_before=rate(1.0),
        outside_after=rate(1.0),
        agreement=rate(1.0),
        seconds=0.0,
    )


@pytest.fixture(scope="module")
def case() -> Case:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "HELD_OUT", 3000)
        patch.setattr(discovery, "FRESH", 3000)
        return open_case("tests.scripted:Candidate", truth())


@pytest.fixture(scope="module")
def uniform(case: Case) -> Outcome:
    return run(case, "uniform", seed=0, queries=2000)


def test_uniform_questions_find_wide_regions(uniform: Outcome) -> None:
    assert uniform.recall == 1
    assert uniform.precision >= 0.8
    assert uniform.queries == 2000
    assert 0 < uniform.failures < 400


def test_a_region_is_found_when_it_is_first_named(uniform: Outcome) -> None:
    assert set(uniform.found.values()) <= set(looks(2000))
    assert uniform.queries_to(0.01) == min(count for count in uniform.found.values() if count is not None)
    assert uniform.queries_to(1.0) == max(count for count in uniform.found.values() if count is not None)


def test_the_same_seed_asks_and_finds_the_same(case: Case, uniform: Outcome) -> None:
    again = run(case, "uniform", seed=0, queries=2000)
    assert again.model_copy(update={"seconds": 0}) == uniform.model_copy(update={"seconds": 0})


def test_where_the_candidate_is_not_blind_there_is_nothing_to_find(case: Case) -> None:
    sighted = Case(truth(after=0.9), case.world, case.candidate, case.held_out, case.fresh)
    assert sighted.predicates == []


def test_nothing_is_asked_twice() -> None:
    class Counting(Candidate):
        asked = 0

        def answer(self, requests: object) -> list[Reply]:
            Counting.asked += len(requests)  # type: ignore[arg-type]  # a sequence
            return super().answer(requests)  # type: ignore[arg-type]

    case = open_images_case()
    requests = [Request((item.image,), item.question) for item in case]
    model = Remembering(Counting())
    assert model.answer(requests) == model.answer(requests[::-1])[::-1]
    assert Counting.asked == len({(r.images[0].id, r.text) for r in requests})


def open_images_case() -> list[discovery.Item]:
    from scotoma.bench.drill import survey
    from scotoma.images.spec import open_images

    world = open_images("worlds:shapes")
    return list(survey(world, [], "test", 3, enough=0, least=24).uniform)  # type: ignore[arg-type]  # a world


def outcome(method: str, seed: int, first: list[int | None], spilled: tuple[str, ...] = ()) -> Outcome:
    found = dict(zip((str(spot) for spot in BLIND_SPOTS), first, strict=True))
    return Outcome(
        method=method, planting=truth().digest, planted_set=0, seed=seed, found=found,
        named=tuple(name for name, count in found.items() if count is not None),
        spilled=spilled, modes=4, planted=2, native=1, queries=2000, failures=200, failing_skills=5,
        failing_combinations=9, effective_combinations=6.5, seconds=3.0,
    )  # fmt: skip


def test_queries_to_a_share_of_the_regions() -> None:
    found = outcome("uniform", 0, [500, None, 1500])
    assert found.recall == pytest.approx(2 / 3)
    assert found.precision == 0.75
    assert (found.queries_to(1 / 3), found.queries_to(0.6), found.queries_to(0.8)) == (500, 1500, None)


def test_a_region_that_spilled_over_counts_apart() -> None:
    found = outcome("uniform", 0, [500, None, 1500], spilled=(str(BLIND_SPOTS[1]),))
    assert found.recall == 1
    assert found.recall_all == pytest.approx(2 / 3)
    assert found.queries_to(0.8) == 1500


def test_the_figures_compare_methods_run_by_run() -> None:
    outcomes = [
        *(outcome("scotoma", seed, [250, 250, 500]) for seed in (0, 1)),
        *(outcome("uniform", seed, [1000, None, 1500]) for seed in (0, 1)),
    ]
    result = study.summarise([truth()], outcomes, ("scotoma", "uniform"), 2000)
    assert result.methods["scotoma"].recall.value == 1
    assert result.methods["uniform"].reached_80.value == 0
    # A run that never got there counts with its budget: 2000 / 500.
    assert result.queries_ratio["uniform"].value == pytest.approx(4)
    assert result.recall_gain["uniform"].value == pytest.approx(1 / 3)
    assert {region.found_by["uniform"] for region in result.planted} == {0.0, 1.0}
    console = Console(width=120)
    with console.capture() as capture:
        console.print(discovery_table.table(result))
    assert "uniform needs 4.00" in " ".join(capture.get().split())


def test_a_run_that_ran_out_of_questions_counts_with_the_whole_budget() -> None:
    short = outcome("paper", 0, [500, None, None]).model_copy(update={"queries": 900})
    result = study.summarise(
        [truth()], [short, outcome("scotoma", 0, [500, 500, 500])], ("scotoma", "paper"), 2000
    )
    assert result.methods["paper"].queries_to_80.value == pytest.approx(2000)
    assert result.queries_ratio["paper"].value == pytest.approx(4)


def test_the_curve_says_what_share_of_the_sharp_regions_had_been_named_by_then() -> None:
    outcomes = [
        outcome("uniform", 0, [250, 400, 1500], spilled=(str(BLIND_SPOTS[1]),)),
        outcome("uniform", 1, [600, 400, None], spilled=(str(BLIND_SPOTS[1]),)),
    ]
    result = study.summarise([truth()], outcomes, ("uniform",), 2000)
    curve = result.methods["uniform"].curve
    assert {count: share.value for count, share in curve.items()} == {
        250: 0.25,
        500: 0.25,
        1000: 0.5,
        2000: 0.75,
    }
    console = Console(width=120)
    with console.capture() as capture:
        console.print(discovery_table.curve_table(result))
    assert "2,000" in capture.get()


def test_every_method_is_held_against_the_papers_run_by_run() -> None:
    runs = {"paper": (200, 20.0), "no-curriculum": (150, 12.0)}
    outcomes = [
        outcome(method, seed, [500, 500, None]).model_copy(
            update={"failures": failures + seed, "effective_combinations": effective}
        )
        for method, (failures, effective) in runs.items()
        for seed in (0, 1)
    ]
    result = study.summarise([truth()], outcomes, ("paper", "no-curriculum"), 2000)
    assert set(result.effects) == {"no-curriculum"}
    effect = result.effects["no-curriculum"]
    assert effect.failure_rate.value == pytest.approx(-50 / outcomes[0].queries)
    assert effect.effective_combinations.value == pytest.approx(-8)
    assert (effect.recall.value, effect.recall.n) == (0, 2)
    console = Console(width=160)
    with console.capture() as capture:
        console.print(discovery_table.effects_table(result))
    assert "-8.0" in capture.get()
    alone = study.summarise([truth()], outcomes[:2], ("paper",), 2000)
    assert discovery_table.effects_table(alone) is None


def test_what_leaves_out_a_part_of_the_harvest_is_held_against_the_harvest() -> None:
    failures = {"harvest": 900, "harvest-frozen": 800, "paper": 500}
    outcomes = [
        outcome(method, seed, [500, 500, None]).model_copy(update={"failures": failed})
        for method, failed in failures.items()
        for seed in (0, 1)
    ]
    result = study.summarise([truth()], outcomes, tuple(failures), 2000)
    against = {method: effect.against for method, effect in result.effects.items()}
    assert against == {"harvest": "paper", "harvest-frozen": "harvest"}
    assert result.effects["harvest-frozen"].failure_rate.value == pytest.approx(-100 / outcomes[0].queries)


def test_every_ablation_of_the_harvest_changes_one_setting() -> None:
    whole = METHODS["harvest"].settings
    assert whole is not None
    for name, method in METHODS.items():
        if method.against == "harvest":
            assert method.settings is not None
            changed = {
                key for key, value in method.settings.model_dump().items() if value != whole.model_dump()[key]
            }
            assert len(changed) == 1, (name, changed)


def test_a_study_that_was_stopped_asks_only_what_is_missing(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(study, "open_case", lambda spec, known: opened.append(spec) or case)
    planted = [("tests.scripted:Candidate", truth())]
    first = study.examine(planted, tmp_path, seeds=1, queries=500, methods=("uniform",))
    again = study.examine(planted, tmp_path, seeds=1, queries=500, methods=("uniform",))
    assert first == again
    assert len(opened) == 1


def test_a_candidate_without_a_sharp_region_is_left_out_and_told(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "open_case", lambda spec, known: case)
    sighted, blind = ("tests.scripted:Candidate", truth(after=0.9)), ("tests.scripted:Candidate", truth())
    result = study.examine([sighted, blind], tmp_path, seeds=1, queries=500, methods=("uniform",))
    assert (result.sets, result.left_out) == (1, 1)
    assert {region.planted_set for region in result.planted} == {1}
    console = Console(width=120)
    with console.capture() as capture:
        console.print(discovery_table.table(result))
    assert "1 planted sets (1 more without a sharp region)" in " ".join(capture.get().split())
    with pytest.raises(ConfigError, match="nothing to find"):
        study.examine([sighted], tmp_path, seeds=1, queries=500, methods=("uniform",))


def test_a_method_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no method 'luck'"):
        study.examine([], tmp_path, seeds=1, queries=500, methods=("luck",))
    with pytest.raises(ConfigError, match="no method 'luck'"):
        study.measure(tmp_path, methods=("luck",))
    assert not list(tmp_path.iterdir())


def test_the_paper_s_method_asks_all_that_it_proposes_and_has_no_surrogate() -> None:
    default, paper = METHODS["harvest"].settings, METHODS["paper"].settings
    assert default is not None
    assert paper is not None
    assert paper.reinforce
    assert paper.embedder == "minilm"  # the paper's novelty is one of meaning
    # Nothing is proposed that is not asked: a reward that is missing teaches nothing.
    assert paper.images * paper.wishes_per_image * paper.group_size * paper.turns == paper.queries
    assert paper == default.model_copy(
        update={
            "surrogate": False,
            "reward": default.reward.model_copy(update={"surrogate": False}),
            "embedder": "minilm",
            "images": paper.images,
            "wishes_per_image": paper.wishes_per_image,
        }
    )
