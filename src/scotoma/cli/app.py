"""The application: its commands, and the one place where errors become exit codes.

scotoma --help
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

import scotoma
from scotoma.cli import (
    bench,
    calibrate,
    check,
    compare,
    confirm,
    discover,
    doctor,
    evolve,
    export,
    generate,
    importing,
    plant,
    report,
)
from scotoma.cli.console import complain
from scotoma.core import Interrupted, ScotomaError

BUG = 70
"""Exit code of what no `ScotomaError` foresaw."""


class _Commands(TyperGroup):
    """Ctrl-C says how to go on; click and Typer would say "Aborted", or nothing."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # Typer's own Context, click's subclass
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted("stopped", hint="run the same command again to go on where it was") from error


app = typer.Typer(
    name="scotoma",
    cls=_Commands,
    help="Find, prove and mend the blind spots of vision-language models.\n\n"
    "The whole loop on the embedded model, in ten minutes on two cores:\n\n"
    "    scotoma evolve --config configs/pupil.yaml\n\n"
    "Every command that works in a run folder resumes when it is started again.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="discover")(discover.command)
app.command(name="confirm")(confirm.command)
app.command(name="evolve")(evolve.command)
app.command(name="generate")(generate.command)
app.command(name="check")(check.command)
app.command(name="compare")(compare.command)
app.command(name="calibrate")(calibrate.command)
app.command(name="report")(report.command)
app.command(name="export")(export.command)
app.command(name="import")(importing.command)
app.command(name="plant")(plant.command)
app.command(name="doctor")(doctor.command)
app.add_typer(bench.app, name="bench")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"scotoma {scotoma.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Options of every command."""


def main() -> None:
    """Run; a `ScotomaError` becomes one message and its exit code, anything else is a bug and keeps its traceback, with
    an exit code that no verdict has (`EX_SOFTWARE`; Python's own would be that of a model that fell back).
    """
    try:
        app()
    except ScotomaError as error:
        complain(error)
        sys.exit(error.exit_code)
    except Exception:  # whatever a bug or a plug-in raises
        sys.excepthook(*sys.exc_info())
        sys.exit(BUG)
