"""Searcher and editor of photos: the pool before the web, licences kept, failures of servers told apart."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from scotoma.core import ConfigError, ImageRecord, Predicate, ReplyError, SpecError
from scotoma.generate.attempt import Attempt, tally
from scotoma.generate.crew import open_crew
from scotoma.generate.handover import Declined, Found, Outage, Sketch
from scotoma.generate.pictures import PhotoEditor, PhotoSearcher, Web
from scotoma.generate.settings import GenerateSettings
from scotoma.images.editing import Flip
from scotoma.images.search.pool import PicturePool
from scotoma.images.search.web import open_engine
from scotoma.images.worlds.shapes import ShapesWorld
from tests.images.test_search import NEAR, Route, png, record, sends, web

CUPS = Sketch(shows="cups", asks="how many", search="red cups")


class Brush:
    """Paints green, or fails as it is told."""

    name = "brush"

    def __init__(self, reply: bytes | ReplyError) -> None:
        self.reply = reply

    def paint(self, record: ImageRecord, instruction: str) -> bytes | ReplyError:
        return self.reply


class OwnPlanner:
    """A user's own; exact agents take it as well."""

    def plan(self, brief: object, n: int, earlier: object) -> list[Sketch]:
        return []


def test_pictures_are_taken_in_turn_so_that_one_caption_does_not_make_all_samples(tmp_path: Path) -> None:
    colours = ("red", "navy", "gold")
    pool = PicturePool([record(tmp_path, f"{c}.png", c, "three red cups") for c in colours])
    offered: Counter[str] = Counter()
    for _ in colours:
        [found] = PhotoSearcher(pool).search(replace(CUPS, offered=offered), 1)
        offered[found.image.id] += 1
    assert len(offered) == len(colours)


def test_a_condition_on_pictures_is_held_to(tmp_path: Path) -> None:
    pool = PicturePool([record(tmp_path, "a.png", "red", "red cups")])
    bright = Sketch(shows="", asks="", search="red cups", must=Predicate.parse("brightness=bright"))
    assert PhotoSearcher(pool).search(bright, 3) == []


def test_the_web_fills_what_the_pool_lacks_and_licences_are_held_to() -> None:
    routes: dict[str, Route] = {"/cups.png": sends(png("teal")), "/broken.png": sends(b"<html>")}
    with web(routes) as (url, asked):
        rows = [
            {"url": f"{url}/never.png", "license": "by-nc", "license_version": "2.0"},
            {"url": f"{url}/broken.png", "license": "cc0", "license_version": "1.0"},
            {"url": f"{url}/cups.png", "license": "by", "license_version": "2.0", "creator": "Jane"},
        ]
        routes["/v1/"] = sends(json.dumps({"results": rows}).encode(), "application/json")
        engine = open_engine("openverse", NEAR, base_url=f"{url}/v1/")
        finds = PhotoSearcher(PicturePool([]), Web((engine,), NEAR, ("CC0", "CC BY"))).search(CUPS, 2)
        assert [handler.path.partition("?")[0] for handler in asked] == ["/v1/", "/broken.png", "/cups.png"]
    [found] = finds
    assert (found.image.licence, found.how) == ("CC BY 2.0 (Jane)", "openverse: red cups")
    assert finds.passed_over == {"licence refused": 1, "unreadable": 1}


def test_what_a_search_passed_over_is_counted_where_it_finds_nothing_else_and_where_an_engine_fails() -> None:
    routes: dict[str, Route] = {"/out/": sends(b"", status=503)}
    with web(routes) as (url, _):
        private = {"url": "http://10.0.0.1/a.png", "license": "cc0", "license_version": "1.0"}
        routes["/v1/"] = sends(json.dumps({"results": [private]}).encode(), "application/json")
        answers, silent = (open_engine("openverse", NEAR, base_url=f"{url}/{at}/") for at in ("v1", "out"))
        finds = PhotoSearcher(PicturePool([]), Web((answers,), NEAR)).search(CUPS, 1)
        assert (list(finds), finds.passed_over) == ([], {"private address": 1})
        with pytest.raises(Outage) as outage:
            PhotoSearcher(PicturePool([]), Web((answers, silent), NEAR)).search(CUPS, 1)
    assert outage.value.passed_over == {"private address": 1}


def test_a_picture_that_was_passed_over_is_a_rejection_but_no_attempt_that_was_turned_down() -> None:
    lost = Attempt(
        outcome="infrastructure", agent="writer", reason="timeout", passed_over={"private address": 2}
    )
    told = tally([lost, lost])
    assert (told.rejected, told.turned_down) == ({"search: private address": 4}, 0)
    assert told.infrastructure == {"writer: timeout": 2}
    assert tally([Attempt(outcome="rejected", agent="writer", reason="no question")]).turned_down == 1


def test_an_engine_that_does_not_answer_is_an_outage_only_where_nothing_else_is_found(tmp_path: Path) -> None:
    with web({"/v1/": sends(b"", status=503)}) as (url, _):
        engines = Web((open_engine("openverse", NEAR, base_url=f"{url}/v1/"),), NEAR)
        with pytest.raises(Outage):
            PhotoSearcher(PicturePool([]), engines).search(CUPS, 1)
        lone = PicturePool([record(tmp_path, "lake.png", "navy")])
        [found] = PhotoSearcher(lone, engines).search(CUPS, 1)
    assert found.how == "any picture"


def test_what_a_painter_made_is_a_picture_with_the_licence_of_the_one_it_was_made_from() -> None:
    photo = ImageRecord("a", "web:page", "CC BY 2.0", data=png())
    sketch = Sketch(shows="", asks="", edits=(Flip(),), instruction="make it green")
    made = PhotoEditor(Brush(png("green"))).edit(sketch, Found(photo, "web"))
    assert made.operations == ("flip", "paint")
    assert made.image.licence == "CC BY 2.0"
    assert made.image.source == "web:page#flip#paint,brush"
    assert made.image.open().getpixel((3, 3)) == (0, 128, 0)
    with pytest.raises(Declined, match="painted no picture"):
        PhotoEditor(Brush(b"nothing")).edit(sketch, Found(photo, "web"))
    with pytest.raises(Outage):
        PhotoEditor(Brush(ReplyError("timeout", "too slow"))).edit(sketch, Found(photo, "web"))


def test_without_a_painter_instructions_are_not_carried_out() -> None:
    photo = ImageRecord("a", "web:page", data=png())
    made = PhotoEditor().edit(Sketch(shows="", asks="", instruction="make it green"), Found(photo, "web"))
    assert (made.image.id, made.image.split, made.operations) == ("a", "train", ())


def test_an_agent_of_ones_own_takes_its_place_in_the_crew() -> None:
    world = ShapesWorld()
    crew = open_crew(GenerateSettings(planner=f"{__name__}:OwnPlanner"), world, ())
    assert isinstance(crew.planner, OwnPlanner)
    with pytest.raises(SpecError, match=r"has no method write\(\)"):
        open_crew(GenerateSettings(writer=f"{__name__}:OwnPlanner"), world, ())
    with pytest.raises(SpecError, match="no searcher"):
        open_crew(GenerateSettings(searcher="openai:m@http://h:1/v1"), world, ())
    with pytest.raises(ConfigError, match="exact agents ask none"):
        open_crew(GenerateSettings(planner="openai:m@http://h:1/v1"), world, ())
