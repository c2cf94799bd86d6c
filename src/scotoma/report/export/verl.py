"""verl: parquet of `data_source`, `prompt`, `images`, `ability`, `reward_model` and `extra_info`.

What its loader requires (verl, utils/dataset/rl_dataset.py `RLHFDataset._build_messages`): `prompt` is a list of
messages whose text holds one `<image>` for each entry of `images`; an entry is a picture, or a record with its `bytes`.
The reward manager hands `data_source`, `reward_model.ground_truth` and `extra_info` to `compute_score`.
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
    "data_source": "string",
    "prompt": [{"role": "string", "content": "string"}],
    "images": ["image"],
    "ability": "string",
    "reward_model": {"style": "string", "ground_truth": "string"},
    "extra_info": {
        "index": "int64",
        "question": "string",
        "answer": "string",
        **dict.fromkeys(METADATA, "string"),
    },
}
USAGE = """\
    python -m verl.trainer.main_ppo algorithm.adv_estimator=grpo data.image_key=images \\
        data.train_files={{ shell }}/{{ data }}.parquet data.val_files={{ shell }}/{{ data }}.parquet \\
        custom_reward_function.path={{ shell }}/reward.py custom_reward_function.name=compute_score \\
        actor_rollout_ref.model.path=Qwen/Qwen2.5-VL-7B-Instruct

`test.parquet` is there for `data.val_files` when held-out questions (`confirm`, `test`) were exported.
"""


def write(selected: Selected, folder: Path) -> None:
    """`train.parquet`, `test.parquet` where held-out items were taken, and `reward.py`."""
    for name, items in (("train", selected.training), ("test", selected.held_out)):
        if items:
            write_parquet(folder / f"{name}.parquet", COLUMNS, _rows(items, selected.name))
    (folder / "reward.py").write_text(grader("verl_reward.py.jinja"), encoding="utf-8")


def _rows(items: Iterable[Item], source: str) -> Iterator[dict[str, Any]]:
    for index, item in enumerate(items):
        yield {
            "data_source": source,
            "prompt": [{"role": "user", "content": item.marked}],
            "images": [picture_cell(item.image)],
            "ability": "+".join(item.skills) or "vision",
            "reward_model": {"style": "rule", "ground_truth": item.answer},
            "extra_info": {
                "index": index,
                "question": item.prompt,
                "answer": item.answer,
                **item.metadata(),
            },
        }


FORM = Form("verl", "verl: parquet with prompt, images, reward_model", write, USAGE, parquet=True)
