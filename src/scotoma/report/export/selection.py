"""What is exported: training samples, the failures of the confirmed modes with their truth, or all questions asked.

    chosen = select(run, Selection(what="failures", mode="m3"))
    chosen.items, chosen.skipped

An item appears once, however often it was asked or sampled, in an order that depends on its id and the seed only.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from pydantic import Field

from scotoma.core import ConfigError, FailureMode, ImageRecord, RunError, Split
from scotoma.diagnose.proven import how_to_prove
from scotoma.report.export.item import Item
from scotoma.report.export.offer import (
    Checkpoint,
    Offered,
    examined,
    has_samples,
    offered_answers,
    offered_samples,
    trained,
)
from scotoma.store import Ledger, Run, Settings

What = Literal["samples", "failures", "questions"]

HELD_OUT: tuple[Split, ...] = ("confirm", "test")
"""Splits that no export puts into a file to train on."""


class Selection(Settings):
    """What to take from a run.

    `what=None`: samples if the run has any, else failures. `arm=None`: for samples the targeted arm where there is one
    (`all` takes every arm); for questions and failures those of the candidate as it was found, before any training.
    `round=None`: samples of every round; questions of the arm's last one. `mode`: the id of one failure mode.
    `split=None`: every split, but failures leave out `test`, which measures. `limit`: the first so many.
    """

    what: What | None = None
    arm: str | None = None
    round: int | None = Field(default=None, ge=1)
    mode: str | None = None
    split: Split | None = None
    limit: int | None = Field(default=None, ge=1)
    seed: int = 0


@dataclass(frozen=True)
class Selected:
    """What was taken. `skipped` counts what could not be, by reason; `modes` are the run's failure modes.
    `answered_by` is the candidate, or the checkpoint that it became: `pupil@round2/targeted`.
    """

    run: str
    candidate: str
    answered_by: str
    images: str
    started: datetime
    what: What
    items: tuple[Item, ...]
    modes: tuple[FailureMode, ...]
    skipped: Counter[str]

    @property
    def name(self) -> str:
        """A name for tasks and files: letters, digits and `_`."""
        return re.sub(r"\W+", "_", f"scotoma_{self.run}_{self.what}", flags=re.ASCII).lower()

    @property
    def training(self) -> list[Item]:
        """The items that may be trained on: none whose pictures prove or measure something."""
        return [item for item in self.items if item.image.split not in HELD_OUT]

    @property
    def held_out(self) -> list[Item]:
        """The items of the `confirm` and `test` splits."""
        return [item for item in self.items if item.image.split in HELD_OUT]


def select(run: Run, selection: Selection) -> Selected:
    """Take the items out of the ledger. Pictures stay on disk: an item reads its own when it is written.

    Raises:
        ConfigError: the run has no such mode, arm or round, or is a comparison.
        RunError: it has nothing of what was asked for; the hint says what it has.
        ImageError: the file of a picture is missing or damaged.
    """
    if run.header.command == "compare":
        raise ConfigError(
            "a comparison holds the answers of several candidates, and an export is of one",
            hint="export a run of `scotoma discover` or `scotoma evolve` on the candidate",
        )
    ledger, modes = run.ledger, run.ledger.modes()
    what = selection.what or ("samples" if has_samples(ledger) else "failures")
    _check_mode(selection.mode, modes)
    _check_arm(selection, what, trained(ledger))
    skipped: Counter[str] = Counter()
    items: dict[str, Item] = {}
    pictures: dict[str, ImageRecord | None] = {}
    for offered in _offered(ledger, selection, what, modes):
        if offered.image_id not in pictures:
            known = ledger.image(offered.image_id) is not None
            pictures[offered.image_id] = run.images.get(offered.image_id) if known else None
        picture = pictures[offered.image_id]
        if picture is None:
            skipped["without a picture"] += 1
        elif not offered.question.strip():
            skipped["without a question"] += 1
        elif not offered.answer.strip():
            skipped["without a known answer"] += 1
        elif selection.split is not None and picture.split != selection.split:
            continue
        elif what == "failures" and selection.split is None and picture.split == "test":
            skipped["of the test split (add --split test)"] += 1
        else:
            item = offered.about(picture)
            if item.id in items:
                skipped["asked or sampled before"] += 1
            items.setdefault(item.id, item)
    if not items:
        raise _nothing(run, selection, what, modes, skipped)
    order = sorted(items.values(), key=lambda item: sha256(f"{selection.seed}/{item.id}".encode()).digest())
    candidate, images = run.config.get("candidate"), run.config.get("images")
    candidate = candidate if isinstance(candidate, str) else "candidate"
    checkpoint = None if what == "samples" else _checkpoint(selection, examined(ledger))
    return Selected(
        run=run.path.resolve().name,
        candidate=candidate,
        answered_by=candidate
        if checkpoint is None
        else f"{candidate}@round{checkpoint.round}/{checkpoint.arm}",
        images=images if isinstance(images, str) else "",
        started=run.header.started,
        what=what,
        items=tuple(order[: selection.limit]),
        modes=tuple(modes),
        skipped=skipped,
    )


def _offered(ledger: Ledger, selection: Selection, what: What, modes: list[FailureMode]) -> Iterator[Offered]:
    there = trained(ledger)
    if what == "samples":
        usual = "targeted" if "targeted" in {made.arm for made in there} else "all"
        return offered_samples(ledger, arm=selection.arm or usual, turn=selection.round, mode=selection.mode)
    chosen = [mode for mode in modes if mode.id == selection.mode] if selection.mode else None
    return offered_answers(
        ledger,
        [mode for mode in modes if mode.proved] if chosen is None else chosen,
        checkpoint=_checkpoint(selection, examined(ledger)),
        failures=what == "failures",
        inside=what == "failures" or chosen is not None,
    )


def _checkpoint(selection: Selection, there: Iterable[Checkpoint]) -> Checkpoint | None:
    """Whose answers are meant: None is the candidate before any training."""
    if selection.arm is None and selection.round is None:
        return None
    arm = selection.arm or "targeted"
    rounds = [made.round for made in there if made.arm == arm and selection.round in (None, made.round)]
    return Checkpoint(max(rounds, default=0), arm)


def _check_mode(wanted: str | None, modes: Iterable[FailureMode]) -> None:
    names = [mode.id for mode in modes]
    if wanted is None or wanted in names:
        return
    near = difflib.get_close_matches(wanted, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"its modes are {', '.join(names) or 'none yet'}"
    raise ConfigError(f"the run has no failure mode {wanted!r}", hint=hint)


def _check_arm(selection: Selection, what: What, there: Iterable[Checkpoint]) -> None:
    made = list(there)
    arms, rounds = sorted({each.arm for each in made}), sorted({each.round for each in made})
    known = (None, "all", *arms) if what == "samples" else (None, *arms)
    if selection.arm not in known:
        raise ConfigError(
            f"the run has no arm {selection.arm!r} that answered or was sampled for",
            hint=f"its arms are {', '.join(arms) or 'none yet'}",
        )
    if selection.round not in (None, *rounds):
        told = ", ".join(map(str, rounds)) or "none yet"
        raise ConfigError(f"the run has no round {selection.round}", hint=f"its rounds are {told}")


def _nothing(
    run: Run, selection: Selection, what: What, modes: list[FailureMode], skipped: Counter[str]
) -> RunError:
    reasons = "; ".join(f"{count} {reason}" for reason, count in skipped.most_common())
    hint = f"left out: {reasons}" if reasons else "look at what it has: `scotoma report DIR`"
    if what == "samples" and not has_samples(run.ledger):
        hint = "only `scotoma evolve` and `scotoma generate` make samples: take --what failures or --what questions"
    elif what == "failures" and selection.mode is None and not any(m.proved for m in modes):
        hint = how_to_prove(run) + ("; or name one with --mode" if modes else "")
    return RunError(f"{run.path} has no such {what} to export", hint=hint)
