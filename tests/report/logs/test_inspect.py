"""Inspect's logs are read without Inspect, and say the same as with it."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path

import pytest

from scotoma.report.logs import Record, Skipped, open_log
from tests.report.logs.files import entries, inspect_sample, inspect_zip, png, records

PICTURE = f"data:image/png;base64,{base64.b64encode(png(3)).decode()}"


def test_a_sample_holds_question_target_answer_and_score(tmp_path: Path) -> None:
    path = inspect_zip(tmp_path / "log.eval", [inspect_sample(1, "How many stars?", "3", "2")])
    log = open_log(path)
    assert (log.format, log.candidate) == ("inspect", "openai/gpt")
    [record] = records(path)
    assert record == Record(
        where="1_epoch_1",
        id="1",
        question="How many stars?",
        truths=("3",),
        answer="2",
        score=0.0,
        metric="match",
        columns={"category": "counting"},
    )


def test_pictures_and_long_texts_are_kept_apart_in_a_log(tmp_path: Path) -> None:
    (tmp_path / "star.png").write_bytes(png(4))
    texts = [{"type": "text", "text": "attachment://q"}]
    samples = [
        inspect_sample(
            1,
            [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [{"type": "image", "image": "attachment://p"}, *texts]},
            ],
            "3",
            "3",
            attachments={"p": PICTURE, "q": "How many stars?"},
        ),
        *(
            inspect_sample(
                number, [{"role": "user", "content": [{"type": "image", "image": source}, *texts]}], "3", "3"
            )
            for number, source in ((2, "star.png"), (3, "https://x.org/a.png"))
        ),
    ]
    first, second, third = records(inspect_zip(tmp_path / "log.eval", samples))
    assert (first.question, first.image) == ("How many stars?", png(3))
    assert second.image == tmp_path / "star.png"
    assert third.image is None  # nothing is fetched
    assert [record.image_key for record in (first, second, third)] == ["", "star.png", "https://x.org/a.png"]


@pytest.mark.parametrize(
    ("source", "key"),
    [("data:image/png;base64,%%%", "data:image/png;base64,%%%"), ("<base64-data-removed>", "")],
)
def test_a_picture_that_cannot_be_read_is_known_by_what_stands_there(
    tmp_path: Path, source: str, key: str
) -> None:
    content = [{"type": "image", "image": source}, {"type": "text", "text": "How many stars?"}]
    sample = inspect_sample(1, [{"role": "user", "content": content}], "3", "3")
    [record] = records(inspect_zip(tmp_path / "log.eval", [sample]))
    assert record.image_key == key


@pytest.mark.parametrize(
    ("value", "score"),
    [("C", 1.0), ("I", 0.0), ("P", 0.5), ("N", 0.0), (1, 1.0), (0.0, 0.0), (True, 1.0), (7, None), ("good", None),
     (None, None), ({"a": 1}, None)],
)  # fmt: skip
def test_what_the_values_of_scores_mean(tmp_path: Path, value: object, score: float | None) -> None:
    sample = inspect_sample(1, "How many?", "3", "3", scores={"judge": {"value": value}})
    assert records(inspect_zip(tmp_path / "log.eval", [sample]))[0].score == score


def test_errors_are_errors(tmp_path: Path) -> None:
    samples = [
        inspect_sample(1, "How many?", "3", "", error={"message": "429", "traceback": ""}, scores={}),
        inspect_sample(2, "How many?", "3", "", output={"model": "m", "choices": [], "error": "refused"}),
        inspect_sample(3, "How many?", "3", "", output={}, scores=None),
        inspect_sample(4, "How many?", "3", "", scores=None),
        inspect_sample(5, "How many?", "3", ""),
    ]
    found = records(inspect_zip(tmp_path / "log.eval", samples))
    assert [record.error for record in found] == [
        "sample_error",
        "api_error",
        "no_response",
        "empty_answer",
        None,
    ]


@pytest.mark.parametrize(
    ("asked", "question"),
    [
        ("Which is it?", "Which is it?\nA. cat\nB. dog"),
        ("Is it A. Merkel?", "Is it A. Merkel?\nA. cat\nB. dog"),
        ("Which is it?\nA) cat\nB) dog", "Which is it?\nA) cat\nB) dog"),
        ("Which is it? (A) cat (B) dog", "Which is it? (A) cat (B) dog"),
    ],
)
def test_options_kept_apart_belong_to_the_question(tmp_path: Path, asked: str, question: str) -> None:
    sample = inspect_sample(1, asked, "B", "B", choices=["cat", "dog"])
    [record] = records(inspect_zip(tmp_path / "log.eval", [sample]))
    assert (record.question, record.options) == (question, {"A": "cat", "B": "dog"})


def test_a_scorer_of_many_points_decides_nothing(tmp_path: Path) -> None:
    samples = [
        inspect_sample(number, "How many?", "3", "4", scores={"grade": {"value": value}})
        for number, value in enumerate((1, 7))
    ]
    assert [r.score for r in records(inspect_zip(tmp_path / "log.eval", samples))] == [None, None]


def test_a_damaged_sample_hides_no_others(tmp_path: Path) -> None:
    path = inspect_zip(tmp_path / "log.eval", [inspect_sample(1, "How many?", "3", "3")])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("samples/2_epoch_1.json", '{"id": 2, "inp')
        archive.writestr("samples/3_epoch_1.json", "[]")
        archive.writestr("samples/4_epoch_1.json", "{}")
    found = entries(path)
    assert isinstance(found[0], Record)
    assert found[1:] == [
        Skipped("2_epoch_1", "damaged sample"),
        Skipped("3_epoch_1", "not an object"),
        Skipped("4_epoch_1", "no question"),
    ]


def test_a_log_in_one_json_file(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    document = {
        "version": 2,
        "status": "success",
        "eval": {"model": "m"},
        "samples": [inspect_sample(1, "How many?", "3", "3"), 4],
    }
    path.write_text(json.dumps(document, indent=2))
    assert (open_log(path).format, open_log(path).candidate) == ("inspect", "m")
    first, second = entries(path)
    assert isinstance(first, Record)
    assert first.score == 1.0
    assert second == Skipped("sample 2", "not an object")


@pytest.mark.parametrize("suffix", ["eval", "json"])
def test_inspects_own_reader_agrees(tmp_path: Path, suffix: str) -> None:
    """Inspect writes the log (packed with Zstandard, pictures apart) and reads it; we read the same."""
    log = pytest.importorskip("inspect_ai.log")
    model = pytest.importorskip("inspect_ai.model")
    scorer = pytest.importorskip("inspect_ai.scorer")
    samples = []
    for number in range(5):
        content = [
            model.ContentImage(image=PICTURE),
            model.ContentText(text="How many stars? " + "Look well. " * 20 * number),
        ]
        said = str(number % 3)
        samples.append(
            log.EvalSample(
                id=number,
                epoch=1,
                input=[model.ChatMessageUser(content=content)],
                choices=["0", "1", "2"] if number == 4 else None,
                target=["2", "two"] if number == 2 else "2",
                output=model.ModelOutput.from_content("mockllm/model", said),
                scores={"match": scorer.Score(value="C" if said == "2" else "I")},
                metadata={"category": "counting"},
            )
        )
    path = tmp_path / f"log.{suffix}"
    spec = log.EvalSpec(
        created="2026-01-01T00:00:00+00:00",
        task="stars",
        model="mockllm/model",
        dataset=log.EvalDataset(),
        config=log.EvalConfig(),
    )
    log.write_eval_log(log.EvalLog(status="success", eval=spec, samples=samples), str(path))
    theirs = log.read_eval_log(str(path), resolve_attachments=True).samples
    ours = records(path)
    assert open_log(path).candidate == "mockllm/model"
    assert len(ours) == len(theirs) == 5
    for mine, other in zip(ours, theirs, strict=True):
        [message] = other.input
        assert mine.id == str(other.id)
        assert mine.question.removesuffix("\nA. 0\nB. 1\nC. 2") == message.text
        assert mine.image == png(3)
        assert mine.answer == other.output.completion
        assert mine.truths == tuple(other.target if isinstance(other.target, list) else [other.target])
        assert mine.score == scorer.value_to_float()(other.scores["match"].value)
        assert list(mine.options.values()) == (other.choices or [])
