"""A world's five agents make a spiral's samples: aimed ones sample by sample, the rest what the control begins with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from scotoma.core import ConfigError, Observation, Predicate, Verdict
from scotoma.diagnose import mixture as mixtures
from scotoma.discover.progress import silent
from scotoma.discover.settings import DiscoverySettings
from scotoma.evolve.diagnosis import Diagnosis
from scotoma.evolve.examination import Examination
from scotoma.evolve.plan import plan_spiral
from scotoma.evolve.settings import EvolveSettings, RepairSettings
from scotoma.evolve.spiral import open_resources
from scotoma.evolve.supply import supply
from scotoma.evolve.workshop import Policy, Workshop
from scotoma.generate.settings import CheckSettings, GenerateSettings
from scotoma.generate.standards import leakage_of
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store.run import Run
from tests import photographs
from tests.generate.agents import MODE

WORLD = ShapesWorld()
COUNTING = MODE.model_copy(update={"predicate": Predicate.parse("skill=counting and answer=2")})
SETTINGS = EvolveSettings(generate=GenerateSettings(agents="exact"), repair=RepairSettings(samples=48))
BASE = Policy("base", "pupil")
UNIFORM = Diagnosis(mixture=mixtures.uniform(48))
TARGETED = Diagnosis(mixture=mixtures.targeted([COUNTING], 48))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """A run in which every question about two things that are counted failed."""
    shown = list(islice(WORLD.images("discover", 0), 80))
    failures = []
    for n, image in enumerate(shown):
        assert image.facts is not None
        for question in WORLD.questions(image.facts, n, 8):
            examined = image.facts.examine(question)
            if COUNTING.predicate.matches(examined.tags):
                wrong = Verdict(valid=True, correct=0.0, truth=examined.answer, decided_by="executor")
                failures.append(
                    Observation(
                        key=f"discover/{n}/{question}", phase="discover", image_id=image.id, question=question,
                        answer="?", verdict=wrong, tags=examined.tags, asked_by="template", candidate="pupil",
                    )
                )  # fmt: skip
    resources = open_resources(SETTINGS)
    with Run.open(tmp_path / "run", command="evolve", config={}) as run:
        run.images.put_all(shown)
        run.ledger.finish("discover/0000", observations=failures, images=shown)
        leakage = leakage_of(run, resources.source, SETTINGS.generate, 0)
        nothing = Examination((), ())
        yield Workshop(
            run, resources.source, SETTINGS, (COUNTING,), nothing, nothing, silent, resources.crew, leakage
        )


def test_aimed_samples_are_the_agents_and_retention_is_the_beginning_of_the_control(shop: Workshop) -> None:
    targeted = supply(shop, TARGETED, "targeted", BASE, 1)
    uniform = supply(shop, UNIFORM, "uniform", BASE, 1)
    assert len(targeted.samples) == len(uniform.samples) == 48
    aimed = [sample for sample in targeted.samples if sample.mode_id == COUNTING.id]
    assert {sample.provenance["made_by"] for sample in aimed} == {"agents:exact"}
    assert {sample.purpose for sample in aimed} == {"mode", "contrast"}
    kept = [sample.id for sample in targeted.samples if sample.purpose == "retention"]
    assert kept == [sample.id for sample in uniform.samples][: len(kept)]
    assert len(aimed) + len(kept) == 48


def test_every_answer_is_that_of_its_picture_and_a_near_miss_has_another_than_the_mode(
    shop: Workshop,
) -> None:
    held_out = {entry.id for entry in shop.run.ledger.images("discover")}
    made = supply(shop, TARGETED, "targeted", BASE, 1)
    for sample in made.samples:
        facts = made.images[sample.image_id].facts
        assert facts is not None
        assert facts.examine(sample.question).answer == sample.answer
        assert sample.image_id not in held_out
        if sample.purpose == "mode":
            assert sample.answer == "2"
        elif sample.purpose == "contrast":
            assert sample.answer != "2"


def test_what_was_made_before_a_stop_is_not_made_again(shop: Workshop) -> None:
    first = supply(shop, TARGETED, "targeted", BASE, 1)
    assert supply(shop, TARGETED, "targeted", BASE, 1).samples == first.samples
    stages = shop.run.ledger.stages("round1/targeted/agents/")
    batches = [shop.run.ledger.done(stage) or {} for stage in stages]
    again = [sample for batch in batches for sample in batch["samples"]]
    aimed = [sample for sample in first.samples if sample.mode_id is not None]
    assert [sample["id"] for sample in again] == [sample.id for sample in aimed]


def test_a_check_that_the_settings_ask_for_turns_samples_down(shop: Workshop) -> None:
    told = SETTINGS.generate.model_copy(update={"checks": CheckSettings(balance=0.3)})
    strict = replace(shop, settings=SETTINGS.model_copy(update={"generate": told}))
    wanted = Diagnosis(mixture=mixtures.targeted([COUNTING], 120))
    made = supply(strict, wanted, "targeted", BASE, 1)
    told_of = shop.run.ledger.done("round1/targeted/generate") or {}
    assert told_of["rejected"]["checks: balance"] > 0
    assert len(made.samples) == 120


def test_the_plan_has_no_model_make_what_exact_agents_make() -> None:
    [row] = [row for row in plan_spiral(SETTINGS).rows if row.stage == "round 1: generate"]
    assert row.images > 0
    assert row.planner == row.writer == row.validator == row.candidate == 0
    checked = SETTINGS.generate.model_copy(update={"checks": CheckSettings(band=(0.3, 0.8))})
    banded = SETTINGS.model_copy(update={"generate": checked})
    [row] = [row for row in plan_spiral(banded).rows if row.stage == "round 1: generate"]
    assert row.candidate > 0


def test_a_spiral_varies_in_bulk_unless_told_otherwise() -> None:
    assert EvolveSettings().generate.agents == "varied"
    assert open_resources(EvolveSettings()).crew is None


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ({"search": {"web": ["openverse"]}, "questions": 5}, r"questions, search\.web"),
        ({"tries": 1, "planner_tools": True}, "planner_tools, tries"),
        ({"at_once": 2}, "at_once"),
        ({"checks": {"balance": 0.5}}, r"checks\.balance"),
        ({"agents": "exact", "planner_tools": True}, "planner_tools"),
        ({"agents": "exact", "search": {"words": "words"}}, r"search\.words"),
        ({"agents": "exact", "temperature": 0.1, "retries": 0, "max_tokens": 64}, "max_tokens, retries, temperature"),
        ({"agents": "exact", "writer": "tests.photographs:Writer", "temperature": 0.1}, "temperature"),
    ],
)  # fmt: skip
def test_what_nobody_would_read_is_refused_by_name(told: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=f"^generate names {named}: "):
        EvolveSettings.model_validate({"generate": told})


def test_what_exact_agents_read_they_may_be_told() -> None:
    told = {"agents": "exact", "questions": 4, "tries": 2, "at_once": 2, "search": {"most": 9}}
    assert EvolveSettings.model_validate({"generate": told}).generate.questions == 4


def test_of_pictures_without_facts_the_candidate_asks_nothing_that_it_is_trained_on(tmp_path: Path) -> None:
    photographs.write(tmp_path / "photos", 8)
    agents = {name: f"tests.photographs:{name.title()}" for name in ("planner", "writer", "validator")}
    told = {
        "candidate": "pupil",
        "images": f"folder:{tmp_path / 'photos'}",
        "judge": {"model": "tests.photographs:Judge"},
        "discover": {"questioner": "pupil", "reinforce": False},
        "generate": {"agents": "llm", **agents},
    }
    for refuses in (open_resources, plan_spiral):
        with pytest.raises(
            ConfigError, match=r"discover\.questioner: 'pupil' is the model under training"
        ) as refused:
            refuses(EvolveSettings.model_validate(told))
        assert refused.value.hint is not None
    # Of a discovery alone nothing is trained.
    DiscoverySettings.model_validate({key: value for key, value in told.items() if key != "generate"})
    blind = {**told, "generate": {"agents": "llm", **agents, "checks": {"blind": "pupil"}}}
    with pytest.raises(ConfigError, match=r"generate\.checks\.blind: 'pupil' is the model under training"):
        EvolveSettings.model_validate(blind)
