"""The failure modes that a run proved, for those who build on them; where it has none, what would give it some.

modes = proven_modes(run)               # RunError: "… has no confirmed failure mode", with what to do
modes = proven_modes(run, ["m3"])       # only these
"""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

from scotoma.core import ConfigError, FailureMode, RunError
from scotoma.store.run import Run


def proven_modes(run: Run, wanted: Sequence[str] = ()) -> list[FailureMode]:
    """The modes of a run that were proved, those of these ids where there are any.

    Raises:
        ConfigError: there is no such mode, or it was not proved.
        RunError: none was proved.
    """
    proved = {mode.id: mode for mode in run.ledger.modes() if mode.proved}
    if not proved:
        raise RunError(f"{run.path} has no confirmed failure mode", hint=how_to_prove(run))
    missing = [name for name in wanted if name not in proved]
    if missing:
        raise ConfigError(
            f"{run.path} has no confirmed failure mode {missing[0]!r}", hint=f"it has {', '.join(proved)}"
        )
    return [proved[name] for name in (wanted or proved)]


def how_to_prove(run: Run) -> str:
    """What to do about a run without a confirmed failure mode."""
    command = run.header.command
    if command not in ("discover", "evolve", "import"):
        return f"it was made by `scotoma {command}`: give the folder of a discovery, a spiral or an import"
    if run.ledger.done("confirm") is None:
        return f"its proof is still to come: {_again(run)}"
    if command == "import":
        return "no failure mode stands out in its logs: more of them may show one"
    return "its proof is over and confirmed none: a longer discovery, or one that explores (--explore), may find some"


def _again(run: Run) -> str:
    """The command that goes on to the proof. An import knows its logs by their names, not by where they lie."""
    if run.header.command != "import":
        return f"scotoma confirm {quote(str(run.path))}"
    logs = " ".join(quote(str(file["name"])) for file in run.config.get("files", ()))
    return f"scotoma import {logs} --out {quote(str(run.path))}, with the options that it was begun with"
