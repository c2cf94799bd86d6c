"""Other tools' logs of answered questions, read as they are: what a candidate said is never asked again.

    log = open_log(Path("20250101_samples_mme.jsonl"))
    for entry in log.entries(): ...       # Record, or Skipped with its reason; lazily

Its files: one reader per tool (`lmms_eval`, `vlmevalkit`, `inspect`, `dpe`), `spreadsheet` and `json_lines` under them,
`fields` (values of any kind made typed), `record` (what all readers yield), `judgement` (a record becomes an
observation) and `intake` (logs become a run).
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from scotoma.core import LogError
from scotoma.report.logs import dpe, inspect, lmms_eval, vlmevalkit
from scotoma.report.logs.json_lines import begins, parse
from scotoma.report.logs.record import Entry, Record, Skipped, Wanted

__all__ = ["FORMATS", "Entry", "Format", "Log", "Record", "Skipped", "open_log"]

Format = Literal["lmms-eval", "vlmevalkit", "inspect", "dpe"]
FORMATS: tuple[Format, ...] = get_args(Format)

_READERS: dict[Format, Callable[[Path, Wanted], Iterator[Entry]]] = {
    "lmms-eval": lmms_eval.read,
    "vlmevalkit": vlmevalkit.read,
    "inspect": inspect.read,
    "dpe": dpe.read,
}
_CANDIDATES: dict[Format, Callable[[Path], str | None]] = {
    "lmms-eval": lmms_eval.candidate,
    "vlmevalkit": vlmevalkit.candidate,
    "inspect": inspect.candidate,
}


@dataclass(frozen=True)
class Log:
    """One file and the format that it has."""

    path: Path
    format: Format

    def entries(self, columns: Wanted = ()) -> Iterator[Entry]:
        """Every entry in the order of the file, as a record or with the reason why it is none."""
        return _READERS[self.format](self.path, columns)

    @property
    def candidate(self) -> str | None:
        """Who answered, where the log or its folder tells."""
        find = _CANDIDATES.get(self.format)
        return find(self.path) if find else None


def open_log(path: Path, format: Format | Literal["auto"] = "auto") -> Log:
    """A log, its format told by what it holds (never by its name alone).

    Raises:
        LogError: it cannot be read, is a pickle, or is of no format we know.
    """
    head = begins(path)
    if not head.strip():
        raise LogError(f"{path} is empty")
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise LogError(
            f"{path} is a pickle, which can run code when it is opened",
            hint="let VLMEvalKit write it as .xlsx, .tsv or .json",
        )
    found = _detect(path, head) if format == "auto" else format
    if found is None:
        raise LogError(
            f"{path} is no log of a format that Scotoma knows",
            hint=f"known are {', '.join(FORMATS)}; --format says which it is",
        )
    return Log(path, found)


def _detect(path: Path, head: bytes) -> Format | None:
    if head.startswith(b"PAR1"):
        return "dpe"
    if head.startswith(b"PK"):
        return _in_zip(path)
    text = head.decode("utf-8", "replace").lstrip("\ufeff \t\r\n")
    if not text.startswith(("{", "[")):
        names = {name.strip().strip('"') for name in text.partition("\n")[0].replace("\t", ",").split(",")}
        return "vlmevalkit" if {"question", "prediction", "answer"} & names and len(names) > 1 else None
    if text.startswith("{") and (found := _in_lines(path)):
        return found
    try:
        document = parse(path.read_bytes())
    except (OSError, ValueError):
        return None
    if lmms_eval.is_old(document):
        return "lmms-eval"
    if (
        isinstance(document, dict)
        and "eval" in document
        and {"samples", "status", "version"} & document.keys()
    ):
        return "inspect"
    return "vlmevalkit" if vlmevalkit.table_of(document) else None


def _in_zip(path: Path) -> Format | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise LogError(f"{path} is a damaged zip: {error}", hint="copy it again") from error
    if any(name.startswith("xl/worksheets/") for name in names):
        return "vlmevalkit"
    inspect_writes = {"header.json", "_journal/start.json"}
    return "inspect" if inspect_writes & names or any(name.startswith("samples/") for name in names) else None


def _in_lines(path: Path) -> Format | None:
    """lmms-eval's lines: one of the first that can be read says so."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for _, line in zip(range(20), lines, strict=False):
            try:
                row = parse(line)
            except ValueError:
                continue
            if isinstance(row, dict) and "doc_id" in row and lmms_eval.KEYS & row.keys() - {"doc_id"}:
                return "lmms-eval"
    return None
