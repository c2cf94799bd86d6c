"""What every test runs under: one thread per process, nothing fetched, hypothesis without a clock.

Set before any test imports torch, so that a plain `pytest` behaves as `make test` does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.models.servers import Served

for name, value in {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",  # an idle thread sleeps instead of spinning: test processes share the cores
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
}.items():
    os.environ.setdefault(name, value)

# A slow machine is no bug, and the same commit must give the same verdict twice.
settings.register_profile(
    "house", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
# `make check` is for every few minutes: a quarter of the examples. `make test` tries them all.
settings.register_profile("brief", parent=settings.get_profile("house"), max_examples=25)
settings.load_profile("house")


@pytest.fixture(scope="session")
def pupil_served() -> Iterator[Served]:
    """The Pupil behind a real server; started once per pytest process."""
    from tests.models.servers import pupil_server

    with pupil_server() as served:
        yield served
