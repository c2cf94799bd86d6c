"""`scotoma doctor`: is everything there that Scotoma needs, and does the embedded model answer?"""

from __future__ import annotations

import importlib
import json as jsonlib
import os
import platform
import shutil
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from scotoma.cli import console
from scotoma.core import ScotomaError

_NEEDED = ("torch", "transformers", "trl", "peft", "accelerate", "datasets")


def command(
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check the installation: versions, cores, memory, disk, the embedded models, one real answer.

    Exits with 1 when something that `scotoma evolve` needs is missing.
    """
    findings = [*_machine(), *_packages(), *_models()]
    if json:
        typer.echo(jsonlib.dumps(findings, indent=2))
    else:
        table = Table(show_header=False, box=None)
        for finding in findings:
            mark = "[green]ok[/]" if finding["ok"] else "[red]missing[/]"
            table.add_row(mark, console.safe(finding["what"]), console.safe(finding["detail"]))
        console.out.print(table)
    if not all(finding["ok"] for finding in findings):
        raise typer.Exit(1)


def _finding(what: str, ok: bool, detail: str) -> dict[str, Any]:
    return {"what": what, "ok": ok, "detail": detail}


def _machine() -> list[dict[str, Any]]:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        _finding("python", True, platform.python_version()),
        _finding("cores", True, str(os.cpu_count())),
        _finding("memory", memory >= 4, f"{memory:.1f} GiB (4 needed)"),
        _finding("disk", free >= 1, f"{free:.1f} GiB free here (1 needed)"),
    ]


def _packages() -> list[dict[str, Any]]:
    found = []
    for name in _NEEDED:
        try:
            found.append(_finding(name, True, metadata.version(name)))
        except metadata.PackageNotFoundError:
            found.append(_finding(name, False, "pip install 'scotoma[train]'"))
    return found


def _models() -> list[dict[str, Any]]:
    found = []
    for spec in ("pupil", "questioner"):
        try:
            found.append(_finding(spec, True, _speak(spec)))
        except ScotomaError as error:
            found.append(_finding(spec, False, str(error)))
    return found


def _speak(spec: str) -> str:
    """One real reply about one real picture."""
    from scotoma.core import Request, Sampling
    from scotoma.models.spec import load_model

    world = importlib.import_module("scotoma.images.worlds.shapes").ShapesWorld()
    record = next(world.images("discover", 0))
    text = "ask about counting" if spec == "questioner" else "how many things are there ?"
    [reply] = load_model(spec).answer([Request((record,), text, sampling=Sampling(max_tokens=32))])
    if reply.error is not None:
        raise ScotomaError(f"{spec} does not answer: {reply.error.message}")
    return f"{text!r} → {reply.text!r}"
