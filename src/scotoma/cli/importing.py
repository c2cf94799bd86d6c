"""`scotoma import`: failure modes out of another tool's log, without asking any model anything."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from scotoma.cli import console
from scotoma.core import ConfigError, LogError
from scotoma.discover.settings import TaggingSettings
from scotoma.store.run import Run
from scotoma.store.summary import ImportSummary, Summary


def command(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="The files of one candidate's logs.")],
    out: Annotated[Path, typer.Option(help="The run folder; an existing import is resumed.")],
    format: Annotated[
        Literal["auto", "lmms-eval", "vlmevalkit", "inspect", "dpe"],
        typer.Option(
            metavar="FORMAT",
            help="The tool that wrote them: lmms-eval, vlmevalkit, inspect or dpe; auto tells by what they hold.",
        ),
    ] = "auto",
    candidate: Annotated[
        str | None, typer.Option(help="Who answered, where the logs do not say so.", metavar="NAME")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="A column to describe failure modes by, beside categories; repeatable.", metavar="NAME"
        ),
    ] = None,
    topics: Annotated[
        bool,
        typer.Option("--topics", help="Look for topics in the questions' text; modes may be named by them."),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print summary.json on stdout.")] = False,
) -> None:
    """Name and prove failure modes from logs that you already have, and write the report. No model runs.

    Reads lmms-eval sample logs (`*_samples_*.jsonl`), VLMEvalKit results (`.xlsx`, `.tsv`, `.json`), Inspect logs
    (`.eval`, `.json`) and DPE or EasyR1 parquet with a response column. The log's own score decides what was right,
    rules decide where it has none, and what stays open or failed for technical reasons is counted apart.
    Modes are found on half of the images and proved on the other half.

    **Examples**

        scotoma import logs/org__model/*_samples_*.jsonl --out runs/model
        scotoma import Qwen2.5-VL-7B/Qwen2.5-VL-7B_MMBench.xlsx --out runs/mmbench
        scotoma import logs/2025-06-01_task.eval --out runs/task --column hop_count
        scotoma import Qwen2.5-VL-7B/Qwen2.5-VL-7B_MMBench.xlsx --topics --out runs/mmbench-topics
        scotoma import diagnosis.parquet --format dpe --candidate my-checkpoint --out runs/dpe --json
    """
    from scotoma.report import build
    from scotoma.report.logs import open_log
    from scotoma.report.logs.fields import clean_key
    from scotoma.report.logs.intake import check, intake

    logs = [open_log(path, format) for path in files]
    names = [log.path.name for log in logs]
    if candidate is None:
        told = {name for log in logs if (name := log.candidate)}
        if len(told) > 1:
            raise ConfigError(
                f"the logs are of several candidates: {', '.join(sorted(told))}",
                hint="import each into a run of its own, or name one with --candidate",
            )
        candidate = next(iter(told), "candidate")
    digests = [_digest(log.path) for log in logs]
    _refuse_twice(files, digests)
    columns = sorted({clean_key(name) for name in column or ()})
    check(logs, columns)
    tagging = TaggingSettings(topics="beside" if topics else "never")
    config = {
        "files": [{"name": name, "sha256": digest} for name, digest in zip(names, digests, strict=True)],
        "formats": [log.format for log in logs],
        "candidate": candidate,
        "columns": columns,
        **({"tagging": tagging.model_dump(mode="json")} if topics else {}),
    }
    with Run.open(out, command="import", config=config) as run, console.progress_bars() as progress:
        summary = intake(run, logs, candidate, columns, progress, tagging)
        run.write_summary(summary)
        report = build(run)
    if json:
        typer.echo(summary.to_json())
        return
    _show(summary)
    console.say(f"report: {report}")


def _show(summary: Summary) -> None:
    found = summary.imported
    assert found is not None
    console.show_modes(summary)
    rate = found.failure_rate.percent() if found.failure_rate else "nothing was decided"
    console.out.print(
        f"{found.questions:,} of {found.entries:,} entries imported; failures: {console.safe(rate)}"
    )
    for line in _apart(found):
        console.out.print(console.safe(line), highlight=False)


def _apart(found: ImportSummary) -> list[str]:
    """What no rate counts, with the places of what was skipped."""
    lines = [f"  asked again about the same picture: {found.repeated:,}"] if found.repeated else []
    lines += [
        f"  {title}: " + ", ".join(f"{count:,} × {reason}" for reason, count in counts.items())
        for title, counts in (("undecided", found.undecided), ("infrastructure errors", found.errors))
        if counts
    ]
    for reason, count in found.skipped.items():
        places = found.skipped_where.get(reason, [])
        more = " …" if count > len(places) else ""
        lines.append(f"  skipped: {count:,} × {reason} ({'; '.join(places)}{more})")
    return lines


def _refuse_twice(files: Sequence[Path], digests: Sequence[str]) -> None:
    """Refuse a file that is given twice: its questions would count double."""
    known: dict[str, Path] = {}
    for path, digest in zip(files, digests, strict=True):
        if (other := known.setdefault(digest, path)) is not path:
            raise ConfigError(f"{other} and {path} hold the same", hint="give each log once")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LogError(f"cannot read {path}: {error.strerror}") from error
