"""Inspect: a task with its samples, and an `.eval` log of what the candidate answered in the run.

The log is written as Inspect's own recorder lays it out (inspect_ai, log/_recorders/eval.py): a zip of `header.json`,
`summaries.json` and one `samples/ID_epoch_1.json` for each question; no part of Inspect is needed for that.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import scotoma
from scotoma.report.export.form import Form, grader, write_lines
from scotoma.report.export.item import Item
from scotoma.report.export.picture import encoded, write_pictures
from scotoma.report.export.selection import Selected

SCORER = "scotoma"
USAGE = """\
    inspect eval {{ shell }}/task.py@{{ name }} --model openai/gpt-4o
    inspect view --log-dir {{ shell }}/logs

`logs/` is there where the export has questions that the candidate was asked; it holds what it answered. Logs can be
read back: `scotoma import LOG.eval`.
"""


def write(selected: Selected, folder: Path) -> None:
    """`task.py`, `samples.jsonl`, `images/`, and a log in `logs/` where the candidate's answers are known."""
    paths = write_pictures(selected.items, folder)
    write_lines(folder / "samples.jsonl", (_sample(item, paths[item.image.id]) for item in selected.items))
    (folder / "task.py").write_text(grader("inspect_task.py.jinja", name=selected.name), encoding="utf-8")
    if any(item.reply is not None for item in selected.items):
        _write_log(selected, folder / "logs")


def _sample(item: Item, image: str) -> dict[str, Any]:
    """A sample of a dataset, as `json_dataset` reads it; also the beginning of one in a log."""
    content = [{"type": "image", "image": image}, {"type": "text", "text": item.prompt}]
    sample = {
        "id": item.id,
        "input": [{"role": "user", "content": content}],
        "target": item.answer,
        "metadata": item.metadata(),
    }
    options = item.options
    return sample if options is None else {**sample, "choices": options.texts, "target": options.letter}


def _write_log(selected: Selected, folder: Path) -> None:
    folder.mkdir()
    begun = selected.started.isoformat(timespec="seconds")
    name = f"{begun.replace(':', '-')}_{selected.name.replace('_', '-')}_{selected.items[0].id}.eval"
    header = _header(selected, begun)
    answered = [item for item in selected.items if item.reply is not None]
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as log:
        _put(log, "_journal/start.json", {key: header[key] for key in ("version", "eval", "plan")})
        for item in answered:
            _put(log, f"samples/{item.id}_epoch_1.json", _logged(item, selected.answered_by))
        _put(log, "summaries.json", list(_summaries(answered)))
        _put(log, "header.json", header)


def _header(selected: Selected, begun: str) -> dict[str, Any]:
    answered = [item for item in selected.items if item.reply is not None]
    right = sum(item.purpose == "correct" for item in answered)
    accuracy = {"name": "accuracy", "value": right / len(answered), "params": {}}
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "eval_id": selected.items[0].id,
            "run_id": selected.items[0].id,
            "task_id": selected.name,
            "created": begun,
            "task": selected.name,
            "task_file": "task.py",
            "dataset": {
                "name": selected.name,
                "location": "samples.jsonl",
                "samples": len(answered),
                "sample_ids": [item.id for item in answered],
                "shuffled": False,
            },
            "model": selected.answered_by,
            "config": {"epochs": 1},
            "packages": {"scotoma": scotoma.__version__},
            "metadata": {"scotoma_run": selected.run, "images": selected.images, "what": selected.what},
            "scorers": [{"name": SCORER, "options": {}, "metrics": [{"name": "accuracy"}]}],
        },
        "plan": {"name": "plan", "steps": [{"solver": "generate", "params": {}}], "config": {}},
        "results": {
            "total_samples": len(answered),
            "completed_samples": len(answered),
            "scores": [
                {
                    "name": SCORER,
                    "scorer": SCORER,
                    "scored_samples": len(answered),
                    "unscored_samples": 0,
                    "params": {},
                    "metrics": {"accuracy": accuracy},
                }
            ],
        },
        "stats": {"started_at": begun, "completed_at": begun, "model_usage": {}},
    }


def _logged(item: Item, model: str) -> dict[str, Any]:
    # A log is one file, so the picture is in it.
    sample = _sample(item, encoded(item.image).data_url)
    reply = {"role": "assistant", "content": item.reply, "source": "generate", "model": model}
    return {
        **sample,
        "epoch": 1,
        "messages": [*sample["input"], reply],
        "output": {
            "model": model,
            "choices": [{"message": reply, "stop_reason": "stop"}],
            "completion": item.reply,
        },
        "scores": _scores(item),
        "uuid": item.id,
    }


def _summaries(items: list[Item]) -> Iterator[dict[str, Any]]:
    for item in items:
        yield {
            "id": item.id,
            "epoch": 1,
            "input": item.prompt,
            "target": item.answer if item.options is None else item.options.letter,
            "metadata": {"failure_mode": ",".join(item.modes), "purpose": item.purpose},
            "scores": _scores(item),
            "completed": True,
            "message_count": 2,
            "uuid": item.id,
        }


def _scores(item: Item) -> dict[str, Any]:
    return {SCORER: {"value": "C" if item.purpose == "correct" else "I", "answer": item.reply}}


def _put(log: zipfile.ZipFile, name: str, document: Any) -> None:
    log.writestr(name, json.dumps(document, ensure_ascii=False))


FORM = Form("inspect", "Inspect: a task, its samples, and a log of the candidate's answers", write, USAGE)
