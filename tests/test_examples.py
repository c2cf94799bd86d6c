"""The examples in docstrings are run: what they print is what they say.

Modules that import torch at once are left to their own tests; their examples would make this one slow.
"""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from tests.test_house import HEAVY, MODULES, PACKAGE, imported_at_once

SHOWN = [
    path
    for path in MODULES
    if ">>> " in path.read_text(encoding="utf-8") and not HEAVY & imported_at_once(path)
]


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_example_prints_what_it_says(path: Path) -> None:
    dotted = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    told: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    found = [each for each in doctest.DocTestFinder().find(importlib.import_module(dotted)) if each.examples]
    for each in found:
        runner.run(each, out=told.append)
    assert found, "an example that no docstring holds is run by nobody"
    assert not told, "".join(told)
