"""lmms-eval: a task folder that `--include_path` finds: YAML, `utils.py` and the questions as parquet.

What its task manager requires (lmms-eval, api/task.py `ConfigurableTask`): `dataset_path` and `dataset_kwargs` go to
`datasets.load_dataset`; `!function utils.NAME` is looked up in `utils.py` beside the YAML, which lets the folder be
moved: the path of the parquet file is found from there. `doc_to_visual` returns a list of RGB pictures,
`process_results` a score for every metric in `metric_list`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from scotoma.report.export.form import Form, grader, rendered
from scotoma.report.export.item import METADATA, Item
from scotoma.report.export.parquet import Kind, picture_cell, write_parquet
from scotoma.report.export.selection import Selected

COLUMNS: dict[str, Kind] = {
    "image": "image",
    "question": "string",
    "answer": "string",
    **dict.fromkeys(METADATA, "string"),
}
USAGE = """\
    python -m lmms_eval --include_path {{ shell }} --tasks {{ name }} --log_samples --output_path logs \\
        --model qwen2_5_vl --model_args pretrained=Qwen/Qwen2.5-VL-7B-Instruct

The sample logs that it writes can be read back: `scotoma import logs/…_samples_{{ name }}.jsonl`.
"""


def write(selected: Selected, folder: Path) -> None:
    """`NAME.yaml`, `utils.py` and `questions.parquet`."""
    write_parquet(folder / "questions.parquet", COLUMNS, _rows(selected.items))
    yaml = rendered("lmms_eval.yaml.jinja", name=selected.name)
    (folder / f"{selected.name}.yaml").write_text(yaml, encoding="utf-8")
    (folder / "utils.py").write_text(grader("lmms_eval_utils.py.jinja"), encoding="utf-8")


def _rows(items: Iterable[Item]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield {
            "image": picture_cell(item.image),
            "question": item.prompt,
            "answer": item.answer,
            **item.metadata(),
        }


FORM = Form("lmms-eval", "lmms-eval: a task folder (YAML, utils.py, parquet)", write, USAGE, parquet=True)
