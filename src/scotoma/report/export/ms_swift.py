"""ms-swift: JSON lines of `messages`, `images` (paths) and `solution`; one file for GRPO, one for fine-tuning.

GRPO passes every further column to the reward function; a last assistant turn is what fine-tuning learns
(ms-swift, docs/source_en/Customization/Custom-dataset.md). Relative paths are read below `ROOT_IMAGE_DIR`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from scotoma.report.export.form import Form, grader, write_lines
from scotoma.report.export.item import Item
from scotoma.report.export.picture import write_pictures
from scotoma.report.export.selection import Selected

USAGE = """\
{% set prefix = "test_" if data == "test" else "" %}
    export ROOT_IMAGE_DIR={{ shell }}
    swift rlhf --rlhf_type grpo --model Qwen/Qwen2.5-VL-7B-Instruct --dataset {{ shell }}/{{ prefix }}grpo.jsonl \\
        --external_plugins {{ shell }}/reward.py --reward_funcs scotoma
    swift sft --model Qwen/Qwen2.5-VL-7B-Instruct --dataset {{ shell }}/{{ prefix }}sft.jsonl

`test_grpo.jsonl` and `test_sft.jsonl` are there for `--val_dataset` when held-out questions (`confirm`, `test`) were
exported.
"""


def write(selected: Selected, folder: Path) -> None:
    """`grpo.jsonl`, `sft.jsonl`, both as `test_…` where held-out items were taken, `images/`, `reward.py`."""
    paths = write_pictures(selected.items, folder)
    for prefix, items in (("", selected.training), ("test_", selected.held_out)):
        if items:
            write_lines(folder / f"{prefix}grpo.jsonl", _rows(items, paths, answered=False))
            write_lines(folder / f"{prefix}sft.jsonl", _rows(items, paths, answered=True))
    (folder / "reward.py").write_text(grader("ms_swift_reward.py.jinja"), encoding="utf-8")


def _rows(items: Iterable[Item], paths: dict[str, str], *, answered: bool) -> Iterator[dict[str, Any]]:
    for item in items:
        messages = [{"role": "user", "content": item.marked}]
        if answered:
            messages.append({"role": "assistant", "content": item.answer})
        yield {
            "messages": messages,
            "images": [paths[item.image.id]],
            "solution": item.answer,
            **item.metadata(),
        }


FORM = Form("ms-swift", "ms-swift: JSONL with messages, images, solution (GRPO and SFT)", write, USAGE)
