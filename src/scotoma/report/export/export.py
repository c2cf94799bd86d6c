"""From a run to a folder that another tool reads: whole or not at all, and never over anything but an older export.

exported = export("runs/demo", "verl", Selection(mode="m3"), out=Path("exports/verl"))
"""

from __future__ import annotations

import difflib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import scotoma
from scotoma.core import ConfigError, StorageError
from scotoma.report.export import (
    easyr1,
    huggingface,
    inspect,
    llama_factory,
    lmms_eval,
    ms_swift,
    openai,
    trl,
    verl,
    vlmevalkit,
)
from scotoma.report.export.card import card
from scotoma.report.export.form import Form
from scotoma.report.export.selection import Selection, select
from scotoma.store import Run
from scotoma.store.durable import replace_durably

FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        *(trl.FORM, verl.FORM, easyr1.FORM, ms_swift.FORM, llama_factory.FORM, openai.FORM),
        *(lmms_eval.FORM, vlmevalkit.FORM, inspect.FORM, huggingface.FORM),
    )
}
"""Every format by its name on the command line."""

MARKER = ".scotoma-export.json"
"""Says how an export was made; hidden, so that no loader takes it for data."""


@dataclass(frozen=True)
class Exported:
    """What was written. `skipped`: what was left out, by reason; `usage`: how to go on, as Markdown."""

    path: Path
    form: str
    what: str
    questions: int
    pictures: int
    skipped: dict[str, int]
    usage: str


def export(
    run: str | Path,
    form: str,
    selection: Selection | None = None,
    *,
    out: Path | None = None,
    force: bool = False,
) -> Exported:
    """Write what `selection` takes from a run, finished, unfinished or copied, in the format `form`.

    `out` is `RUN/exports/FORM` by default. A folder that is not empty is replaced with `force` only, and then whole:
    its old content is there until the new is written.

    Raises:
        ConfigError: no such format, mode, arm or round, or the format needs pyarrow, which is not installed.
        RunError: there is no run, or it has nothing of what was asked for.
        StorageError: `out` is not empty, or cannot be written; what was there is untouched.
        ImageError: a picture of the run is missing or damaged.
    """
    wanted = _form(form)
    with Run.read(run) as opened:
        folder = (out or opened.path / "exports" / wanted.name).resolve()
        _check_folder(folder, opened.path.resolve(), force=force)
        selected = select(opened, selection or Selection())

        def write(partial: Path) -> None:
            partial.mkdir(parents=True)
            wanted.write(selected, partial)
            marker = {
                "scotoma": scotoma.__version__,
                "run": selected.run,
                "format": wanted.name,
                "selection": (selection or Selection()).model_dump(mode="json") | {"what": selected.what},
                "questions": len(selected.items),
                "skipped": dict(selected.skipped),
            }
            (partial / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
            (partial / "README.md").write_text(card(selected, wanted, folder), encoding="utf-8")

        replace_durably(folder, write)
    return Exported(
        path=folder,
        form=wanted.name,
        what=selected.what,
        questions=len(selected.items),
        pictures=len({item.image.id for item in selected.items}),
        skipped=dict(selected.skipped),
        usage=wanted.instructions(selected, folder),
    )


def _form(name: str) -> Form:
    form = FORMS.get(name)
    if form is None:
        near = difflib.get_close_matches(name, FORMS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the formats are {', '.join(FORMS)}"
        raise ConfigError(f"there is no format {name!r}", hint=hint)
    if form.parquet and importlib.util.find_spec("pyarrow") is None:
        raise ConfigError(
            f"the format {name} is written as parquet, which needs pyarrow",
            hint="pip install 'scotoma[train]', or take a format of plain text: "
            + ", ".join(form.name for form in FORMS.values() if not form.parquet),
        )
    return form


def _check_folder(folder: Path, run: Path, *, force: bool) -> None:
    """Refuse, before anything is read or written, a place that holds something else."""
    if folder.exists() and not folder.is_dir():
        raise StorageError(f"{folder} is a file, not a folder", hint="choose another --out")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    # `--force` replaces the whole folder: never one that somebody lives in, or that no export has made.
    lived_in = {run, Path.home(), Path.cwd()}
    if (
        not (folder / MARKER).is_file()
        or (folder / "run.yaml").exists()
        or (folder / ".git").exists()
        or any(place.is_relative_to(folder) for place in lived_in)
    ):
        raise StorageError(f"{folder} holds more than an export", hint="choose another --out")
    if not force:
        raise StorageError(
            f"{folder} is not empty", hint="choose another --out, or replace what is there with --force"
        )
