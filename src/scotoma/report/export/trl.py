"""TRL: parquet of `prompt` (a conversation), `images` and `solution`, as `GRPOTrainer` takes them.

TRL puts the pictures of `images` before the first user turn itself (trl, data_utils.prepare_multimodal_messages), so
the prompt has no placeholder; every further column reaches the reward function by its name.
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
    "prompt": [{"role": "string", "content": "string"}],
    "images": ["image"],
    "solution": "string",
    **dict.fromkeys(METADATA, "string"),
}
USAGE = """\
    import sys; sys.path.insert(0, "{{ folder }}")
    from datasets import load_dataset
    from reward import reward
    from trl import GRPOTrainer

    data = load_dataset("parquet", data_files="{{ folder }}/{{ data }}.parquet", split="train")
    GRPOTrainer(model="Qwen/Qwen2.5-VL-7B-Instruct", reward_funcs=reward, train_dataset=data).train()
"""


def write(selected: Selected, folder: Path) -> None:
    """`train.parquet`, `test.parquet` where held-out items were taken, and `reward.py`."""
    for name, items in (("train", selected.training), ("test", selected.held_out)):
        if items:
            write_parquet(folder / f"{name}.parquet", COLUMNS, _rows(items))
    (folder / "reward.py").write_text(grader("trl_reward.py.jinja"), encoding="utf-8")


def _rows(items: Iterable[Item]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield {
            "prompt": [{"role": "user", "content": item.prompt}],
            "images": [picture_cell(item.image)],
            "solution": item.answer,
            **item.metadata(),
        }


FORM = Form("trl", "TRL's GRPOTrainer: parquet with prompt, images, solution", write, USAGE, parquet=True)
