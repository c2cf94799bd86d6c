"""VLMEvalKit: TSVs that `build_dataset` takes as custom datasets, of short free answers and of multiple choice.

What its loader requires (VLMEvalKit, dataset/__init__.py `build_dataset`, image_base.py `ImageBaseDataset`): a file
under `$LMUData` with the columns `index` (numbers), `image` (base64) and `question`. Columns `A` and `B` turn all of it
into multiple choice, so questions that list options lie in a file of their own, with a letter as the answer.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from scotoma.report.export.form import Form
from scotoma.report.export.item import Item
from scotoma.report.export.picture import encoded
from scotoma.report.export.selection import Selected

COLUMNS = (
    *("index", "image", "question", "answer", "category", "l2-category", "split"),
    *("id", "purpose", "image_id", "image_source", "image_licence"),
)
LETTERS = tuple("ABCDEFGHIJ")
ANSWERED = (*(name for name in COLUMNS if name != "image"), "prediction", "hit")

# pandas, which reads the file there, takes these words for missing values; the evaluation drops the full stop again.
_MISSING = {
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
    *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
}
USAGE = """\
    cp {{ shell }}/{{ name }}*.tsv "${LMUData:-$HOME/LMUData}/"
    python run.py --data {{ name }} --model Qwen2.5-VL-7B-Instruct --mode infer

Questions that list options are in `{{ name }}_mcq.tsv`. `results/`, where it is there, holds what the candidate
answered in the run, in the columns of VLMEvalKit's own results (`prediction`, `hit`); `scotoma import` reads those.
"""


def write(selected: Selected, folder: Path) -> None:
    """`NAME.tsv`, `NAME_mcq.tsv`, and the same in `results/` where the candidate's answers are known."""
    chosen = [item for item in selected.items if item.options is not None]
    free = [item for item in selected.items if item.options is None]
    for name, items, letters in ((selected.name, free, ()), (f"{selected.name}_mcq", chosen, LETTERS)):
        if items:
            _write(folder / f"{name}.tsv", (*COLUMNS, *letters), _rows(items))
        if any(item.reply is not None for item in items):
            (folder / "results").mkdir(exist_ok=True)
            _write(folder / "results" / f"{name}.tsv", (*ANSWERED, *letters), _results(items))


def _rows(items: Iterable[Item]) -> Iterator[dict[str, str | int]]:
    for index, item in enumerate(items):
        yield {"image": encoded(item.image).base64, **_row(index, item)}


def _results(items: Iterable[Item]) -> Iterator[dict[str, str | int]]:
    for index, item in enumerate(items):
        yield {**_row(index, item), "prediction": item.reply or "", "hit": int(item.purpose == "correct")}


def _row(index: int, item: Item) -> dict[str, str | int]:
    told, options = item.metadata(), item.options
    listed: dict[str, str | int] = {}
    if options is not None:
        listed.update(zip(LETTERS, map(_told, options.texts), strict=False))
        listed.update(question=options.stem, answer=options.letter)
    return {
        "index": index,
        "question": item.prompt,
        "answer": _told(item.answer),
        "category": "+".join(item.skills) or "question",
        # Never the purpose, which tells the outcome: `scotoma import` takes categories for what a mode may be made of.
        "l2-category": item.modes[0] if item.modes else "question",
        "split": item.image.split,
        **{name: told[name] for name in ("id", "purpose", "image_id", "image_source", "image_licence")},
        **listed,
    }


def _told(text: str) -> str:
    """Text that pandas does not take for a missing value."""
    return f"{text}." if text in _MISSING else text


def _write(path: Path, columns: tuple[str, ...], rows: Iterable[dict[str, str | int]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, dialect="excel-tab", lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _plain(value) for name, value in row.items()} for row in rows)


def _plain(value: str | int) -> str | int:
    """Text without the control characters at which pandas would end a line or the file."""
    return value if isinstance(value, int) else re.sub(r"\r\n?|[\x00-\x08\x0b\x0c\x0e-\x1f]", "\n", value)


FORM = Form("vlmevalkit", "VLMEvalKit: TSV with the pictures inside", write, USAGE)
