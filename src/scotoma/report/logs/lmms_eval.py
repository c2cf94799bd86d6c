"""lmms-eval's sample logs: `…_samples_TASK.jsonl`, and the older single JSON with a list under `logs`.

A line holds `doc_id`, `target`, `input` (newer) or `doc` and `arguments` (older), `resps`, `filtered_resps` and one key
per metric, whose value is a number or a dictionary of the task's own making. Pictures are never logged.
(Fields as `lmms_eval/evaluator.py` and `loggers/evaluation_tracker.py` write them.)

    for entry in read(Path("20250101_samples_mme.jsonl")): ...
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from scotoma.core import LogError
from scotoma.report.logs import fields
from scotoma.report.logs.json_lines import read_json, read_lines
from scotoma.report.logs.record import Entry, Record, Row, Skipped, Wanted

KEYS = {"doc_id", "resps", "filtered_resps"}
"""A line with `doc_id` and one of the others is lmms-eval's."""

_OWN = {*KEYS, "doc", "target", "arguments", "input", "doc_hash", "prompt_hash", "target_hash"}
_QUESTION = ("question", "query", "problem", "question_text", "prompt", "text", "instruction")
_OPTIONS = ("options", "choices", "multi-choice options")
_IMAGE_KEYS = (
    "img_id", "image_id", "imageId", "image_path", "img_path", "image_name", "coco_url", "file_name", "filename",
    "image_source", "question_id",
)  # fmt: skip
# These may name something else: a data set ("coco2017"), a question's number. `landmark/0017.png` names an image.
_UNSURE = {
    "question_id": re.compile(r"\.(?:png|jpe?g|webp|gif|bmp)$", re.IGNORECASE),
    "image_source": re.compile(r"\.(?:png|jpe?g|webp|gif|bmp)$|\d{5}", re.IGNORECASE),
}
_TRUTH = ("answer", "ground_truth", "gt_answer", "gt", "target", "label")
_TASK = re.compile(r"_samples_(?P<task>.+?)(?:\.jsonl?)?$")
# Of several metrics the first of these decides; any other name comes after.
_FIRST = ("exact_match", "accuracy", "acc", "relaxed_overall")


def read(path: Path, wanted: Wanted = ()) -> Iterator[Entry]:
    """The entries of a log, one after the other; `wanted` names columns to take beside the usual categories."""
    told = _TASK.search(path.name)
    task = told["task"] if told else ""
    # Of ten or of five points 1 is no full mark: only the whole file tells the scale.
    rows = (row for _, row in _rows(path) if not isinstance(row, Skipped))
    scaled = {
        (metric, name)
        for row in rows
        for metric, name, value in _values(_metrics(row))
        if fields.above_one(value)
    }
    for where, row in _rows(path):
        yield row if isinstance(row, Skipped) else _entry(where, row, task, wanted, scaled)


def candidate(path: Path) -> str | None:
    """lmms-eval writes the logs of `org/model` below a folder `org__model`."""
    return path.parent.name.replace("__", "/") if "__" in path.parent.name else None


def is_old(document: Any) -> bool:
    """Whether a JSON document is the older single file."""
    return isinstance(document, dict) and isinstance(document.get("logs"), list)


def _rows(path: Path) -> Iterator[tuple[str, Row | Skipped]]:
    # Lines are also found under the name `.json`: what the first line holds decides, and not its suffix.
    first: Any = next(read_lines(path), ("", None))[1]
    if isinstance(first, Skipped):
        with suppress(LogError):
            first = read_json(path)
    if not is_old(first):
        yield from read_lines(path)
        return
    for number, row in enumerate(first["logs"], 1):
        where = f"entry {number}"
        yield where, row if isinstance(row, dict) else Skipped(where, "not an object")


