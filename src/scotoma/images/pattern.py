"""`glob:PATTERN`: the files that a pattern matches, whatever they are called.

`*`, `?`, `[abc]` match within a folder, `**` across folders, and `{a,b}` and `{00..09}` are spelt out first, as a shell
does. The same patterns name the tars of `webdataset:`.

>>> spelt_out("shard-{08..10}.tar")
['shard-08.tar', 'shard-09.tar', 'shard-10.tar']
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from scotoma.core import ImageError
from scotoma.images.duplicates import Embedder
from scotoma.images.files import FileSource, Named
from scotoma.images.options import PictureOptions, written

_BRACES = re.compile(r"\{(?P<first>\d+)\.\.(?P<last>\d+)\}|\{(?P<options>[^{}]*,[^{}]*)\}")


def spelt_out(pattern: str) -> list[str]:
    """The patterns without braces that a pattern with braces stands for, in order."""
    match = _BRACES.search(pattern)
    if match is None:
        return [pattern]
    if match["options"] is not None:
        options = match["options"].split(",")
    else:
        width = len(match["first"])
        options = [f"{n:0{width}}" for n in range(int(match["first"]), int(match["last"]) + 1)]
    before, after = pattern[: match.start()], pattern[match.end() :]
    return [one for option in options for one in spelt_out(before + option + after)]


def matching(pattern: str, *, whole: bool = False) -> list[Path]:
    """The files that a pattern matches, each once, sorted; names that start with a dot only where it says so. `whole`:
    each that braces name one by one must be there (`shards/{0000..0009}.tar`).

    Raises:
        ImageError: there is no such file, or not each of them.
    """
    found: dict[str, Path] = {}
    spelt, missing = spelt_out(str(Path(pattern).expanduser())), []
    for one in spelt:
        if whole and not glob.has_magic(one) and not os.path.isfile(one):
            missing.append(one)
        for name in sorted(_matches(one), key=lambda name: (name.count(os.sep), name)):
            if os.path.isfile(name):
                # Two links may lead to one file: the shortest way to it is kept.
                found.setdefault(os.path.realpath(name), Path(name))
    if not found:
        raise ImageError(
            f"no file matches {pattern}",
            hint="in a shell, quote the pattern; ** matches folders below, as in photos/**/*.jpg",
        )
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ImageError(
            f"{pattern} names files that are not there: {missing[0]}{more}", hint="name those that are"
        )
    return sorted(found.values())


def _matches(pattern: str) -> Iterator[str]:
    """What a pattern without braces matches. `glob` itself follows links to folders above for ever."""
    parts = Path(pattern).parts
    if "**" not in parts:
        yield from glob.iglob(pattern)
        return
    at = parts.index("**")
    below = parts[at + 1 :] or ("*",)
    seen: set[str] = set()
    for start in glob.iglob(os.path.join(*parts[:at])) if at else ("",):
        for folder, folders, _ in os.walk(start or ".", followlinks=True):
            real = os.path.realpath(folder)
            folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
            if real not in seen:
                seen.add(real)
                yield from _matches(os.path.join(glob.escape(folder), *below))


def open_pattern(
    pattern: str, options: PictureOptions | None = None, embedder: Embedder | None = None
) -> FileSource:
    """The pictures among the files that a pattern matches; what is no picture is skipped and counted.

    A record's `source` names the file, its attribute `folder` the folder that the file lies in.

    Raises:
        ImageError: no file matches.
    """
    return FileSource(
        f"glob:{pattern}" + (written(options) if options else ""),
        matching(pattern),
        named=lambda file: Named(
            f"glob:{file}", attributes={"folder": file.parent.name} if file.parent.name else {}
        ),
        options=options,
        embedder=embedder,
    )
