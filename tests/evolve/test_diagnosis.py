"""What each arm trains on is decided by its own kind of diagnosis, written down once, on pictures nobody trains on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import pytest

from scotoma.core import FailureMode, Predicate, Rate
from scotoma.discover.interview import Asked
from scotoma.discover.pool import Pool
from scotoma.discover.progress import silent
from scotoma.discover.settings import AnswerSettings, DiscoverSettings, JudgeSettings
from scotoma.evolve.attributions import attributions
from scotoma.evolve.diagnosis import diagnose
from scotoma.evolve.examination import Examination
from scotoma.evolve.failures import LEAST
from scotoma.evolve.lesson import interview
from scotoma.evolve.settings import EvolveSettings, RepairSettings
from scotoma.evolve.workshop import Workshop
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store.run import Run
from scotoma.verify.facts import FactsVerifier

MODES = tuple(
    FailureMode(
        id=name,
        predicate=Predicate.parse(where),
        description=name,
        status="confirmed",
        failure_rate=Rate(value=0.5, low=0.4, high=0.6, n=100),
        prevalence=0.05,
    )
    for name, where in (("many", "type=counting and count>=4"), ("joined", "type=composition"))
)


def found_earlier(run: Run, world: ShapesWorld) -> None:
    """Failures of an earlier candidate, all that the modes have in 120 pictures; the Pupil fails those whose keys
    begin with `wrong`."""
    pictures = [*islice(world.images("discover", 0), 120)]
    asked = [
        Asked(f"{image.id}/{n}", image, question)
        for image in pictures
        if image.facts is not None
        for n, question in enumerate(world.questions(image.facts, 0, 12))
        if any(mode.predicate.matches(image.facts.examine(question).tags) for mode in MODES)
    ]
    answered = interview("pupil", AnswerSettings(), JudgeSettings()).ask(asked, "baseline")
    failures = [
        o.model_copy(
            update={
                "key": f"{'wrong' if o.outcome == 'failure' else 'right'}/{o.key}",
                "verdict": o.verdict.model_copy(update={"correct": 0.0}),
            }
        )
        for o in answered
    ]
    run.ledger.finish("baseline", observations=failures, images=run.images.put_all(pictures))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    world = ShapesWorld()
    settings = EvolveSettings(
        arms=("targeted", "targeted-frozen", "dpe", "random", "uniform"),
        repair=RepairSettings(samples=400, pass_samples=3),
    )
    pool = Pool(world, DiscoverSettings(), FactsVerifier())
    held_back = Examination.draw(pool, "confirm", 0, MODES, 40, 100, 800)
    with Run.open(tmp_path_factory.mktemp("diagnosis") / "run", command="evolve", config={}) as run:
        found_earlier(run, world)
        yield Workshop(run, world, settings, MODES, held_back, held_back, silent)


def test_the_targeted_arm_asks_about_every_mode_and_says_what_kind_of_error_it_is(shop: Workshop) -> None:
    found = diagnose(shop, "targeted", "pupil", 1)
    assert found.mixture.kind == "targeted"
    assert (
        {share.name for share in found.mixture.shares}
        == {mode.mode_id for mode in found.modes}
        == {"many", "joined"}
    )
    by_id = {mode.mode_id: mode for mode in found.modes}
    assert by_id["many"].pass_rate is not None
    assert set(by_id["many"].error_kinds) <= {"counting", "instruction"}  # it has no parts
    told = [example.evidence for example in by_id["joined"].examples if example.kind != "instruction"]
    assert told
    assert all(evidence.startswith(("a part is wrong too", "every part is right")) for evidence in told)


def test_every_attribution_can_be_read_again(shop: Workshop) -> None:
    found = diagnose(shop, "targeted", "pupil", 1)
    told = attributions(shop.run.ledger, "round1/targeted")
    assert tuple(told) == found.attributions
    assert len({failure.key for failure in told}) == len(told)
    held_out = {(item.image.id, item.question): item.tags for item in shop.held_back.modes}
    for mode in found.modes:
        mine = [failure for failure in told if failure.mode_id == mode.mode_id]
        assert Counter(failure.kind for failure in mine) == mode.error_kinds
        assert sum(mode.error_kinds.values()) > len(mode.examples)
        predicate = next(one.predicate for one in MODES if one.id == mode.mode_id)
        for failure in mine:
            assert failure.evidence
            assert failure.answer != failure.truth
            assert predicate.matches(held_out[failure.image_id, failure.question])
    assert attributions(shop.run.ledger, "round1/uniform") == []


def test_a_diagnosis_is_made_once(shop: Workshop) -> None:
    assert diagnose(shop, "targeted", "no such model", 1) == diagnose(shop, "targeted", "pupil", 1)


def test_the_frozen_arm_keeps_the_first_mixture(shop: Workshop) -> None:
    first = diagnose(shop, "targeted", "pupil", 1)
    for number in (1, 2, 3):
        assert diagnose(shop, "targeted-frozen", "no such model", number).mixture == first.mixture


def test_after_the_first_round_samples_are_made_from_what_is_left_of_the_failures(shop: Workshop) -> None:
    assert diagnose(shop, "targeted", "pupil", 1).failures is None
    found = diagnose(shop, "targeted", "pupil", 2).failures
    assert found is not None
    earlier = shop.run.ledger.observations("baseline")
    for mode in MODES:
        members = {o.key for o in earlier if mode.predicate.matches(o.tags)}
        failing = {key for key in members if key.startswith("wrong/")}
        assert len(members) > max(LEAST, len(failing))
        assert failing <= members & set(found)
        assert len(members & set(found)) == max(LEAST, len(failing))  # mended ones for want of others
    assert diagnose(shop, "targeted-frozen", "pupil", 2).failures is None


def test_dpe_weighs_types_of_questions_by_the_papers_bands(shop: Workshop) -> None:
    found = diagnose(shop, "dpe", "pupil", 1).mixture
    assert found.kind == "dpe"
    assert sum(share.samples for share in found.shares) == 400
    assert {target.id: str(target.predicate) for target in diagnose(shop, "dpe", "-", 1).targets(MODES)} == {
        share.name: f"type={share.name}" for share in found.shares
    }


def test_random_asks_nobody_and_gives_every_type_alike(shop: Workshop) -> None:
    found = diagnose(shop, "random", "no such model", 1).mixture
    assert found.retention == 200
    counts = [share.samples for share in found.shares]
    assert max(counts) - min(counts) <= 1


def test_uniform_aims_at_nothing(shop: Workshop) -> None:
    found = diagnose(shop, "uniform", "no such model", 1)
    assert (found.mixture.uniform, found.mixture.shares, found.targets(MODES)) == (400, (), [])
