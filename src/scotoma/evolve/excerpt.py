"""From a run's proof to a regression suite: the questions about its confirmed modes, and uniform ones outside them all.

    with Run.read("runs/first") as run:
        suite = excerpt(run, most=100, at_least=0.8)

What was asked, answered and judged is taken as it is recorded: no model is opened.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import scotoma
from scotoma.core import FailureMode, ImageRecord, Observation, RunError
from scotoma.diagnose.proven import how_to_prove, proven_modes
from scotoma.discover.confirm import fair_sample
from scotoma.discover.settings import AnswerSettings, ConfirmSettings, JudgeSettings
from scotoma.evolve.suite import (
    UNMEASURED,
    Suite,
    SuiteHeader,
    SuiteMode,
    SuiteQuestion,
    baseline_of,
    with_facts,
)
from scotoma.images.sidecar import SidecarLine
from scotoma.store.run import Run


def excerpt(run: Run, most: int | None = None, at_least: float | None = None, seed: int = 0) -> Suite:
    """The suite of a run; its baseline is what the candidate answered in the proof.

    Args:
        run: finished or not, as long as it confirmed modes.
        most: at most so many questions of each mode, and so many retained ones.
        at_least: an accuracy, [0, 1], that every mode must reach.
        seed: fixes which questions are drawn.

    Raises:
        RunError: the run confirmed no modes, or has no question about them that could be asked again.
        ImageError: the file of a picture is missing or damaged.
    """
    modes = proven_modes(run)
    skipped: Counter[str] = Counter()
    members, base = (
        list(_usable(run, run.ledger.observations(phase), skipped)) for phase in ("confirm", "confirm-base")
    )
    counts_for = _dealt(modes, members, base, run.settings(ConfirmSettings, "confirm"), most, seed)
    asked = [row for row in (*members, *base) if row.key in counts_for]
    inside = {mode for names in counts_for.values() for mode in names}
    if not inside:
        told = ", ".join(f"{count} {reason}" for reason, count in skipped.items())
        raise RunError(
            f"the run {run.path} has no question about its confirmed modes that could be asked again",
            hint=f"left out: {told}" if told else how_to_prove(run),
        )
    name = run.path.resolve().name
    pictures = {image: run.images.get(image) for image in dict.fromkeys(row.image_id for row in asked)}
    judge = run.settings(JudgeSettings, "judge")
    header = SuiteHeader(
        scotoma=scotoma.__version__,
        run=name,
        images=str(run.config.get("images", "")),
        candidate=str(run.config.get("candidate", "candidate")),
        questions=len(asked),
        modes=tuple(_mode(mode, at_least) for mode in modes if mode.id in inside),
        retained=UNMEASURED,
        answers=run.settings(AnswerSettings, "answers"),
        # What this judge rules is compared with what it ruled before, which needs no correction.
        judge=judge.model_copy(update={"calibration": None}),
    )
    questions = tuple(_question(row, pictures[row.image_id], counts_for[row.key], name) for row in asked)
    facts = _facts(run, pictures)
    return Suite(header, questions, with_facts(pictures, facts, header.images), facts, skipped).measured()


def mended_checkpoint(run: Run) -> Path | None:
    """The last weights that passed the gate, of the targeted arm or, without one, of any; None: there are none."""
    gates = [stage for stage in run.ledger.stages("round") if stage.endswith("/gate")]
    passed = [stage for stage in gates if (run.ledger.done(stage) or {}).get("accepted")]
    names = [name.removesuffix("/gate") for name in passed]
    targeted = [name for name in names if name.endswith("/targeted")]
    kept = [run.checkpoint(f"{name}/policy") for name in targeted or names]
    return next((path for path in reversed(kept) if path.is_dir()), None)


def _usable(run: Run, rows: Iterable[Observation], skipped: Counter[str]) -> Iterator[Observation]:
    """The questions that can be put to somebody else and judged; the others are counted."""
    for row in rows:
        if not row.verdict.valid:
            skipped["not valid"] += 1
        elif not row.verdict.truth:
            skipped["without a known answer"] += 1
        elif run.ledger.image(row.image_id) is None:
            skipped["without a picture"] += 1
        else:
            yield row


def _dealt(
    modes: Sequence[FailureMode],
    members: Sequence[Observation],
    base: Sequence[Observation],
    proof: ConfirmSettings,
    most: int | None,
    seed: int,
) -> dict[str, tuple[str, ...]]:
    """Which questions are asked, by key, and the modes that each counts for; none: it is retained."""
    dealt: dict[str, tuple[str, ...]] = {}
    base = _once(base)
    for mode in modes:
        for row in _drawn(_once(fair_sample(mode, members, base, proof.questions)), most, seed):
            dealt[row.key] = (*dealt.get(row.key, ()), mode.id)
    outside = [row for row in base if not any(mode.predicate.matches(row.tags) for mode in modes)]
    return dealt | {row.key: () for row in _drawn(outside, most, seed)}


def _once(rows: Iterable[Observation]) -> list[Observation]:
    """Each question about a picture once, in the order of the rows: a uniform one may be a member as well."""
    first: dict[tuple[str, str], Observation] = {}
    for row in rows:
        first.setdefault((row.image_id, row.question), row)
    return list(first.values())


def _drawn(rows: Sequence[Observation], most: int | None, seed: int) -> list[Observation]:
    """At most so many, at random: many questions share a picture, so the first so many would be about few pictures."""
    return sorted(rows, key=lambda row: hashlib.sha256(f"{seed}/{row.key}".encode()).digest())[:most]


def _mode(mode: FailureMode, at_least: float | None) -> SuiteMode:
    return SuiteMode(
        id=mode.id,
        predicate=str(mode.predicate),
        description=mode.description,
        title=mode.title,
        baseline=UNMEASURED,
        at_least=at_least,
    )


def _question(row: Observation, picture: ImageRecord, modes: tuple[str, ...], run: str) -> SuiteQuestion:
    return SuiteQuestion(
        id=row.key,
        image=_file(picture),
        question=row.question,
        truth=row.verdict.truth or "",
        decided_by=row.verdict.decided_by,
        modes=modes,
        tags=row.tags,
        run=run,
        source=picture.source,
        licence=picture.licence,
        baseline=baseline_of(row),
    )


def _file(picture: ImageRecord) -> str:
    suffix = picture.path.suffix if picture.path is not None else ""
    return f"{picture.id}{suffix or '.image'}"


def _facts(run: Run, pictures: Mapping[str, ImageRecord]) -> dict[str, SidecarLine]:
    """The facts of rendered pictures by file, where the world that can read them was the run's own source."""
    lines = {}
    for picture in pictures.values():
        entry = run.ledger.image(picture.id)
        if entry is not None and entry.facts is not None and entry.source == run.config.get("images"):
            name = _file(picture)
            lines[name] = SidecarLine(
                file=name, world=entry.source, facts=dict(entry.facts), licence=entry.licence
            )
    return lines
