"""The exception tree: every error that a user can cause or meet, each with a message that says what to do.

The command line turns any `ScotomaError` into one red line and its exit code; anything else is a bug and keeps its
traceback.

>>> raise ConfigError("unknown key 'rouns'", hint="did you mean 'rounds'?")
Traceback (most recent call last):
    ...
scotoma.core.errors.ConfigError: unknown key 'rouns' (did you mean 'rounds'?)
"""

from __future__ import annotations


class ScotomaError(Exception):
    """Root of the tree. `hint` is what the user can do about it; `exit_code` is what the command returns."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class ConfigError(ScotomaError):
    """A config file or flag is missing, misspelt, of the wrong type, or contradicts another."""

    exit_code = 2


class SpecError(ConfigError):
    """A model or image spec (`hf:…`, `worlds:…`) that names nothing we can open."""


class ImageError(ScotomaError):
    """An image that cannot be read or used."""

    exit_code = 3


class LogError(ScotomaError):
    """Another tool's log that cannot be read, or holds nothing that can be used."""

    exit_code = 3


class ModelError(ScotomaError):
    """A checkpoint that cannot be loaded, or is no vision-language model."""

    exit_code = 4


class BudgetError(ScotomaError):
    """A prompt, image or completion that does not fit the model's token budget; found before any training."""

    exit_code = 4


class RunError(ScotomaError):
    """A run directory that cannot be used."""

    exit_code = 5


class RunLocked(RunError):
    """Another process is working in this run directory."""


class RunVersion(RunError):
    """The run directory was written by another, incompatible version."""


class StorageError(RunError):
    """The disk is full or the folder is read-only; what was committed before is intact."""

    exit_code = 6


class Interrupted(ScotomaError):
    """The user stopped the command; the run can be resumed."""

    exit_code = 130
