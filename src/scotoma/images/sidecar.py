"""`facts.jsonl`: the exact facts of rendered pictures that lie in a folder as plain files.

One JSON object a line; a picture without a line simply has no facts:

    {"file": "scene-1.png", "world": "worlds:shapes", "facts": {"things": []}, "licence": "CC0-1.0"}
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from scotoma.core import ImageError

SIDECAR = "facts.jsonl"


class SidecarLine(BaseModel):
    """`file` is relative to the folder, `world` the spec of the world that knows the facts, `facts` what
    `Facts.to_json` gave.
    """

    model_config = ConfigDict(frozen=True)

    file: str
    world: str
    facts: dict[str, Any]
    licence: str | None = None


def read_sidecar(folder: Path) -> dict[str, SidecarLine]:
    """The lines of the folder's `facts.jsonl` by file; empty where it has none.

    Raises:
        ImageError: a line cannot be read, or names a file that is not there.
    """
    path = folder / SIDECAR
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(f"cannot read {path}: {error}") from error
    lines: dict[str, SidecarLine] = {}
    for number, row in enumerate(text.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            line = SidecarLine.model_validate_json(row)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise ImageError(
                f"{path}:{number}: {key + ': ' if key else ''}{first['msg']}",
                hint='each line reads {"file": …, "world": …, "facts": {…}}',
            ) from error
        if not (folder / line.file).is_file():
            raise ImageError(f"{path}:{number}: there is no file {line.file}")
        lines[Path(line.file).as_posix()] = line
    return lines
