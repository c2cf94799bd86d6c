"""`folder:PATH`: every picture below a folder, in four splits that no picture and no near-copy of it can straddle.

A `facts.jsonl` in the folder gives rendered pictures their exact facts (`sidecar`).

    source = FolderSource("photos")
    for record in source.images("discover", seed=0):
        ...
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from scotoma.core import Facts, ImageError, World
from scotoma.images.duplicates import Embedder
from scotoma.images.files import FileSource, Named
from scotoma.images.options import PictureOptions, written
from scotoma.images.sidecar import read_sidecar

SUFFIXES = frozenset(
    {
        ".png",
        ".jpg",
        ".jpeg",
        ".jfif",
        ".webp",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".avif",
        ".jp2",
        ".heic",
        ".heif",
    }
    | {".svg"}
)
"""Files that are looked at. Their bytes decide what they are; HEIC and SVG are then skipped, and counted."""


class FolderSource(FileSource):
    """A finite image source. Files and folders whose name starts with a dot are left out.

    A record's `source` names the file; a picture in a subfolder has that as its attribute `folder`.

    Args:
        root: the folder; pictures in folders below it count too.
        world: opens the worlds that `facts.jsonl` names; without it the pictures have no facts.
        options, embedder: see `FileSource`.

    Raises:
        ImageError: there is no such folder, it holds no pictures, or its `facts.jsonl` cannot be read.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        world: Callable[[str], World] | None = None,
        options: PictureOptions | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        self.root = Path(root).expanduser()
        self._place = f"folder:{root}"
        self._world = world
        self._worlds: dict[str, World] = {}
        super().__init__(
            self._place + (written(options) if options else ""),
            _pictures(self.root),
            named=self._about,
            options=options,
            embedder=embedder,
        )
        self._sidecar = read_sidecar(self.root)

    def _about(self, file: Path) -> Named:
        name = file.relative_to(self.root)
        line = self._sidecar.get(name.as_posix())
        facts: Facts | None = None
        if line is not None and self._world is not None:
            if line.world not in self._worlds:
                self._worlds[line.world] = self._world(line.world)
            facts = self._worlds[line.world].facts(line.facts)
        return Named(
            source=f"{self._place}/{name.as_posix()}",
            licence=line.licence if line else None,
            facts=facts,
            attributes={"folder": name.parent.as_posix()} if len(name.parts) > 1 else {},
        )


def _pictures(root: Path) -> list[Path]:
    """The picture files below `root`."""
    if not root.exists():
        raise ImageError(f"there is no folder {root}", hint="give folder:PATH of a folder with pictures")
    if not root.is_dir():
        raise ImageError(f"{root} is a file, not a folder", hint="give folder:PATH of a folder with pictures")
    found: list[Path] = []

    def refused(error: OSError) -> None:
        raise ImageError(f"cannot list the folder {error.filename}: {error.strerror}") from error

    for folder, folders, files in os.walk(root, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(folder, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    if not found:
        raise ImageError(
            f"{root} holds no pictures", hint=f"pictures are files that end in {', '.join(sorted(SUFFIXES))}"
        )
    return found
