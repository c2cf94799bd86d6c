"""The README of an export, which is also its dataset card: what is in it, of which modes, under which licences.

card(selected, form, Path("exports/trl"))
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import yaml

import scotoma
from scotoma.core import FailureMode
from scotoma.report.export.form import Form, rendered
from scotoma.report.export.selection import Selected

_PURPOSES = {
    "mode": "`mode`: made for a failure mode",
    "contrast": "`contrast`: alike, but for the answer that the mode names",
    "retention": "`retention`: uniform questions, so that nothing is unlearnt",
    "uniform": "`uniform`: aimed at nothing, for control",
    "failure": "`failure`: the candidate's answer was wrong",
    "correct": "`correct`: the candidate's answer was right",
}
_LICENCES = {"cc0-1.0", "apache-2.0", "mit", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "odbl", "unknown"}
"""Names that the Hugging Face hub knows; any other is `other` there."""
_SHOWN = 40
"""Rows of the table of sources: a folder of photos has one source per file."""


def card(selected: Selected, form: Form, folder: Path) -> str:
    """Markdown with a YAML header, as the Hugging Face hub reads it. `folder` is where the export will lie."""
    pictures = {item.image.id: item.image for item in selected.items}
    licences = {picture.licence.lower().partition(" ")[0] for picture in pictures.values()}
    header: dict[str, Any] = {
        "pretty_name": f"Scotoma: {selected.what} of {selected.run}",
        "license": licences.pop() if len(licences) == 1 and licences <= _LICENCES else "other",
        "task_categories": ["visual-question-answering"],
        "language": ["en"],
        "tags": ["scotoma", "failure-modes"],
    }
    if form.data_files is not None:
        header["configs"] = [
            {
                "config_name": "default",
                "data_files": [
                    {"split": name, "path": path} for name, path in form.data_files(selected).items()
                ],
            }
        ]
    purposes = Counter(item.purpose for item in selected.items).most_common()
    here = Counter(name for item in selected.items for name in item.modes)
    sources = Counter((picture.source, picture.licence) for picture in pictures.values()).most_common()
    rows = [(source, licence, count) for (source, licence), count in sources[:_SHOWN]]
    if len(sources) > _SHOWN:
        by_licence = Counter[str]()
        for (_, licence), count in sources[_SHOWN:]:
            by_licence[licence] += count
        rows += [("more sources", licence, count) for licence, count in by_licence.most_common()]
    return rendered(
        "card.md.jinja",
        header=yaml.safe_dump(header, sort_keys=False, allow_unicode=True),
        title=header["pretty_name"],
        items=selected.items,
        pictures=len(pictures),
        version=scotoma.__version__,
        selected=selected,
        form=form,
        usage=form.instructions(selected, folder),
        purposes=purposes,
        purposes_told="; ".join(_PURPOSES[purpose] for purpose, _ in purposes if purpose in _PURPOSES),
        modes=[_row(mode, here[mode.id]) for mode in selected.modes if mode.status != "rejected"],
        sources=rows,
        skipped=selected.skipped.most_common(),
    )


def _row(mode: FailureMode, here: int) -> dict[str, Any]:
    rate = mode.failure_rate or mode.suspected_rate
    return {
        "id": mode.id,
        "description": mode.description,
        "predicate": str(mode.predicate),
        "status": mode.status,
        "rate": rate.percent() if rate else "–",
        "base": mode.base_rate.percent() if mode.base_rate else "–",
        "q": f"{mode.q_value:.2g}" if mode.q_value is not None else "–",
        "here": here,
    }
