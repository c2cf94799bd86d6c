"""Somebody else's code, named `module:Class`: imported, started, and its mistakes told in a line, not as a
traceback through ours.

    make = import_plugin("mine:Model")              # SpecError: "mine has no 'Model' (did you mean 'Modell'?)"
    model = start_plugin("mine:Model", ModelError)  # ModelError: "mine:Model could not be started: OSError: no licence"
    failure("mine:Model", model, KeyError("x"))     # "mine:Model failed: KeyError: 'x' (mine.py:12)"
"""

from __future__ import annotations

import difflib
import importlib
import sys
import traceback
from collections.abc import Callable
from typing import Any

from scotoma.core.errors import ScotomaError, SpecError


def import_plugin(target: str) -> Callable[..., Any]:
    """The class or function that a target names.

    Raises:
        SpecError: the module cannot be imported, or has nothing of that name that can be called.
    """
    module, _, name = target.partition(":")
    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise SpecError(
            f"{target!r}: there is no module {error.name!r}", hint="is it installed, or on PYTHONPATH?"
        ) from error
    except Exception as error:  # whatever somebody else's module raises when it is run
        raise SpecError(f"{target!r}: cannot import {module}: {type(error).__name__}: {error}") from error
    factory = getattr(loaded, name, None)
    if factory is None:
        names = [known for known, value in vars(loaded).items() if callable(value)]
        near = difflib.get_close_matches(name, names, n=1)
        raise SpecError(
            f"{target!r}: {module} has no {name!r}", hint=f"did you mean {near[0]!r}?" if near else None
        )
    if not callable(factory):
        raise SpecError(f"{target!r} is not callable", hint="name a class, or a function that makes one")
    made_by: Callable[..., Any] = factory
    return made_by


def start_plugin(target: str, failing: type[ScotomaError], **options: Any) -> Any:
    """What it makes, called with these options.

    Raises:
        SpecError: see `import_plugin`.
        ScotomaError: of the type `failing`, or one of ours that it raised: it could not be started.
    """
    factory = import_plugin(target)
    try:
        return factory(**options)
    except ScotomaError:
        raise
    except Exception as error:  # somebody else's constructor raises what it likes
        raise failing(f"{target} could not be started: {type(error).__name__}: {error}") from error


def failure(target: str, plugin: object, error: Exception) -> str:
    """What the plug-in named `target` failed of, with the last line of its own module that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = getattr(sys.modules.get(type(plugin).__module__), "__file__", None)
    place = next((frame for frame in reversed(frames) if frame.filename == own), frames[-1])
    return f"{target} failed: {type(error).__name__}: {error} ({place.filename}:{place.lineno})"
