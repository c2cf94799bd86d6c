"""Every error a user can meet has a message, perhaps a hint, and an exit code of its family."""

from __future__ import annotations

import pytest

from scotoma import core
from scotoma.core import RunError, RunLocked, RunVersion, ScotomaError, SpecError, StorageError

ERRORS = [
    thing for thing in vars(core).values() if isinstance(thing, type) and issubclass(thing, ScotomaError)
]


def test_the_hint_stands_in_brackets_behind_the_message() -> None:
    assert (
        str(ScotomaError("unknown key 'rouns'", hint="did you mean 'rounds'?"))
        == "unknown key 'rouns' (did you mean 'rounds'?)"
    )
    assert str(ScotomaError("the disk is full")) == "the disk is full"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_keeps_message_and_hint_and_fails_the_command(error: type[ScotomaError]) -> None:
    raised = error("what happened", hint="what to do")
    assert (raised.message, raised.hint) == ("what happened", "what to do")
    assert 0 < raised.exit_code < 256


def test_run_errors_can_be_caught_together() -> None:
    assert all(issubclass(error, RunError) for error in (RunLocked, RunVersion, StorageError))


def test_a_script_can_tell_the_families_apart_by_exit_code() -> None:
    codes = [
        core.ConfigError,
        core.ImageError,
        core.ModelError,
        core.RunError,
        core.StorageError,
        core.Interrupted,
    ]
    assert len({error.exit_code for error in codes}) == len(codes)
    assert SpecError.exit_code == core.ConfigError.exit_code
