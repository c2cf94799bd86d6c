"""The plan of a run: what it will ask, judge, train and pay at the most, told before anything is spent."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.core import ConfigError, ImageError
from scotoma.discover.plan import REPLY_TOKENS, TEXT_TOKENS, UNCOUNTED, Plan, plan_discovery
from scotoma.discover.qualification import CHECKS, SMALLEST
from scotoma.discover.settings import (
    ConfirmSettings,
    DiscoverSettings,
    DiscoverySettings,
    JudgeSettings,
    TaggingSettings,
)
from scotoma.evolve.plan import plan_spiral
from scotoma.evolve.settings import EvolveSettings, RepairSettings
from scotoma.models.spec import parse_model_spec
from scotoma.store.configuration import load_settings
from scotoma.store.run import Run
from tests import photographs
from tests.discover.test_loop import PROOF, SETTINGS, finished

CONFIGS = Path(__file__).parents[2] / "configs"
HOSTED = "openai:m@http://localhost:1/v1?price_in=1&price_out=10"


def test_a_world_needs_no_judge() -> None:
    assert plan_discovery(DiscoverySettings()).total("judge") == 0


def test_calls_are_bounds_of_what_a_run_really_asks(tmp_path: Path) -> None:
    settings = DiscoverySettings(discover=SETTINGS, confirm=PROOF, candidate="tests.scripted:Candidate")
    plan = plan_discovery(settings)
    run: Run = finished(tmp_path / "run")
    of_a_stage = (["discover"], ["baseline"], ["confirm", "confirm-base"])
    rows = {row.stage: row for row in plan.rows}
    assert list(rows) == ["discover", "baseline", "confirm", "checks", "shrink"]
    for row, phases in zip(plan.rows, of_a_stage, strict=False):
        asked = sum(len(run.ledger.observations(phase)) for phase in phases)
        assert 0 < asked <= row.candidate
    for row, stage in ((rows["checks"], CHECKS), (rows["shrink"], SMALLEST)):
        told = run.ledger.done(stage)
        assert told is not None
        assert 0 < told["queries"] <= row.candidate
    assert plan.rows[0].candidate == len(run.ledger.observations("discover"))


def of_photos(folder: Path, candidate: str = HOSTED, **judge: object) -> DiscoverySettings:
    photographs.write(folder, 12)
    return DiscoverySettings(
        candidate=candidate,
        images=f"folder:{folder}",
        judge=JudgeSettings.model_validate({"model": "openai:j@http://localhost:2/v1", **judge}),
        discover=DiscoverSettings(questioner="openai:q@http://localhost:3/v1", reinforce=False, steps=2),
        confirm=ConfirmSettings(pool=1000),
    )


def photo_plan(folder: Path, candidate: str = HOSTED, **judge: object) -> Plan:
    return plan_discovery(of_photos(folder, candidate, **judge))


def test_photographs_cost_a_ruling_per_proposal_and_more_with_more_judges(tmp_path: Path) -> None:
    one, three = photo_plan(tmp_path), photo_plan(tmp_path, samples=3)
    assert one.rows[0].judge == one.rows[0].questioner + one.rows[0].candidate
    assert three.total("judge") == 3 * one.total("judge")


def test_a_tagger_is_asked_at_most_once_per_question_and_shown_no_picture(tmp_path: Path) -> None:
    plain = of_photos(tmp_path)
    tagged = plain.model_copy(update={"tagging": TaggingSettings(model=HOSTED)})
    assert plan_discovery(plain).total("tagger") == 0
    plan = plan_discovery(tagged)
    assert plan.total("tagger") == plan.total("questioner")
    assert plan.tokens["tagger"][0] == plan.total("tagger") * TEXT_TOKENS["tagger"]
    assert plan.cost["tagger"] > 0


def test_money_is_tokens_times_prices_where_prices_are_known(tmp_path: Path) -> None:
    plan = photo_plan(tmp_path)
    read, written = plan.tokens["candidate"]
    assert plan.cost == {"candidate": pytest.approx((read * 1 + written * 10) / 1e6)}


def test_all_the_thinking_that_an_endpoint_may_do_is_counted_and_paid(tmp_path: Path) -> None:
    plain = photo_plan(tmp_path)
    thinking = photo_plan(tmp_path, f"{HOSTED}&thinking_tokens=2048")
    calls, (read, written) = plain.total("candidate"), plain.tokens["candidate"]
    assert thinking.tokens["candidate"] == (read, written + 2048 * calls)
    assert thinking.cost["candidate"] == pytest.approx(plain.cost["candidate"] + 2048 * calls * 10 / 1e6)
    assert thinking.tokens["questioner"] == plain.tokens["questioner"]
    assert [note for note in thinking.notes if "thinking" in note]
    assert not [note for note in plain.notes if "thinking" in note]


def test_a_budget_that_would_stop_the_run_is_told(tmp_path: Path) -> None:
    cost = photo_plan(tmp_path, HOSTED).cost["candidate"]
    scarce = photo_plan(tmp_path, f"{HOSTED}&max_usd={cost / 2}")
    ample = photo_plan(tmp_path, f"{HOSTED}&max_usd={cost * 2}")
    assert scarce.cost == ample.cost
    assert [note for note in scarce.notes if note.startswith("candidate: max_usd=")]
    assert not [note for note in ample.notes if "max_usd" in note]


def test_of_several_judges_each_pays_for_its_own_thinking(tmp_path: Path) -> None:
    dear = "openai:k@http://localhost:4/v1?price_in=1&price_out=10&thinking_tokens=1000"
    plan = photo_plan(tmp_path, judges=[dear])  # beside one that neither thinks nor has a price
    calls, (read, written) = plan.total("judge"), plan.tokens["judge"]
    assert written == calls * (REPLY_TOKENS["judge"] + 500)
    paid = (read / 2 + calls / 2 * (REPLY_TOKENS["judge"] + 1000) * 10) / 1e6
    assert plan.cost["judge"] == pytest.approx(paid)


def test_the_thinking_of_the_agents_is_counted_too(tmp_path: Path) -> None:
    photographs.write(tmp_path, 12)
    config, own = CONFIGS / "photos-evolve.yaml", {"images": f"folder:{tmp_path}"}
    settings = load_settings(EvolveSettings, config, own)
    plan = plan_spiral(settings)
    for role in ("planner", "writer", "validator"):
        most = parse_model_spec(getattr(settings.generate, role)).served.thinking_tokens
        assert plan.tokens[role][1] == plan.total(role) * (REPLY_TOKENS[role] + most)
        assert most > 0


def test_memory_follows_from_the_weights_or_the_name() -> None:
    plan = plan_spiral(EvolveSettings(candidate="hf:Qwen/Qwen2.5-VL-7B-Instruct"))
    by_use = {(model.role, model.how): model for model in plan.memory}
    assert by_use["candidate", "answers"].parameters == 7_000_000_000
    answering, training = by_use["candidate", "answers"].bytes, by_use["candidate", "is trained"].bytes
    assert answering is not None
    assert training is not None
    assert 14e9 < answering < 20e9 < 110e9 < training
    assert 0.8e6 < (by_use["questioner", "is trained"].parameters or 0) < 5e6
    assert UNCOUNTED in plan.notes


def test_every_round_adds_its_training_and_its_examination() -> None:
    one, two = (plan_spiral(EvolveSettings(rounds=n)) for n in (1, 2))
    assert two.total("trained") == 2 * one.total("trained") > 0
    assert [row.stage for row in two.rows if row not in one.rows] == [
        "round 2: diagnose",
        "round 2: train 2 arms",
        "round 2: examine",
    ]


def test_what_is_rehearsed_is_asked_once_and_only_where_there_are_steps_for_it() -> None:
    plain, rehearsing, idle = (
        plan_spiral(EvolveSettings(repair=RepairSettings(**changed)))
        for changed in ({}, {"rehearsal": 500}, {"rehearsal": 500, "warm_start_steps": 0})
    )
    assert rehearsing.total("candidate") == plain.total("candidate") + 500
    assert idle.total("candidate") == plain.total("candidate")


def test_what_a_run_would_refuse_is_not_planned(tmp_path: Path) -> None:
    settings = of_photos(tmp_path)
    with pytest.raises(ConfigError, match="carry no facts"):
        plan_discovery(settings.model_copy(update={"judge": JudgeSettings()}))
    with pytest.raises(ConfigError, match="cannot ask about folder:"):
        plan_discovery(settings.model_copy(update={"discover": DiscoverSettings()}))
    learning = settings.discover.model_copy(update={"reinforce": True})
    with pytest.raises(ConfigError, match="add --frozen"):
        plan_discovery(settings.model_copy(update={"discover": learning}))
    measured = settings.judge.model_copy(update={"calibration": tmp_path / "nowhere.json"})
    with pytest.raises(ConfigError, match=r"judge\.calibration: cannot read"):
        plan_discovery(settings.model_copy(update={"judge": measured}))


def test_images_that_are_not_there_are_refused() -> None:
    with pytest.raises(ImageError, match="no folder"):
        plan_discovery(DiscoverySettings(images="folder:/nowhere"))


def test_an_explorer_gets_the_pictures_that_its_questions_need() -> None:
    few = DiscoverSettings(explore=1.0, queries=100, wishes=("counting", "reading"))
    # Templates propose ten questions about a picture, the questioner one for each wish; four for each one asked.
    assert (few.explored_images(world=True), few.explored_images(world=False)) == (40, 200)
