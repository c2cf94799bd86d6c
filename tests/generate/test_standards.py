"""What every sample that agents make must pass, whatever the settings say, and what they can ask for besides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from scotoma.core import ImageRecord, Split, Tags
from scotoma.generate import standards as module
from scotoma.generate.checks import Checks, Draft
from scotoma.generate.checks.duplicate import Vectors
from scotoma.generate.checks.leakage import Leakage
from scotoma.generate.settings import CheckSettings, SearchSettings
from scotoma.generate.standards import Trainee, further_standards, standards
from scotoma.images.worlds.shapes import ShapesWorld

WORLD = ShapesWorld()


class Photos:
    """The world's pictures, as a source that knows nothing of them."""

    spec = "folder:photos"

    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        for record in WORLD.images(split, seed):
            yield replace(record, facts=None)


@pytest.fixture(scope="module")
def of_the_world() -> Checks:
    return Checks(standards(Leakage(()), WORLD))


def drafts(n: int) -> list[Draft]:
    """A question about each of `n` pictures."""
    found = []
    for number, record in enumerate(islice(WORLD.images("train", 5), n)):
        assert record.facts is not None
        [question] = WORLD.questions(record.facts, number, 1)
        found.append(Draft(record, question, record.facts.examine(question).answer, facts=record.facts))
    return found


def test_of_a_world_a_picture_is_held_to_its_facts_and_a_question_to_other_pictures(
    of_the_world: Checks,
) -> None:
    one, other = drafts(2)
    assert one.facts is not None
    assert of_the_world.objection(replace(one, question="is there a thing ?", answer="yes")) == "blind"
    assert of_the_world.objection(replace(one, facts=other.facts)) == "wrong_image"
    assert of_the_world.objection(one) is None


def test_a_question_comes_once_and_in_other_words_once_more(of_the_world: Checks) -> None:
    [*_, draft] = drafts(3)
    asked = replace(
        draft, question="how many things are there ?", answer="3", provenance={"phrasing": "first"}
    )
    again = replace(asked, question="count the things .")
    assert of_the_world.objection(asked) is None
    assert of_the_world.objection(again) == "near_duplicate"
    assert of_the_world.objection(replace(again, provenance={"phrasing": "paraphrase"})) is None


def test_of_photos_nothing_is_known_that_could_be_asked_for() -> None:
    assert Checks(standards(Leakage(()), Photos())).names == ("form", "leakage", "duplicate")


def test_where_the_web_is_searched_a_picture_keeps_its_licence_and_its_source() -> None:
    search = SearchSettings(web=("openverse",), licences=("CC BY",))
    checks = Checks(standards(Leakage(()), Photos(), search))
    [draft] = drafts(1)
    found = replace(
        draft.image, facts=None, source="openverse:https://example.org/a", licence="CC BY 2.0 (Jane)"
    )
    for image, reason in (
        (replace(found, licence="unknown"), "licence"),
        (replace(found, source=""), "no_source"),
        (found, None),
    ):
        assert checks.objection(replace(draft, image=image, facts=None)) == reason
    assert "licence" not in Checks(standards(Leakage(()), Photos(), SearchSettings())).names


def test_questions_of_one_meaning_are_one_where_the_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def embed(questions: Sequence[str], tags: Sequence[Tags]) -> Vectors:
        return np.array([[1.0, 0.1 * ("hue" in question)] for question in questions], "float32")

    monkeypatch.setattr(module, "SentenceEmbedder", lambda: embed)
    [draft] = drafts(1)
    asked = replace(draft, question="what colour is it ?", answer="red")
    told = CheckSettings(meaning=0.9)
    checks = Checks([*further_standards(told, Trainee("hf:some/model"))])
    assert checks.objection(asked) is None
    assert checks.objection(replace(asked, question="tell its hue")) == "near_duplicate"
    assert [*further_standards(CheckSettings(), Trainee("hf:some/model"))] == []
