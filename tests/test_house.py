"""The house rules that hold for every room: cheap imports, docstrings, names that say something."""

from __future__ import annotations

import ast
import itertools
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "scotoma"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"torch", "transformers", "trl", "peft", "accelerate", "datasets", "sentence_transformers"}
BARE = [
    "scotoma",
    "scotoma.core",
    "scotoma.store",
    "scotoma.diagnose",
    "scotoma.verify",
    "scotoma.images.worlds.shapes",
    "scotoma.report",
    "scotoma.cli",
]
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "misc", "stuff"}


def test_what_the_bare_install_offers_is_imported_without_torch() -> None:
    # One process for all of them, in this order: what a name pulls in is what was not there before it.
    program = (
        "import importlib, json, sys\n"
        "seen = {}\n"
        f"for name in {BARE!r}:\n"
        "    importlib.import_module(name)\n"
        "    seen[name] = sorted({module.partition('.')[0] for module in sys.modules})\n"
        "print(json.dumps(seen))"
    )
    environment = {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [name for name, modules in json.loads(done.stdout).items() if HEAVY.intersection(modules)] == []


def test_the_command_line_asks_for_help_without_waiting_for_the_statistics() -> None:
    program = "import json, sys, scotoma.cli.app; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    slow = {"scipy", "sklearn", "statsmodels", "pandas", "aiohttp", "PIL", *HEAVY}
    assert slow.intersection(json.loads(done.stdout)) == set()


def test_every_room_without_torch_names_no_heavy_module_at_import_time() -> None:
    bare = [
        path
        for room in ("core", "store", "diagnose", "verify", "report", "discover", "generate", "evolve", "cli")
        for path in (PACKAGE / room).rglob("*.py")
    ]
    offenders = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in bare
        for name in imported_at_once(path)
        if name in HEAVY
    ]
    assert offenders == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_module_opens_with_a_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_no_file_has_a_name_that_says_nothing() -> None:
    parts = {part for path in MODULES for part in (*path.relative_to(PACKAGE).parent.parts, path.stem)}
    assert parts & VAGUE == set()


def test_the_package_has_no_copy_of_its_version_that_differs() -> None:
    import scotoma

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == scotoma.__version__


def test_the_package_metadata_pins_nothing_and_the_bare_install_has_no_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bare, extras = project["dependencies"], project["optional-dependencies"]
    assert [line for line in (*bare, *itertools.chain(*extras.values())) if "==" in line] == []
    assert [line for line in bare if line.startswith(tuple(HEAVY))] == []


def test_every_version_of_the_development_environment_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in pins if line.count("==") != 1] == []
    assert "torch==2.13.0" in pins
    assert [line for line in pins if line.lower().startswith("torchvision")] == []


@pytest.mark.parametrize(
    "name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "LICENSE"]
)
def test_the_papers_of_the_house_are_there(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8").strip()


def imported_at_once(path: Path) -> set[str]:
    """Top-level packages that importing this module imports, without those inside functions or TYPE_CHECKING."""
    found: set[str] = set()
    pending: list[ast.stmt] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            pending += [*node.body, *node.orelse]
        elif isinstance(node, ast.Try):
            pending += [*node.body, *node.orelse, *node.finalbody]
        elif isinstance(node, ast.ClassDef):
            pending += node.body
    return found
