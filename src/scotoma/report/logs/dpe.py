"""DPE's and EasyR1's parquet: `problem`, `answer`, `images`, and a column with what the candidate answered.

Training sets have no such column: they are told so, not imported. A question that was answered several times (DPE asks
nine) has lists under the response and its accuracy; the mean accuracy is its C_Q.

    for entry in read(Path("diagnosis.parquet")): ...
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scotoma.core import ConfigError, LogError
from scotoma.report.logs import fields
from scotoma.report.logs.record import Entry, Record, Row, Skipped, Wanted
from scotoma.report.logs.several import answered, mean_score

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

_QUESTION = ("problem", "question", "prompt", "query")
_TRUTH = ("answer", "ground_truth", "solution", "gt")
_RESPONSE = (
    "response", "responses", "prediction", "predictions", "model_answer", "model_response", "output", "outputs",
    "completion", "completions", "generated",
)  # fmt: skip
_SCORE = (
    "accuracy",
    "acc",
    "correct",
    "is_correct",
    "pass_rate",
    "accuracies",
    "score",
    "scores",
    "reward",
    "rewards",
)
_IMAGES = ("images", "image")
# Arithmetic and look-up: a date beyond the year 9999, a time zone that is not known here.
_UNREADABLE = (OSError, ValueError, ArithmeticError, LookupError)
_ROWS = 128
"""Rows in memory at a time; each may hold a picture."""


def read(path: Path, wanted: Wanted = ()) -> Iterator[Entry]:
    """The rows of a parquet file; `wanted` names columns to take beside the usual categories.

    Raises:
        ConfigError: pyarrow is not installed.
        LogError: the file is no parquet that can be opened.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError("reading parquet needs pyarrow", hint="pip install pyarrow") from error
    try:
        # Read piece by piece: a row group of pictures may be larger than the memory there is.
        table = pyarrow.parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
    except (OSError, pyarrow.ArrowException) as error:
        raise LogError(
            f"{path} is no parquet file that can be read: {error}", hint="copy it again"
        ) from error
    number = 0
    with table:
        scaled = _scaled(table)
        try:
            for batch in table.iter_batches(batch_size=_ROWS, use_threads=False):
                for row in batch.select(_readable(batch.schema, wanted)).to_pylist():
                    number += 1
                    yield _entry(f"row {number}", row, wanted, scaled)
        except (*_UNREADABLE, pyarrow.ArrowException) as error:
            left = table.metadata.num_rows - number
            yield Skipped(f"row {number + 1} on", f"damaged parquet ({type(error).__name__})", max(1, left))


def _readable(schema: pyarrow.Schema, wanted: Wanted) -> list[int]:
    """The columns that are read: all but dates and times that nobody wants, some of which Python does not have."""
    import pyarrow

    return [
        at
        for at, field in enumerate(schema)
        if not pyarrow.types.is_temporal(field.type) or fields.clean_key(field.name) in (wanted or ())
    ]


def _scaled(table: pyarrow.parquet.ParquetFile) -> frozenset[str]:
    """Score columns with a value above 1: of ten points 1 is no full mark, and only the whole file tells the scale."""
    import pyarrow

    found: set[str] = set()
    names = [name for name in _SCORE if name in table.schema_arrow.names]
    with suppress(*_UNREADABLE, pyarrow.ArrowException):  # damage is told where the rows are read
        for batch in table.iter_batches(columns=names, use_threads=False) if names else ():
            for row in batch.to_pylist():
                for name, value in row.items():
                    if any(map(fields.above_one, value if isinstance(value, list) else [value])):
                        found.add(name)
    return frozenset(found)


def _entry(where: str, row: Row, wanted: Wanted, scaled: Collection[str]) -> Entry:
    question = fields.first_text(row, _QUESTION)
    if question is None:
        return Skipped(where, "no question")
    told = next((name for name in _RESPONSE if name in row), None)
    scored = next((name for name in _SCORE if name in row), None)
    clear = scored if scored not in scaled else None
    if told is None and scored is None:
        return Skipped(where, "no answer")
    answer: str | None = ""
    score = row.get(clear) if clear else None
    error = None
    if told is not None:
        answer, score, error = answered(row.get(told), clear, score)
    picture, name = _picture(next((row[name] for name in _IMAGES if row.get(name)), None))
    return Record(
        where=where,
        id=fields.first_text(row, ("id", "uid", "index", "question_id")) or where,
        question=question,
        truths=fields.truths_of(row.get(next((name for name in _TRUTH if name in row), ""))),
        answer=answer,
        score=mean_score(clear, score) if clear else None,
        metric=clear or "",
        options=fields.options_of(row.get("options", row.get("choices"))),
        image=picture,
        image_key=name,
        columns={**fields.columns_of(_inner(row), wanted), **fields.columns_of(row, wanted)},
        error=error,
    )


def _picture(value: Any) -> tuple[bytes | Path | None, str]:
    """The picture and, where the row holds no bytes, what it is called: EasyR1 keeps bytes or, under `path`, where the
    file lies.
    """
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, dict) and not first.get("bytes"):
        first = first.get("path")
    if isinstance(first, str) and len(first) < 1000 and "base64," not in first:
        return Path(first), first
    read = fields.picture_of(first)
    return read, first if read is None and isinstance(first, str) else ""


def _inner(row: Row) -> Row:
    """The metadata that some sets keep in one column, as a struct or as text."""
    for name in ("extra_info", "metadata"):
        value = fields.written_out(row.get(name))
        if isinstance(value, dict):
            return value
    return {}
