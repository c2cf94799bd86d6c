"""What a format is: a name, what it is for, and a function that writes the items into an empty folder.

FORM = Form("trl", "TRL's GRPOTrainer: parquet with prompt, images, solution", write, usage=USAGE)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from shlex import quote
from typing import Any

import jinja2

from scotoma.report.export.selection import Selected

Writer = Callable[[Selected, Path], None]


@dataclass(frozen=True)
class Form:
    """`usage` is Markdown for the export's README: a Jinja template that knows `folder`, `shell` (the same, quoted for
    a shell where it must be), `name` and `data`, the first of its files. `parquet` says that pyarrow is needed;
    `data_files` tells split → path for the card of a dataset that people share.
    """

    name: str
    about: str
    write: Writer
    usage: str
    parquet: bool = False
    data_files: Callable[[Selected], dict[str, str]] | None = None

    def instructions(self, selected: Selected, folder: Path) -> str:
        """How to go on with an export that lies in `folder`: `usage` with the names filled in."""
        data = "train" if selected.training else "test"
        template = _environment().from_string(self.usage)
        return template.render(folder=folder, shell=quote(str(folder)), name=selected.name, data=data)


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """JSON lines, one after the other; every reader finds the same lines."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False)
            # JSON allows these in a text, but some readers (Python's splitlines) end a line at them.
            for character in "\x85\u2028\u2029":
                line = line.replace(character, f"\\u{ord(character):04x}")
            file.write(line + "\n")


def grader(adapter: str, **values: object) -> str:
    """A Python file that stands on its own: the grader, and below it what one tool wants to call it by."""
    source = resources.files(__package__).joinpath("grading.py").read_text(encoding="utf-8")
    return f"{source}\n\n{rendered(adapter, **values)}"


def rendered(template: str, **values: object) -> str:
    """A template of `templates/`."""
    return _environment().get_template(template).render(**values)


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("scotoma.report.export"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        # Python, YAML and Markdown; nothing here becomes HTML.
        autoescape=False,
    )
    environment.filters["cell"] = _cell
    return environment


def _cell(text: object) -> str:
    """Text that keeps inside its cell of a Markdown table."""
    return re.sub(r"\s+", " ", str(text)).replace("|", "\\|")
