"""The application: its commands, and the one place where errors become exit codes.

scotoma --help
"""

from __future__ import annotations

import errno
import os
import select
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
    seeds,
)
from scotoma.cli.console import complain
from scotoma.core import Interrupted, ScotomaError, StorageError

BUG = 70
"""Exit code of what no `ScotomaError` foresaw."""

HUNG_UP = 141
"""Exit code when nobody reads on (`… | head`): a shell's for SIGPIPE, and no verdict's."""


class _Commands(TyperGroup):
    """Ctrl-C says how to go on; click and Typer would say "Aborted", or nothing."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # Typer's own Context, click's subclass
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise Interrupted("stopped", hint="run the same command again to go on where it was") from error
        except BrokenPipeError as error:
            # click would end with 1, which is the verdict of a model that fell back.
            if not _nobody_reads():
                raise RuntimeError("a pipe to another process broke") from error
            _let_go_of_stdout()
            raise typer.Exit(HUNG_UP) from None


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
app.command(name="seeds")(seeds.command)
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


def _nobody_reads() -> bool:
    """Whether stdout is a pipe whose reader has gone (`… | head`)."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _let_go_of_stdout() -> None:
    """Or the interpreter tries to write what is left of it, and complains, when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Run; a `ScotomaError` becomes one message and its exit code, anything else is a bug and keeps its traceback, with
    an exit code that no verdict has (`EX_SOFTWARE`; Python's own would be that of a model that fell back).
    """
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:  # closed by whoever started this (`>&-`)
                sys.stdout.flush()  # what cannot be written is told here, not at the interpreter's end
    except BrokenPipeError:
        _let_go_of_stdout()
        sys.exit(HUNG_UP)
    except SystemExit as stopped:
        # Where help is printed, click and Rich see the pipe break before `_Commands` does, and end with 1.
        if not isinstance(stopped.__context__, BrokenPipeError):
            raise
        _let_go_of_stdout()
        sys.exit(HUNG_UP)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            sys.excepthook(*sys.exc_info())
            sys.exit(BUG)
        _let_go_of_stdout()
        full = StorageError(
            f"cannot write the output: {error.strerror}", hint="free some space, or send it elsewhere"
        )
        complain(full)
        sys.exit(full.exit_code)
    except ScotomaError as error:
        complain(error)
        sys.exit(error.exit_code)
    except Exception:  # whatever a bug or a plug-in raises
        sys.excepthook(*sys.exc_info())
        sys.exit(BUG)
