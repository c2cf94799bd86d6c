"""The command line, `scotoma`.

One file per command; each says what it does, then calls the room that does it.
"""

from __future__ import annotations

import os
import sys

# Before torch is imported anywhere: spinning threads cost seven times as much on shared cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

__all__ = ["main"]


def main() -> None:
    """Run the command line. It is imported here, so that a Ctrl-C in the meantime shows no traceback."""
    try:
        from scotoma.cli import app
    except KeyboardInterrupt:
        sys.exit(130)  # as `core.Interrupted` has it
    app.main()
