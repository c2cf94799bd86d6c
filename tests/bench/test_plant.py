"""Planting on the embedded Pupil, in small: a stock checkpoint, its truth, and clear refusals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
from PIL import Image

from scotoma.bench import plant as planting
from scotoma.bench.drill import border, check_regions, drill, survey
from scotoma.bench.plant import plant, prove
from scotoma.bench.truth import SPILL, Truth
from scotoma.core import (
    ConfigError,
    EditableWorld,
    ModelError,
    Predicate,
    Reply,
    ReplyError,
    Request,
    SpecError,
)
from scotoma.grpo.distillation import DistillationConfig
from scotoma.images.spec import open_images
from tests.scripted import Candidate

WIDE = Predicate.parse("skill=counting and count>=1")
RED = Predicate.parse("type=horizontal and colour=red")


class Sighted(Candidate):
    """Right everywhere, and "nothing" in `blind`."""

    name = "sighted"
    blind: tuple[Predicate, ...] = ()

    def _answer(self, request: Request) -> str:
        facts = request.images[0].facts
        assert facts is not None
        examined = facts.examine(request.text)
        blind = any(spot.matches(examined.tags) for spot in self.blind)
        return "nothing" if blind or examined.answer is None else examined.answer


class Blind(Sighted):
    """Blind in the region alone."""

    blind = (RED,)


class Broken(Sighted):
    """Answers nothing in the region."""

    name = "broken"

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        return [
            Reply(error=ReplyError("crashed", "out of memory")) if "red" in request.text else reply
            for request, reply in zip(requests, super().answer(requests), strict=True)
        ]


class Spilling(Sighted):
    """Blind in the region, and to one of the many things that are not its type."""

    blind = (RED, Predicate.parse("type=vertical and colour=red and answer=yes"))


@pytest.fixture(scope="module")
def world() -> EditableWorld:
    world = open_images("worlds:shapes")
    assert isinstance(world, EditableWorld)
    return world


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Truth]:
    folder = tmp_path_factory.mktemp("plant") / "planted"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planting, "_PROOF_OUTSIDE", 600)
        patch.setattr(planting, "_SURVEYED", 600)
        config = DistillationConfig(steps=40, images_per_step=4, learning_rate=1e-3)
        return folder, plant("pupil", [WIDE], folder, config=config, pictures=60)


def test_it_leaves_a_stock_checkpoint_and_its_truth(planted: tuple[Path, Truth]) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder, truth = planted
    AutoProcessor.from_pretrained(folder)
    AutoModelForImageTextToText.from_pretrained(folder)
    assert Truth.load(folder / "truth.json") == truth


def test_the_region_is_blinder_than_it_was_and_the_rest_much_less_so(planted: tuple[Path, Truth]) -> None:
    truth = planted[1]
    [region] = truth.regions
    assert region.before.value > 0.5
    assert region.after.value < region.before.value - 0.3
    assert truth.outside_before.value - truth.outside_after.value < 0.2
    assert 0.1 < region.prevalence.value < 0.3


def test_the_drill_has_questions_on_both_sides_of_every_border(world: EditableWorld) -> None:
    predicates = [WIDE, Predicate.parse("skill=colour and attributes=2")]
    items = drill(world, predicates, survey(world, predicates, "train", 0, least=600), images=40, seed=0)
    for number, predicate in enumerate(predicates):
        inside = [item for item in items if item.region == number]
        kinds = {item.kind for item in inside}
        assert all(predicate.matches(item.tags) for item in inside)
        assert any(item.region is None and item.kind in kinds for item in items)
    assert len({item.image.id for item in items}) == 40
    assert {item.image.split for item in items} == {"train"}


def test_a_region_that_hardly_a_question_falls_into(world: EditableWorld, tmp_path: Path) -> None:
    rare = Predicate.parse("skill=reading and count>=9")
    with pytest.raises(ConfigError, match="only 0 of"):
        drill(world, [rare], survey(world, [rare], "train", 0, least=240, most=240), images=4, seed=0)


def test_a_region_of_a_key_that_there_is_not(world: EditableWorld) -> None:
    unknown = Predicate.parse("skill=counting and hue=pink")
    with pytest.raises(ConfigError, match="no question has the key 'hue'"):
        drill(world, [unknown], survey(world, [unknown], "train", 0, least=240, most=240), images=4, seed=0)


def test_a_region_of_a_value_that_there_is_not(world: EditableWorld) -> None:
    with pytest.raises(ConfigError, match="no question has the key 'hue'"):
        check_regions(world, [WIDE, Predicate.parse("skill=counting and hue=pink")], 0)
    with pytest.raises(
        ConfigError, match=r"no question has colour=pink .*there are colour=blue, colour=cyan"
    ):
        check_regions(world, [Predicate.parse("skill=counting and colour=pink")], 0)
    # Of wordings and signs there are more than a few pictures show.
    for text in ("digit=us", "digit=hi", "wording=never", "count>=99", "colour!=pink", "colour in pink|red"):
        check_regions(world, [Predicate.parse(text)], 0)


def test_words_are_checked_before_the_survey_and_the_candidate_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def survey(*arguments: object, **keywords: object) -> None:
        pytest.fail("it was drawn")

    monkeypatch.setattr(planting, "survey", survey)
    with pytest.raises(ConfigError, match="no question has skill=juggling"):
        plant("pupil", [Predicate.parse("skill=juggling")], tmp_path / "planted")
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert/config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelError):
        plant(f"hf:{tmp_path / 'bert'}", [WIDE], tmp_path / "planted")
    assert not (tmp_path / "planted").exists()


def test_the_drill_goes_beyond_borders_that_run_through_scenes(world: EditableWorld) -> None:
    # Every comparison about a scene of three things is inside: what is outside must come from other scenes.
    few = Predicate.parse("skill=comparison and things<=3")
    items = drill(world, [few], survey(world, [few], "train", 0, least=600), images=60, seed=0)
    comparison = Predicate.parse("skill=comparison")
    inside = [item for item in items if item.region == 0]
    beyond = [item for item in items if item.region is None and comparison.matches(item.tags)]
    assert len(beyond) > len(inside) / 4


def test_just_beyond_a_number_is_the_next_one(world: EditableWorld) -> None:
    few = Predicate.parse("skill=comparison and things<=3")
    sides = border(few, survey(world, [few], "train", 0, least=600).uniform)
    comparisons = [item for item in chain(*sides) if "comparison" in item.tags["skill"]]  # type: ignore[operator]  # a set
    assert {item.tags["things"] for item in comparisons} == {4}
    assert all(item.region is None for item in chain(*sides))


def test_a_blind_spot_that_spills_over_to_one_neighbour_of_many_is_not_sharp(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(planting, "_PROOF_OUTSIDE", 3000)
    sighted, blind, spilling = (f"{__name__}:{kind.__name__}" for kind in (Sighted, Blind, Spilling))
    [kept] = prove(sighted, blind, [RED]).regions
    assert kept.planted
    assert kept.sharp
    assert kept.border_after == kept.border_before
    [region] = prove(sighted, spilling, [RED]).regions
    assert region.planted
    assert not region.sharp
    # Not the whole side, most of which is as before: of the vertical ones nearly half are lost.
    assert region.border_before is not None
    assert region.border_after is not None
    assert region.border_before.value - region.border_after.value > 3 * SPILL


def test_an_error_is_no_wrong_answer_that_would_prove_a_blind_spot(
    monkeypatch: pytest.MonkeyPatch, world: EditableWorld
) -> None:
    monkeypatch.setattr(planting, "_PROOF_OUTSIDE", 300)
    sighted, broken = (f"{__name__}:{kind.__name__}" for kind in (Sighted, Broken))
    with pytest.raises(ModelError, match=r"broken left \d+ of \d+ questions unanswered: out of memory"):
        prove(sighted, broken, [RED])


def test_what_has_no_number_is_not_next_to_one(world: EditableWorld) -> None:
    several = Predicate.parse("skill=negation and count>=2")
    sides = border(several, survey(world, [several], "train", 0, least=2000).uniform)
    negations = [item for item in chain(*sides) if "negation" in item.tags["skill"]]  # type: ignore[operator]  # a set
    assert {item.tags.get("count") for item in negations} == {1}


def test_no_region_and_no_world(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no region to plant"):
        plant("pupil", [], tmp_path / "planted")
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photos" / "grey.png")
    with pytest.raises(ConfigError, match="on a world only"):
        plant("pupil", [WIDE], tmp_path / "planted", images=f"folder:{tmp_path / 'photos'}")
    with pytest.raises(SpecError, match="no weights that could be trained"):
        plant("openai:gpt-5-mini", [WIDE], tmp_path / "planted")
