"""LLaMA-Factory: ShareGPT JSON with pictures beside it, and the `dataset_info.json` that declares it.

What its converter requires (LLaMA-Factory, data/converter.py `SharegptDatasetConverter`): human and gpt by turns, one
`<image>` in the text for each path in `images`; paths are read below `media_dir`, by default the dataset folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scotoma.report.export.form import Form
from scotoma.report.export.item import Item
from scotoma.report.export.picture import write_pictures
from scotoma.report.export.selection import Selected

USAGE = """\
    llamafactory-cli train --stage sft --do_train --finetuning_type lora --template qwen2_vl \\
        --model_name_or_path Qwen/Qwen2.5-VL-7B-Instruct --output_dir out \\
        --dataset_dir {{ shell }} --media_dir {{ shell }} --dataset {{ name }}{{ "_test" if data == "test" else "" }}

`{{ name }}_test` is there for `--eval_dataset` when held-out questions (`confirm`, `test`) were exported.
"""


def write(selected: Selected, folder: Path) -> None:
    """`NAME.json`, `NAME_test.json` where held-out items were taken, `dataset_info.json` and `images/`."""
    paths = write_pictures(selected.items, folder)
    declared: dict[str, Any] = {}
    for name, items in ((selected.name, selected.training), (f"{selected.name}_test", selected.held_out)):
        if items:
            _write_rows(folder / f"{name}.json", items, paths)
            declared[name] = {
                "file_name": f"{name}.json",
                "formatting": "sharegpt",
                "columns": {"messages": "conversations", "images": "images"},
                "tags": {
                    "role_tag": "from",
                    "content_tag": "value",
                    "user_tag": "human",
                    "assistant_tag": "gpt",
                },
            }
    (folder / "dataset_info.json").write_text(json.dumps(declared, indent=2) + "\n", encoding="utf-8")


def _write_rows(path: Path, items: Iterable[Item], paths: dict[str, str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number, item in enumerate(items):
            row = {
                "conversations": [
                    {"from": "human", "value": item.marked},
                    {"from": "gpt", "value": item.answer},
                ],
                "images": [paths[item.image.id]],
                **item.metadata(),
            }
            file.write(("[\n" if number == 0 else ",\n") + json.dumps(row, ensure_ascii=False))
        file.write("\n]\n")


FORM = Form("llama-factory", "LLaMA-Factory: ShareGPT JSON and dataset_info.json", write, USAGE)
