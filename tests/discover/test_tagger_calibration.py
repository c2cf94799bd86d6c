"""Taggers are measured against a world's exact tags, which they are not shown."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from scotoma.core import ConfigError, Reply, ReplyError, Request
from scotoma.discover.settings import TaggingSettings
from scotoma.discover.tagger_calibration import (
    SAME_SKILL,
    TaggerCalibration,
    adopt_tagger_calibration,
    calibrate_tagger,
    calibrate_topics,
    read_tagger_calibration,
    tagger_of,
)
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.images.worlds.shapes.executor import question_tags
from scotoma.images.worlds.shapes.language import parse
from scotoma.models.scripted import ScriptedModel
from scotoma.store.run import Run

WORDS = TaggingSettings(embedder="words")


def sheet_of(request: Request, forget: str | None = None) -> str:
    """What a tagger that parses the question would write; it forgets one skill in three questions of ten."""
    assert request.images == ()
    line = next(line for line in request.text.splitlines() if line.startswith("Question: "))
    question = json.loads(line.removeprefix("Question: "))
    parsed = parse(question)
    assert parsed is not None
    skills = {SAME_SKILL.get(skill, skill) for skill in parsed.program.skills}
    if random.Random(question).random() < 0.3:
        skills.discard(forget or "")
    return json.dumps({"skills": sorted(skills)})


def test_the_wordings_tags_are_nearly_exact_on_the_shapes_world() -> None:
    measured = calibrate_tagger(ShapesWorld(), TaggingSettings(), n=1000, seed=0)
    assert measured.questions == 1000
    assert measured.tagger == "wording"
    assert measured.error is not None
    assert measured.error.macro_f1.low > 0.97  # measured: .995 on 1,200 questions
    assert measured.error.same.low > 0.97
    assert measured.tagged == {}


def test_a_model_is_measured_with_its_faults() -> None:
    model = ScriptedModel(lambda request: sheet_of(request, forget="counting"))
    measured = calibrate_tagger(ShapesWorld(), TaggingSettings(model="a:B"), n=1000, seed=0, model=model)
    assert measured.error is not None
    counting, colour = measured.error.skills["counting"], measured.error.skills["colour"]
    assert counting.recall.low < 0.7 < counting.recall.high
    assert counting.precision.value == colour.f1.value == 1.0
    assert measured.prompt == "tags-2"
    assert measured.tagged == {"model": len({request.text for request in model.requests})}


def named_by(request: Request) -> str:
    """A tagger that names everything as it is, but calls what is red "crimson" and what stands left "beside"."""
    line = next(line for line in request.text.splitlines() if line.startswith("Question: "))
    parsed = parse(json.loads(line.removeprefix("Question: ")))
    assert parsed is not None
    tags = question_tags(parsed)
    colours, sizes, shapes, places = (tuple(tags[key]) for key in ("colour", "size", "shape", "relation"))  # type: ignore[arg-type]
    return json.dumps(
        {
            "skills": ["counting"],
            "objects": [*shapes, "picture"],
            "attributes": ["crimson" if colour == "red" else colour for colour in (*colours, *sizes)],
            "relations": ["beside" if place == "left" else f"{place} of" for place in places],
            "answer_kind": "number",
        }
    )


def test_what_else_a_model_names_is_measured_as_well(tmp_path: Path) -> None:
    measured = calibrate_tagger(
        ShapesWorld(), TaggingSettings(model="a:B"), n=600, seed=0, model=ScriptedModel(named_by)
    )
    assert set(measured.named) == {"attribute", "object", "relation", "answer_kind"}
    attribute, thing, relation, kind = (
        measured.named[name] for name in ("attribute", "object", "relation", "answer_kind")
    )
    assert attribute.values["red"].recall.value == 0
    assert {f.f1.value for name, f in attribute.values.items() if name != "red"} == {1.0}
    assert attribute.outside["crimson"] == attribute.values["red"].recall.n > 0
    assert thing.macro_f1.value == thing.same.value == 1.0
    assert thing.outside == {"picture": 600}
    assert relation.values["above"].f1.value == 1.0
    assert relation.values["left"].recall.value == 0
    assert relation.questions < 600  # those about two sides have but one of them as a tag
    assert kind.values["number"].recall.value == 1.0
    assert kind.values["number"].precision.high < 0.6
    assert kind.values["yes/no"].recall.value == 0
    for error in measured.named.values():
        assert all(f.f1.low <= f.f1.value <= f.f1.high for f in error.values.values())
    file = tmp_path / "tagger.json"
    file.write_text(measured.to_json())
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        adopt_tagger_calibration(run, TaggingSettings(model="a:B", calibration=file))
        told = tagger_of(run.ledger)
    assert told is not None
    assert told.named == {name: error.macro_f1 for name, error in measured.named.items()}


def test_an_earlier_calibration_is_still_read() -> None:
    measured = calibrate_tagger(ShapesWorld(), TaggingSettings(), n=60, seed=0)
    document = json.loads(measured.to_json())
    assert document.pop("named") == {}  # the wording alone names nothing else
    assert TaggerCalibration.model_validate_json(json.dumps(document)) == measured


def test_where_the_model_fails_the_wording_is_what_is_measured() -> None:
    def reply(request: Request) -> Reply:
        failed = random.Random(request.text).random() < 0.5
        return Reply(error=ReplyError("timeout", "")) if failed else Reply('{"skills": ["reason"]}')

    measured = calibrate_tagger(
        ShapesWorld(), TaggingSettings(model="a:B"), n=300, seed=0, model=ScriptedModel(reply)
    )
    assert measured.error is not None
    assert 0.3 < measured.error.skills["counting"].recall.value < 0.7
    assert measured.tagged["tagger:timeout"] > 0
    assert measured.error.outside == {"reason": measured.error.outside["reason"]}


def test_topics_are_fitted_on_other_pictures_and_compared_with_exact_classes() -> None:
    measured = calibrate_topics(ShapesWorld(), WORDS, n=1000, seed=0)
    assert measured.tagger == "agglomerative clustering on words"
    assert set(measured.topics) == {"skills", "type"}
    against = measured.topics["type"]
    assert against.topics > 5
    assert against.classes >= 10
    assert against.ari.low > 0.4  # measured: .75
    assert against.nmi.low > 0.6
    assert against.assigned.low > 0.7
    assert TaggerCalibration.model_validate_json(measured.to_json()) == measured


def test_a_world_without_tags_measures_nothing() -> None:
    class Silent(ShapesWorld):
        def questions(self, facts: object, seed: int, n: int) -> list[str]:
            return ["hm ?"]

    with pytest.raises(ConfigError, match="exact tags"):
        calibrate_tagger(Silent(), TaggingSettings(), n=10, seed=0)


def test_a_run_says_how_far_its_tags_are_right(tmp_path: Path) -> None:
    measured = calibrate_tagger(ShapesWorld(), TaggingSettings(), n=60, seed=0)
    file = tmp_path / "tagger.json"
    file.write_text(measured.to_json())
    assert measured.error is not None
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        assert tagger_of(run.ledger) is None
        adopt_tagger_calibration(run, TaggingSettings(calibration=file))
        file.unlink()  # the run has its own copy
        adopt_tagger_calibration(run, TaggingSettings(calibration=file))
        told = tagger_of(run.ledger)
    assert told is not None
    assert (told.tagger, told.questions, told.macro_f1) == ("wording", 60, measured.error.macro_f1)
    assert told.skills == {name: skill.f1 for name, skill in measured.error.skills.items()}


def test_a_calibration_that_is_anothers_or_none_is_refused(tmp_path: Path) -> None:
    def refused(text: str, says: str, model: str | None = None) -> None:
        (tmp_path / "tagger.json").write_text(text)
        with pytest.raises(ConfigError, match=says):
            read_tagger_calibration(TaggingSettings(model=model, calibration=tmp_path / "tagger.json"))

    measured = calibrate_tagger(ShapesWorld(), TaggingSettings(), n=60, seed=0)
    spec = "openai:tagger@http://localhost:1/v1"
    refused(measured.to_json(), "is of wording, and the questions are tagged by openai:tagger", spec)
    refused(measured.model_copy(update={"tagger": spec, "prompt": "tags-0"}).to_json(), "prompt tags-0", spec)
    refused(measured.model_copy(update={"error": None}).to_json(), "is of wording")
    refused(
        measured.model_copy(update={"error": None, "tagger": "BERTopic on words"}).to_json(), "BERTopic", spec
    )
    refused("{}", "no calibration of a tagger")
    with pytest.raises(ConfigError, match=r"cannot read .*nowhere"):
        read_tagger_calibration(TaggingSettings(calibration=tmp_path / "nowhere.json"))
