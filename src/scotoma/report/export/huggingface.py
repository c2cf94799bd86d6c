"""A Hugging Face dataset: one parquet file per split, and a card with modes, rates, licences and provenance.

datasets.load_dataset("exports/hf")["train"][0]["image"]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from scotoma.core import SPLITS
from scotoma.report.export.form import Form
from scotoma.report.export.item import METADATA, Item
from scotoma.report.export.parquet import Kind, picture_cell, write_parquet
from scotoma.report.export.selection import Selected

COLUMNS: dict[str, Kind] = {
    "image": "image",
    "question": "string",
    "answer": "string",
    **dict.fromkeys(METADATA, "string"),
    "skills": ["string"],
    "failure_modes": ["string"],
}
USAGE = """\
    from datasets import load_dataset

    data = load_dataset("{{ folder }}")

Share it with `hf upload NAME {{ shell }} --repo-type dataset`.
"""


def write(selected: Selected, folder: Path) -> None:
    """`data/SPLIT-00000-of-00001.parquet`; the card names them."""
    for split in SPLITS:
        items = [item for item in selected.items if item.image.split == split]
        if items:
            write_parquet(folder / _path(split), COLUMNS, _rows(items))


def data_files(selected: Selected) -> dict[str, str]:
    """Split → path of its file, for the header of the card."""
    there = {item.image.split for item in selected.items}
    return {split: _path(split) for split in SPLITS if split in there}


def _path(split: str) -> str:
    return f"data/{split}-00000-of-00001.parquet"


def _rows(items: Iterable[Item]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield {
            **item.metadata(),
            "image": picture_cell(item.image),
            "question": item.prompt,
            "answer": item.answer,
            "skills": list(item.skills),
            "failure_modes": list(item.modes),
        }


FORM = Form("hf", "a Hugging Face dataset with its card", write, USAGE, parquet=True, data_files=data_files)
