"""OpenAI's chat format: one conversation a line, the picture in it as a data URL, the answer as the assistant's turn.

Fine-tuning endpoints take PNG, JPEG and WebP in RGB or RGBA (developers.openai.com, vision fine-tuning) and refuse
lines with other keys than `messages`: ids, licences and modes stand in `metadata.jsonl`, line by line the same items.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from scotoma.report.export.form import Form, write_lines
from scotoma.report.export.item import Item
from scotoma.report.export.picture import encoded
from scotoma.report.export.selection import Selected

USAGE = """\
    openai api files.create -f {{ shell }}/{{ data }}.jsonl -p fine-tune

Line *n* of `metadata.jsonl` tells id, failure mode, licence and source of line *n* of `train.jsonl`; so does
`test_metadata.jsonl` of `test.jsonl`, which holds the held-out questions (`confirm`, `test`) if any were exported.
"""


def write(selected: Selected, folder: Path) -> None:
    """`train.jsonl` with `metadata.jsonl`, and the same of the held-out splits where items of them were taken."""
    for name, metadata, items in (
        ("train", "metadata", selected.training),
        ("test", "test_metadata", selected.held_out),
    ):
        if items:
            write_lines(folder / f"{name}.jsonl", _rows(items))
            write_lines(folder / f"{metadata}.jsonl", (item.metadata() for item in items))


def _rows(items: Iterable[Item]) -> Iterator[dict[str, Any]]:
    for item in items:
        asked = [
            {"type": "image_url", "image_url": {"url": encoded(item.image, ("RGB",)).data_url}},
            {"type": "text", "text": item.prompt},
        ]
        yield {
            "messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": item.answer}]
        }


FORM = Form("openai", "OpenAI chat JSONL with the pictures inside", write, USAGE)
