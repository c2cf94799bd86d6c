"""VLMEvalKit's results: a table as `.xlsx`, `.tsv`, `.csv` or `.json` with one row per question.

Columns: `index`, `question`, `A` … (options), `answer`, `prediction`, often `hit` (0/1, once it was evaluated),
`category`, `l2-category`, `split`. A prediction "Failed to obtain answer via API." is a call that failed, and a `hit`
that the tool drew at random because its judge failed decides nothing. Pickles can run code and are refused.

    for entry in read(Path("Model_MMBench.xlsx")): ...
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from scotoma.core import LogError
from scotoma.report.logs import fields, spreadsheet
from scotoma.report.logs.json_lines import begins, read_json
from scotoma.report.logs.record import Entry, Record, Row, Skipped, Wanted

PREDICTION = "prediction"
"""The column that makes a table a result."""

_SCORE = ("hit", "score", "correct", "accuracy", "eval_match", "match", "exact_match", "acc")
_IMAGE_KEYS = ("image_path", "image_id", "img_id", "image_name")
_CIRCLE = 10**6
"""Copies of a question with its options in another order have its index plus a multiple of this."""

_EMPTY = {"", "nan", "none", "null", "#n/a"}
"""How an empty cell of a table may be written."""


def read(path: Path, wanted: Wanted = ()) -> Iterator[Entry]:
    """The rows of a result; `wanted` names columns to take beside the usual categories.

    Raises:
        LogError: the file cannot be opened.
    """
    # Of five points 1 is no full mark: only the whole table tells the scale.
    rows = (row for _, row in _rows(path) if not isinstance(row, Skipped))
    scaled = {name for row in rows for name in _SCORE if fields.above_one(row.get(name))}
    for where, row in _rows(path):
        yield row if isinstance(row, Skipped) else _entry(where, row, wanted, scaled)


def candidate(path: Path) -> str | None:
    """VLMEvalKit writes `MODEL/MODEL_DATASET.xlsx`, or `MODEL/T2025…/MODEL_DATASET.xlsx`."""
    names = (folder.name for folder in list(path.resolve().parents)[:2])
    return next((name for name in names if name and path.name.startswith(f"{name}_")), None)


def table_of(document: Any) -> list[Any] | None:
    """The rows of a JSON table: a list of objects, or pandas' columns (lists, or dictionaries by row)."""
    if isinstance(document, list):
        return document
    if not isinstance(document, dict) or not isinstance(told := document.get(PREDICTION), dict | list):
        return None
    labels: list[Any] = list(told) if isinstance(told, dict) else list(range(len(told)))
    return [{name: _cell(column, label) for name, column in document.items()} for label in labels]


def _cell(column: Any, label: Any) -> Any:
    if isinstance(column, dict):
        return column.get(label)
    return (
        column[label] if isinstance(column, list) and isinstance(label, int) and label < len(column) else None
    )


def _rows(path: Path) -> Iterator[tuple[str, Row | Skipped]]:
    if begins(path).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{"):
        for number, row in enumerate(table_of(read_json(path)) or (), 1):
            where = f"entry {number}"
            yield where, row if isinstance(row, dict) else Skipped(where, "not an object")
        return
    number, names = 0, None
    try:
        for number, values in enumerate(_lines(path), 1):
            if names is None:
                names = [(value or "").strip().lstrip("\ufeff") for value in values]
            elif any(value is not None and value.strip() for value in values):
                # A short row lacks its last cells; what is more than the names has none to be known by.
                padded = [*values, *[None] * (len(names) - len(values))]
                yield f"row {number}", dict(zip(names, padded, strict=False))
    except (*spreadsheet.BROKEN, csv.Error) as error:
        where, left = f"row {number + 1} on", spreadsheet.row_count(path) - number
        yield where, Skipped(where, f"damaged table ({type(error).__name__})", max(1, left))


def _lines(path: Path) -> Iterator[list[str | None]]:
    if begins(path).startswith(b"PK"):
        yield from spreadsheet.rows(path)
        return
    csv.field_size_limit(2**31 - 1)  # a cell may hold a picture as base64
    try:
        table = path.open(encoding="utf-8", errors="replace", newline="")
    except OSError as error:
        raise LogError(f"cannot read {path}: {error.strerror}") from error
    with table:
        header = table.readline()
        table.seek(0)
        for values in csv.reader(table, delimiter="\t" if "\t" in header else ","):
            yield list(values)


def _entry(where: str, row: Row, wanted: Wanted, scaled: Collection[str]) -> Entry:
    question = fields.first_text(row, ("question", "query", "prompt"))
    if question is None:
        return Skipped(where, "no question")
    if PREDICTION not in row:
        return Skipped(where, "no answer")
    answer = fields.text_of(row[PREDICTION])
    answer = None if answer is None or answer.strip().lower() in _EMPTY - {"none"} else answer
    options = {letter: text for letter in "ABCDEFGHIJ" if (text := fields.text_of(_filled(row.get(letter))))}
    metric, score = _score(row, scaled)
    return Record(
        where=where,
        id=fields.first_text(row, ("g_index", "index", "id", "question_id")) or where,
        question="\n".join([question, *(f"{letter}. {text}" for letter, text in options.items())]),
        truths=fields.truths_of(_filled(row.get("answer")), alternatives=True),
        list_of_truths=fields.list_as_written(row.get("answer")),
        answer=answer,
        score=score,
        metric=metric,
        options=options,
        image=fields.picture_of(row.get("image")),
        image_key=fields.first_text(row, _IMAGE_KEYS) or (_circular_key(row, question) if options else ""),
        columns=fields.columns_of({name: _filled(value) for name, value in row.items()}, wanted),
        error="no_response" if answer is None else fields.failure_in(answer),
    )


def _circular_key(row: Row, question: str) -> str:
    """What all circular copies of a question share; the question is in it, for other tables count from 0 too."""
    index = fields.text_of(row.get("index")) or ""
    number = re.fullmatch(r"(\d{1,15})(?:\.0)?", index.strip())
    return f"{int(number[1]) % _CIRCLE} {question}" if number else ""


def _score(row: Row, scaled: Collection[str]) -> tuple[str, float | None]:
    log = fields.text_of(row.get("log")) or ""
    if re.search(r"random(?:ly)? generat|failed to predict", log, re.IGNORECASE):
        return "", None
    for name in (name for name in _SCORE if name not in scaled):
        value = row.get(name)
        try:
            number = float(value) if isinstance(value, str) else value
        except ValueError:
            number = value
        found = fields.score_of(name, number)
        if found is not None:
            return name, found
    return "", None


def _filled(value: Any) -> Any:
    """The value, or None where a table writes emptiness."""
    return None if isinstance(value, str) and value.strip().lower() in _EMPTY - {"none"} else value