def _entry(where: str, row: Row, task: str, wanted: Wanted, scaled: Collection[tuple[str, str]]) -> Entry:
    told = row.get("doc")
    doc: Row = told if isinstance(told, dict) else {}
    metrics = _metrics(row)
    details = [value for value in metrics.values() if isinstance(value, dict)]
    if not KEYS & row.keys():
        return Skipped(where, "no lmms-eval entry (no doc_id, no resps)")
    question = fields.first_text(doc, _QUESTION) or _prompt(row)
    question = question or next(filter(None, (fields.first_text(item, _QUESTION) for item in details)), None)
    if question is None:
        return Skipped(where, "no question")
    if not {"resps", "filtered_resps"} & row.keys():
        return Skipped(where, "no answer")
    told_twice = (fields.leaf_of(row.get(name)) for name in ("filtered_resps", "resps"))
    said = [text for text in told_twice if text is not None]
    answer = next((text for text in said if text.strip()), said[0] if said else None)
    metric, score = _score(metrics, scaled)
    categories = [doc, *details]
    return Record(
        where=where,
        id=fields.text_of(row.get("doc_id")) or where,
        question=question,
        truths=fields.truths_of(row.get("target"), alternatives=True) or _first_truth([doc, *details]),
        list_of_truths=fields.list_as_written(row.get("target")),
        answer=answer,
        score=score,
        metric=metric,
        options=_options(doc),
        image_key=_image_key(categories),
        columns={
            **({"task": task} if task else {}),
            **{key: tag for item in categories for key, tag in fields.columns_of(item, wanted).items()},
        },
        error=_error(answer, row),
    )


def _prompt(row: Row) -> str | None:
    """`input` of newer logs; of older ones the first of `arguments`, a list, a list of lists or a dictionary."""
    told = row.get("input") if row.get("input") is not None else row.get("arguments")
    for _ in range(6):
        if isinstance(told, dict):
            told = list(told.values())
        elif not isinstance(told, list) or not told:
            break
        else:
            told = told[0]
    text = fields.text_of(told)
    return text if text and text.strip() else None


def _metrics(row: Row) -> dict[str, Any]:
    return {str(name): value for name, value in row.items() if name not in _OWN}


def _values(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Metric, name of a value in it (the metric's own where it is a plain value), value; the best metric first."""

    def rank(name: str) -> tuple[int, str]:
        return _FIRST.index(name) if name in _FIRST else len(_FIRST), name

    for metric in sorted(metrics, key=rank):
        value = metrics[metric]
        inner = value if isinstance(value, dict) else {metric: value}
        yield from ((metric, str(name), item) for name, item in inner.items())


def _score(metrics: Mapping[str, Any], scaled: Collection[tuple[str, str]]) -> tuple[str, float | None]:
    for metric, name, value in _values(metrics):
        found = None if (metric, name) in scaled else fields.score_of(name, value)
        if found is not None:
            return metric, found
    return "", None


def _first_truth(rows: Iterable[Row]) -> tuple[str, ...]:
    return next(filter(None, (fields.truths_of(row.get(name)) for row in rows for name in _TRUTH)), ())


def _options(doc: Row) -> dict[str, str]:
    listed = next(filter(None, (fields.options_of(doc.get(name)) for name in _OPTIONS)), {})
    lettered = {
        name: text
        for name in "ABCDEFGH"
        if (text := fields.text_of(doc.get(name))) is not None and text.strip()
    }
    return listed or (lettered if len(lettered) > 1 else {})


def _image_key(rows: Iterable[Row]) -> str:
    for row in rows:
        for name in _IMAGE_KEYS:
            text = fields.text_of(row.get(name))
            if text and (name not in _UNSURE or _UNSURE[name].search(text)):
                return text
    return ""


def _error(answer: str | None, row: Row) -> str | None:
    if answer is not None:
        return fields.failure_in(answer)
    return "no_response" if not _numbers(row.get("resps")) else None


def _numbers(value: Any) -> bool:
    """Whether these are log-likelihoods, which answer without words."""
    return isinstance(value, list) and bool(value) and fields.leaf_of(value) is not None
