"""What becomes of failures when something changes: the answer is drawn again, the question said otherwise, the picture
edited.

- *Resampled*: is the failure stable, or did greedy decoding fall on the wrong side once?
- *Paraphrased*: is it the question, or its wording? A world's language gives other words, elsewhere a chat model does.
- *Edited*, in worlds: one thing is changed so that the true answer changes. A candidate that sees the thing changes its
  answer too. The control is an edit that leaves the truth alone, of the same kind where there is one.

    checked = Checker(interview, world, writer=None, seed=0).check([Failing(record, observation)])
    summarise(checked).edit_followed
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal
from zlib import crc32

from scotoma.core import (
    Checks,
    Claim,
    ContrastWorld,
    ImageRecord,
    ImageSource,
    Observation,
    Rate,
    Variant,
    Verdict,
)
from scotoma.diagnose.statistics import clustered_rate
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.rewriting import Rewriter
from scotoma.discover.shrinking import Failing
from scotoma.verify.bare import normalise
from scotoma.verify.rules import match

SAMPLES = 3
"""Answers that are drawn again per question, at temperature 1."""

QUERIES = SAMPLES + 3
"""Candidate queries per question, at the most: the samples, a paraphrase, an edit and its control."""

Kind = Literal["paraphrase", "edit", "control"]

_MOST_EDITS = 200
"""Scenes with one thing changed that are looked through for one that changes the answer, and one that does not."""


@dataclass(frozen=True)
class Checked:
    """One failure looked at again. `wrong_again` is the share of sampled answers that are wrong (None: all were lost),
    `again` the answers to what was changed, `edited` the pictures that this made, `skipped` why one is missing.
    """

    failing: Failing
    wrong_again: float | None
    again: dict[Kind, Observation]
    edited: tuple[ImageRecord, ...] = ()
    skipped: tuple[str, ...] = ()

    @property
    def queries(self) -> int:
        """Candidate queries that this took."""
        return SAMPLES + len(self.again)


class Checker:
    """Asks again.

    Args:
        interview: the candidate and who judges it.
        source: where the images come from; a `ContrastWorld` gives other words and edits.
        writer: puts questions in other words where no world does; None: those are skipped.
        seed: fixes which words and which edits.
    """

    def __init__(self, interview: Interview, source: ImageSource, writer: Rewriter | None, seed: int) -> None:
        self._interview = interview
        self._world = source if isinstance(source, ContrastWorld) else None
        self._writer = writer
        self._seed = seed

    def check(self, failures: Sequence[Failing]) -> list[Checked]:
        """Each failure looked at again, in order; every kind of change is asked in one batch."""
        edits = [self._edits(failing) for failing in failures]
        plans: dict[Kind, list[Asked | str]] = {
            "paraphrase": self._paraphrases(failures),
            "edit": [edit for edit, _ in edits],
            "control": [control for _, control in edits],
        }
        again: list[dict[Kind, Observation]] = [{} for _ in failures]
        for kind, plan in plans.items():
            places = [i for i, item in enumerate(plan) if isinstance(item, Asked)]
            asked = [item for item in plan if isinstance(item, Asked)]
            for i, reply in zip(places, self._interview.ask(asked, f"checks/{kind}"), strict=True):
                again[i][kind] = reply
        drawn = [
            Asked("", one.image, one.observation.question, verdict=one.observation.verdict)
            for one in failures
        ]
        rates = self._interview.pass_rates(drawn, SAMPLES)
        return [
            Checked(
                failing,
                None if (rate := rates[i]) is None else 1 - rate,
                again[i],
                tuple(item.image for item in edits[i] if isinstance(item, Asked)),
                tuple(f"{kind}: {plan[i]}" for kind, plan in plans.items() if isinstance(plan[i], str)),
            )
            for i, failing in enumerate(failures)
        ]

    # Other words

    def _paraphrases(self, failures: Sequence[Failing]) -> list[Asked | str]:
        if self._world is not None:
            return [self._in_the_worlds_words(self._world, failing) for failing in failures]
        if self._writer is None:
            return ["nobody to write" for _ in failures]
        written = self._writer.rewrite(
            [(failing.image, failing.observation.question) for failing in failures]
        )
        sound = [i for i, item in enumerate(written) if item.error is None]
        claims = [Claim(image=failures[i].image, question=written[i].question) for i in sound]
        verdicts = dict(zip(sound, self._interview.verifier.judge(claims), strict=True))
        return [
            item.error or _same_question(failing, item.question, verdicts[i])
            for i, (failing, item) in enumerate(zip(failures, written, strict=True))
        ]

    def _in_the_worlds_words(self, world: ContrastWorld, failing: Failing) -> Asked | str:
        facts, observation = failing.image.facts, failing.observation
        if facts is None:
            return "no facts"
        found = world.paraphrases(facts, observation.question, self._draw(failing), 1)
        if not found:
            return "no other words"
        return Asked(
            f"checks/paraphrase/{observation.key}", failing.image, found[0], verdict=observation.verdict
        )

    # Other pictures

    def _edits(self, failing: Failing) -> tuple[Asked | str, Asked | str]:
        """One edit that changes the true answer and one that does not, of the same kind if possible; or why not."""
        facts, observation = failing.image.facts, failing.observation
        if self._world is None or facts is None:
            return "no world", "no world"
        edit: Variant | None = None
        controls: dict[str, Variant] = {}
        variants = self._world.counterfactuals(facts, observation.question, self._draw(failing))
        for variant in islice(variants, _MOST_EDITS):
            examined = variant.facts.examine(observation.question)
            if not examined.valid:
                continue
            if examined.answer == observation.verdict.truth:
                controls.setdefault(variant.edit, variant)
            else:
                edit = edit or variant
            if edit is not None and edit.edit in controls:
                break
        control = controls.get(edit.edit if edit else "") or next(iter(controls.values()), None)
        return (
            self._about("edit", edit, failing) if edit else "none changes the answer",
            self._about("control", control, failing) if control else "each changes the answer",
        )

    def _about(self, kind: Kind, variant: Variant, failing: Failing) -> Asked:
        assert self._world is not None
        image = self._world.render(variant.facts, failing.image.split)
        truth = variant.facts.examine(variant.question).answer
        return Asked(
            f"checks/{kind}/{failing.observation.key}",
            image,
            variant.question,
            verdict=Verdict(valid=True, truth=truth, decided_by="facts"),
        )

    def _draw(self, failing: Failing) -> int:
        return crc32(f"{self._seed}/{failing.observation.key}".encode())


def summarise(checked: Sequence[Checked]) -> Checks:
    """The rates over one mode's failures, clustered by the image that was failed on; lost answers are counted apart."""
    skipped = Counter(reason for one in checked for reason in one.skipped)
    for one in checked:
        if one.wrong_again is None:
            skipped["resampled: lost"] += 1
        for kind, reply in one.again.items():
            if reply.outcome == "infrastructure":
                skipped[f"{kind}: {reply.verdict.error or reply.verdict.reason or 'undecided'}"] += 1
    return Checks(
        resampled_failure=_rate([(one, one.wrong_again) for one in checked if one.wrong_again is not None]),
        paraphrase_failure=_rate(
            [
                (one, float(one.again["paraphrase"].outcome == "failure"))
                for one in checked
                if "paraphrase" in one.again and one.again["paraphrase"].answered
            ]
        ),
        paraphrase_agreement=_rate([(one, float(same)) for one, same in _kept(checked, "paraphrase")]),
        edit_followed=_rate([(one, float(not same)) for one, same in _kept(checked, "edit")]),
        edit_control=_rate([(one, float(not same)) for one, same in _kept(checked, "control")]),
        questions=len(checked),
        queries=sum(one.queries for one in checked),
        skipped=dict(skipped),
    )


