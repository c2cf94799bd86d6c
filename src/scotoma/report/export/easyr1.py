"""EasyR1: parquet of `problem` (with `<image>` in it), `answer` and `images`.

What its loader requires (EasyR1, verl/utils/dataset.py `RLHFDataset`): the text under `prompt_key` holds one `<image>`
for each entry of `image_key`; an entry is a picture or a record with its `bytes`; `answer_key` is the ground truth.
Give it the file, not the folder: of a folder it takes the type of whichever file comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from scotoma.report.export.form import Form, grader
from scotoma.report.export.item import METADATA, Item
from scotoma.report.export.parquet import Kind, picture_cell, write_parquet
from scotoma.report.export.selection import Selected

COLUMNS: dict[str, Kind] = {
    "problem": "string",
    "answer": "string",
    "images": ["image"],
    **dict.fromkeys(METADATA, "string"),
}
USAGE = """\
    python -m verl.trainer.main config=examples/config.yaml \\
        data.train_files={{ shell }}/{{ data }}.parquet data.val_files={{ shell }}/{{ data }}.parquet \\
        data.prompt_key=problem data.answer_key=answer data.image_key=images \\
        worker.reward.reward_function={{ shell }}/reward.py:compute_score \\
        worker.actor.model.model_path=Qwen/Qwen2.5-VL-7B-Instruct

`test.parquet` is there for `data.val_files` when held-out questions (`confirm`, `test`) were exported.
"""


def write(selected: Selected, folder: Path) -> None:
    """`train.parquet`, `test.parquet` where held-out items were taken, and `reward.py`."""
    for name, items in (("train", selected.training), ("test", selected.held_out)):
        if items:
            write_parquet(folder / f"{name}.parquet", COLUMNS, _rows(items))
    (folder / "reward.py").write_text(grader("easyr1_reward.py.jinja"), encoding="utf-8")


def _rows(items: Iterable[Item]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield {
            "problem": item.marked,
            "answer": item.answer,
            "images": [picture_cell(item.image)],
            **item.metadata(),
        }


FORM = Form("easyr1", "EasyR1: parquet with problem, answer, images", write, USAGE, parquet=True)
