"""`scotoma report`: one HTML file from a run, finished or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scotoma.cli import console
from scotoma.core import StorageError


def command(
    run_dir: Annotated[
        Path, typer.Argument(metavar="DIR", help="A run folder, also a copied or unfinished one.")
    ],
    out: Annotated[Path | None, typer.Option(help="Where to write it; DIR/report.html by default.")] = None,
) -> None:
    """Write the report: one self-contained HTML file that opens from disk, offline.

    It shows whatever stages the run has by then; no model is needed.

    **Example**

        scotoma report runs/first && open runs/first/report.html
    """
    from scotoma.report.build import build

    if out is not None and out.is_dir():
        raise StorageError(f"cannot write {out}: it is a folder", hint=f"name a file: {out / 'report.html'}")
    console.say(str(build(run_dir, out)))
