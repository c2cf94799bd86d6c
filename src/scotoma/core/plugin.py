"""Where somebody else's code (`module:Class`) failed: its mistake is told in a line, not as a traceback through ours.

>>> try:
...     {}["x"]
... except KeyError as error:
...     print(failure("mine:Model", object(), error).partition(" (")[0])
mine:Model failed: KeyError: 'x'
"""

from __future__ import annotations

import sys
import traceback


def failure(target: str, plugin: object, error: Exception) -> str:
    """What the plug-in named `target` failed of, with the last line of its own module that the error came through."""
    frames = traceback.extract_tb(error.__traceback__)
    own = getattr(sys.modules.get(type(plugin).__module__), "__file__", None)
    place = next((frame for frame in reversed(frames) if frame.filename == own), frames[-1])
    return f"{target} failed: {type(error).__name__}: {error} ({place.filename}:{place.lineno})"