def _kept(checked: Sequence[Checked], kind: Kind) -> list[tuple[Checked, bool]]:
    """Whether the answer stayed the same, where there is one."""
    return [
        (one, says_the_same(one.again[kind].answer, one.failing.observation.answer))
        for one in checked
        if kind in one.again and one.again[kind].verdict.error is None
    ]


def _rate(values: Sequence[tuple[Checked, float]]) -> Rate | None:
    if not values:
        return None
    return clustered_rate([value for _, value in values], [one.failing.image.id for one, _ in values])


def says_the_same(one: str, other: str) -> bool:
    """Whether two answers mean the same, by the rules of `scotoma.verify.rules`.

    >>> says_the_same("The answer is 3.", "three"), says_the_same("red", "blue")
    (True, False)
    """
    return normalise(one) == normalise(other) or match(one, normalise(other)) == "correct"


def _same_question(failing: Failing, question: str, verdict: Verdict) -> Asked | str:
    """The rewritten question, if it is valid and its answer is that of the original."""
    truth = failing.observation.verdict.truth
    if verdict.error is not None or verdict.valid is None:
        return verdict.error or verdict.reason or "undecided"
    if not verdict.valid or verdict.truth is None or truth is None or not says_the_same(verdict.truth, truth):
        return "another question"
    known = verdict.model_copy(update={"truth": truth})
    return Asked(f"checks/paraphrase/{failing.observation.key}", failing.image, question, verdict=known)
