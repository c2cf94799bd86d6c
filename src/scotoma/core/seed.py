"""A seed out of a name: what is random in a part follows from what the part is called, not from what was drawn before.

>>> seed_of("confirm/0/17")
1859139159
"""

from __future__ import annotations

import hashlib


def seed_of(key: str) -> int:
    """The same for the same key on every machine, in [0, 2³²)."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")
