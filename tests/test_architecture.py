"""ARCHITECTURE.md is held to the code: one annotated line per file, and floors that import-linter enforces.

When this fails, the message prints the lines to paste and the lines to delete; nothing else is needed to mend it.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "scotoma"
DOCUMENT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")

_LINE = re.compile(r"^(?P<indent> *)(?P<name>[\w-]+(?:/|\.py))(?:\s{2,}(?P<about>\S.*))?$")


def listed() -> dict[str, str]:
    """Path under src/scotoma → annotation, read from the tree. A folder's line stands for its `__init__.py`."""
    block = DOCUMENT.split("```tree\n", 1)[1].split("```", 1)[0]
    found: dict[str, str] = {}
    folders: list[str] = []
    for line in block.splitlines():
        match = _LINE.match(line)
        assert match, f"not a line of the tree (two spaces per level, name, two spaces, annotation): {line!r}"
        depth = len(match["indent"]) // 2
        path = "".join(folders[:depth]) + match["name"]
        assert path not in found, f"listed twice: {path}"
        found[path] = match["about"] or ""
        if match["name"].endswith("/"):
            folders[depth:] = [match["name"]]
    return found


def present() -> dict[str, Path]:
    """The same keys, from the disk."""
    files = [path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name != "__init__.py"]
    return {
        f"{path.parent.relative_to(PACKAGE)}/"
        if path.name == "__init__.py"
        else str(path.relative_to(PACKAGE)): path
        for path in files
    }


def test_the_tree_lists_every_file_and_nothing_else() -> None:
    here, there = present(), listed()
    missing = [line(key, here[key]) for key in sorted(here.keys() - there.keys())]
    extra = sorted(there.keys() - here.keys())
    assert not missing, "add to the tree of ARCHITECTURE.md, each under its folder:\n" + "\n".join(missing)
    assert not extra, "delete from the tree of ARCHITECTURE.md:\n" + "\n".join(extra)


def test_every_line_says_what_the_file_is() -> None:
    assert [path for path, about in listed().items() if len(about.split()) < 2] == []


def test_the_floors_are_those_that_import_linter_enforces() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    door, *enforced = settings["contracts"][0]["layers"]
    assert door == "__main__"  # no room, and above them all
    drawn = DOCUMENT.split("```floors\n", 1)[1].split("```", 1)[0].splitlines()
    assert [re.split(r"\s{2,}", floor.strip())[0] for floor in drawn] == enforced


def line(key: str, path: Path) -> str:
    """A ready line for the tree, annotated with the first sentence of the module's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    about = " ".join(docstring.split("\n\n")[0].split()).split(". ")[0].rstrip(".")
    indent = "  " * key.rstrip("/").count("/")
    name = key.rstrip("/").rpartition("/")[2] + "/" * key.endswith("/")
    return f"{indent}{name:<{24 - len(indent)}}  {about}"
