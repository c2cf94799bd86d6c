"""The command line, `scotoma`.

One file per command; each says what it does, then calls the room that does it.
"""

from __future__ import annotations

import os

# Before torch is imported anywhere: spinning threads cost seven times as much on shared cores.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from scotoma.cli.app import app, main

__all__ = ["app", "main"]
