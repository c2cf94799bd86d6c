"""What agents make for an arm: the control unaimed and anew each round, volumes equal, outages no shortfalls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from scotoma.core import ConfigError, ImageRecord, ImageSource, ModelError
from scotoma.diagnose import mixture as mixtures
from scotoma.discover.progress import silent
from scotoma.evolve.diagnosis import Diagnosis
from scotoma.evolve.examination import Examination
from scotoma.evolve.settings import Arm, EvolveSettings, RepairSettings
from scotoma.evolve.supply import evened, supply
from scotoma.evolve.workshop import Policy, Workshop
from scotoma.generate.attempt import attempts_of
from scotoma.generate.checks import Draft
from scotoma.generate.handover import Brief, Edited, Finds, Outage, Ruling, Sketch, Written
from scotoma.generate.pictures import PhotoEditor, PhotoSearcher, Web
from scotoma.generate.pipeline import Made
from scotoma.generate.production import Crew
from scotoma.generate.settings import GenerateSettings
from scotoma.generate.standards import leakage_of
from scotoma.generate.unaimed import UNAIMED
from scotoma.images.search.pool import PicturePool
from scotoma.images.search.web import WebPicture
from scotoma.images.spec import open_images
from scotoma.store.run import Run
from tests import photographs
from tests.generate.agents import MODE, failed

BASE = Policy("base", "hf:some/model")
UNIFORM = Diagnosis(mixture=mixtures.uniform(24))
TARGETED = Diagnosis(mixture=mixtures.targeted([MODE], 24))


class Agents:
    """Planner, writer and validator in one: they ask how many discs there are, numbering their questions by what they
    were told; `down` servers answer nothing."""

    def __init__(self, down: bool = False) -> None:
        self.down = down
        self.told: list[str] = []

    def plan(self, brief: Brief, n: int, earlier: Sequence[Sketch]) -> list[Sketch]:
        return [Sketch("discs", f"number {len(earlier) + i}", search="discs") for i in range(n)]

    def write(self, sketch: Sketch, edited: Edited, n: int) -> list[Written]:
        if self.down:
            raise Outage("rate_limit", "slow down")
        self.told.append(sketch.asks)
        asked = re.sub(r"\W+", " ", sketch.asks)
        return [
            Written(f"How many discs are there, says {asked}?", str(photographs._seen(edited.image)["discs"]))
        ]

    def validate(self, image: ImageRecord, question: str) -> Ruling:
        return Ruling(str(photographs._seen(image)["discs"]))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    photographs.write(tmp_path / "photos", 120)
    source = open_images(f"folder:{tmp_path / 'photos'}")
    settings = EvolveSettings(
        images=source.spec,
        candidate="hf:some/model",
        generate=GenerateSettings(agents="llm", at_once=4, questions=1),
        repair=RepairSettings(samples=24),
    )
    with Run.open(tmp_path / "run", command="evolve", config={}) as run:
        asked = [*source.images("discover", 0)][:20]
        run.images.put_all(asked)
        run.ledger.finish(
            "baseline",
            observations=[
                failed("baseline", i, image, {"skill": ("counting", "other") if i % 2 else "colour"})
                for i, image in enumerate(asked)
            ],
            images=asked,
        )
        leakage = leakage_of(run, source, settings.generate, 0)
        nothing = Examination((), ())
        yield Workshop(
            run, source, settings, (MODE,), nothing, nothing, silent, crew(Agents(), source), leakage
        )


def crew(agents: Agents, source: ImageSource) -> Crew:
    pool = PicturePool(source.images("train", 0))
    return Crew("test", agents, PhotoSearcher(pool), PhotoEditor(), agents, agents)


def made_for(shop: Workshop, diagnosis: Diagnosis, arm: Arm, number: int = 1) -> Made:
    return supply(shop, diagnosis, arm, BASE, number)


def test_the_control_asks_for_every_skill_of_unguided_questions_and_of_other_pictures_each_round(
    shop: Workshop,
) -> None:
    first, second = (made_for(shop, UNIFORM, "uniform", number) for number in (1, 2))
    assert len(first.samples) == len(second.samples) == 24
    asked = [re.findall("calls for (.*)\\?", sample.question)[0] for sample in first.samples]
    assert {skill: asked.count(skill) for skill in set(asked)} == {"counting": 12, "colour": 12}
    assert {s.id for s in first.samples} != {s.id for s in second.samples}
    assert len({s.image_id for s in first.samples}) > 12  # in turn, not the first few


def test_retention_is_the_beginning_of_the_control_and_is_counted_for_its_part_alone(shop: Workshop) -> None:
    uniform, targeted = made_for(shop, UNIFORM, "uniform"), made_for(shop, TARGETED, "targeted")
    kept = [sample.id for sample in targeted.samples if sample.purpose == "retention"]
    assert kept == [sample.id for sample in uniform.samples][: len(kept)]
    assert len(targeted.samples) == len(uniform.samples) == 24
    assert {sample.mode_id for sample in targeted.samples} == {MODE.id, None}


class Plain(Agents):
    """Asks the same of every picture, so that the unaimed sample of a picture may be its aimed one."""

    def write(self, sketch: Sketch, edited: Edited, n: int) -> list[Written]:
        return [Written("How many discs are there?", str(photographs._seen(edited.image)["discs"]))]


def test_unaimed_samples_that_equal_aimed_ones_are_replaced_as_long_as_there_are_pictures(
    shop: Workshop,
) -> None:
    plain = replace(shop, crew=crew(Plain(), shop.source))
    pictures = len(list(shop.source.images("train", 0)))
    wanted = pictures * 4 // 5
    targeted = made_for(plain, Diagnosis(mixture=mixtures.targeted([MODE], wanted)), "targeted")
    assert not targeted.shortfalls
    assert len({sample.id for sample in targeted.samples}) == len(targeted.samples) == wanted


def test_where_pictures_run_out_it_is_said_and_every_arm_is_cut_alike(shop: Workshop) -> None:
    assert shop.crew is not None
    lone = PhotoSearcher(PicturePool([next(shop.source.images("train", 0))]))
    few = replace(shop, crew=replace(shop.crew, searcher=lone))
    uniform = made_for(few, UNIFORM, "uniform")
    assert uniform.shortfalls == {UNAIMED: 24 - len(uniform.samples)}
    targeted = made_for(shop, TARGETED, "targeted", number=2)
    cut = evened({"uniform": uniform, "targeted": targeted})
    assert {len(made.samples) for made in cut.values()} == {len(uniform.samples)}
    assert {s.image_id for s in cut["targeted"].samples} == set(cut["targeted"].images)
    with pytest.raises(ConfigError, match="not one sample could be made for the arm uniform"):
        evened({"uniform": Made(), "targeted": targeted})


def test_servers_that_fail_throughout_stop_the_command_and_are_asked_again_by_the_next(
    shop: Workshop,
) -> None:
    down = replace(shop, crew=crew(Agents(down=True), shop.source))
    with pytest.raises(ModelError, match=r"fail for want of an answer: .* writer: rate_limit"):
        made_for(down, UNIFORM, "uniform")
    assert shop.run.ledger.done("round1/uniform/generate") is None
    assert len(made_for(shop, UNIFORM, "uniform").samples) == 24


def test_what_a_search_passes_over_is_counted_once_a_sketch_and_uses_up_no_tries(shop: Workshop) -> None:
    class Choosy(PhotoSearcher):
        def search(self, sketch: Sketch, n: int) -> Finds:
            return Finds(super().search(sketch, n), {"licence refused": 100})

    class Twice(Agents):
        def write(self, sketch: Sketch, edited: Edited, n: int) -> list[Written]:
            [first] = super().write(sketch, edited, n)
            return [first, replace(first, question=f"{first.question[:-1]}, at a second look?")]

    agents = Twice()
    pool = PicturePool(shop.source.images("train", 0))
    told = shop.settings.generate.model_copy(update={"questions": 2, "tries": 2})
    settings = shop.settings.model_copy(update={"generate": told})
    choosy = Crew("test", agents, Choosy(pool), PhotoEditor(), agents, agents)
    made = made_for(replace(shop, settings=settings, crew=choosy), UNIFORM, "uniform")
    assert len(made.samples) == 24
    document = shop.run.ledger.done("round1/uniform/generate") or {}
    # Of every sketch one or both of two questions were kept.
    assert 1200 <= document["rejected"]["search: licence refused"] <= 2400
    attempts = [
        each
        for stage in shop.run.ledger.stages(f"{UNAIMED}/1/")
        for each in attempts_of(shop.run.ledger.done(stage) or {})
    ]
    begun = sum(each.begins for each in attempts)
    assert document["rejected"]["search: licence refused"] == 100 * begun < 100 * len(attempts)


def test_nobody_searches_the_web_for_nothing() -> None:
    class Engine:
        name = "engine"

        def search(self, words: str, n: int) -> list[WebPicture]:
            raise AssertionError(words)

    searcher = PhotoSearcher(PicturePool([]), Web((Engine(),)))
    assert searcher.search(Sketch("whatever is there", "something"), 3) == []


def test_the_pictures_of_the_run_are_held_out_of_every_other_pool(tmp_path: Path) -> None:
    photographs.write(tmp_path / "photos", 60)
    source = open_images(f"folder:{tmp_path / 'photos'}")
    # A pool of one picture, which is a smaller copy of one that the run holds out and has not drawn yet.
    (tmp_path / "pool").mkdir()
    kept_back = next(source.images("test", 0))
    copy = tmp_path / "pool" / "copy.png"
    kept_back.open().resize((48, 48)).save(copy)
    pool = open_images(f"folder:{tmp_path / 'pool'}")
    draft = Draft(ImageRecord(id="copy", source="pool", path=copy), "How many?", "3")
    settings = GenerateSettings(agents="llm", at_once=1, questions=1)
    with Run.open(tmp_path / "run", command="discover", config={"images": source.spec}) as run:
        assert leakage_of(run, pool, settings, 0).reason(draft) == "near_leakage"
        # In the run's own pool nothing of another split can be, so that nobody need look.
        assert leakage_of(run, source, settings, 0).reason(draft) is None
    with Run.open(tmp_path / "other", command="discover", config={"images": "folder:gone"}) as run:
        assert leakage_of(run, pool, settings, 0).reason(draft) is None
