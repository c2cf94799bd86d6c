"""From a mixture to verified samples: vary failing scenes, write questions, check them, balance their answers.

This is the spiral's way, for worlds: many questions about each picture. One sample at a time, for photos too, is the
agents' way (`production`).

    made = targeted_samples(world, mixture, targets, structures, held_out, seed=0)
    made.samples, made.images, made.shortfalls, made.rejected

Shortfalls are said: a target that cannot fill its share leaves it to retention, so that volumes stay equal across arms.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from scotoma.core import EditableWorld, Facts, ImageRecord, Predicate, Sample
from scotoma.diagnose.mixture import Mixture
from scotoma.generate.attempt import Tally
from scotoma.generate.checks import Checks, Draft, usual_checks
from scotoma.generate.planner import Plan, Structure, Target, plan
from scotoma.generate.settings import PER_IMAGE

MOST_OF_A_MODE = 5
"""Of these, at most so many from one mode, where the mixture has retention: uniform questions on the same picture."""


@dataclass
class Made:
    """What was made. `shortfalls`: mode id → samples that could not be made, in whose place others are; `rejected` and
    `infrastructure`: reason → attempts that a check ended, or that failed without anybody's fault."""

    samples: list[Sample] = field(default_factory=list)
    images: dict[str, ImageRecord] = field(default_factory=dict)
    shortfalls: dict[str, int] = field(default_factory=dict)
    rejected: Counter[str] = field(default_factory=Counter)
    infrastructure: Counter[str] = field(default_factory=Counter)

    def count(self, tally: Tally) -> None:
        """Add how the agents' attempts ended."""
        self.rejected.update(tally.rejected)
        self.infrastructure.update(tally.infrastructure)


def targeted_samples(
    world: EditableWorld,
    mixture: Mixture,
    targets: Sequence[Target],
    structures: Iterable[Structure],
    held_out: Collection[str],
    seed: int,
) -> Made:
    """`mixture.volume` samples: each target's share from its structures, the rest retention. That takes the place of
    shortfalls too, also in a mixture without any.
    """
    made, checks = Made(), Checks(usual_checks(world, held_out))
    retained = mixture.retention
    for each in plan(mixture, targets, structures):
        wanted = each.samples
        for sheet in _sheets(world, each, checks, f"{seed}/{each.mode_id}", mixture.retention > 0):
            mine = [sample for sample in sheet.samples if sample.mode_id is not None]
            others = [sample for sample in sheet.samples if sample.mode_id is None]
            left_out = [*mine[wanted:], *others[retained:]]
            made.samples += [sample for sample in sheet.samples if sample not in left_out]
            made.images[sheet.image.id] = sheet.image
            wanted -= min(len(mine), wanted)
            retained -= min(len(others), retained)
            if wanted <= 0:
                break
        if wanted > 0:
            made.shortfalls[each.mode_id] = wanted
    _fill(world, made, checks, mixture.volume - len(made.samples), seed, "retention")
    made.rejected = checks.rejected
    return made


def uniform_samples(world: EditableWorld, volume: int, held_out: Collection[str], seed: int) -> Made:
    """The control arm: template questions about fresh pictures, aimed at nothing."""
    made, checks = Made(), Checks(usual_checks(world, held_out))
    _fill(world, made, checks, volume, seed, "uniform")
    made.rejected = checks.rejected
    return made


@dataclass(frozen=True)
class _Sheet:
    image: ImageRecord
    samples: list[Sample]


def _sheets(world: EditableWorld, each: Plan, checks: Checks, key: str, beside: bool) -> Iterator[_Sheet]:
    """New pictures of the plan's structures with their questions, and retention `beside` them, as long as tries last.

    A mode that names an answer ("… when the answer is no") would teach that answer instead of the skill. So it is
    balanced by contrast questions, alike in everything but the answer, one for each of its own.
    """
    if not each.structures:
        return
    rng = random.Random(key)
    contrast = Predicate(
        conditions=tuple(c for c in each.predicate.conditions if c.key not in ("answer", "count"))
    )
    balanced = contrast != each.predicate
    answers: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for attempt in range(20 * each.samples):
        structure = rng.choice(each.structures)
        facts = world.vary(structure.facts, structure.question, rng.getrandbits(32))
        found: dict[str, dict[str, list[str]]] = {"mode": {}, "contrast": {}}
        for question in world.similar(facts, structure.question, rng.getrandbits(32), 16):
            examined = facts.examine(question)
            if examined.answer is None or not contrast.matches(examined.tags):
                continue
            part = "mode" if each.predicate.matches(examined.tags) else "contrast"
            found[part].setdefault(examined.answer, []).append(question)
        image = world.render(facts, "train")
        samples: list[Sample] = []
        while len(samples) < (MOST_OF_A_MODE if beside else PER_IMAGE):
            part = "contrast" if balanced and given["contrast"] < given["mode"] else "mode"
            offered = found[part]
            if not any(offered.values()):
                break
            # The rarest answer so far first, so that no answer is taught as the mode's own.
            answer = min((a for a in offered if offered[a]), key=lambda a: (answers[a], a))
            if not balanced and samples and answers[answer] > 2 * min(answers.values()) + 8:
                break
            sample = _sample(image, facts, offered[answer].pop(), checks, part, each.mode_id, key, attempt)
            if sample is not None:
                samples.append(sample)
                answers[answer] += 1
                given[part] += 1
        if not samples:
            continue
        # As much retention as mode questions on the same picture; the mixture says how much there is in all.
        extra = min(len(samples), PER_IMAGE - len(samples)) if beside else 0
        for question in world.questions(facts, rng.getrandbits(32), PER_IMAGE):
            if extra == 0:
                break
            kept = _sample(image, facts, question, checks, "retention", None, key, attempt)
            if kept is not None and not each.predicate.matches(kept.tags):
                samples.append(kept)
                extra -= 1
        yield _Sheet(image, samples)


def _fill(world: EditableWorld, made: Made, checks: Checks, volume: int, seed: int, purpose: str) -> None:
    """Template questions about fresh train pictures until the volume is reached."""
    if volume <= 0:
        return
    for number, image in enumerate(world.images("train", seed)):
        assert image.facts is not None
        for question in world.questions(image.facts, seed * 1_000_003 + number, PER_IMAGE):
            sample = _sample(image, image.facts, question, checks, purpose, None, f"{seed}", number)
            if sample is not None:
                made.samples.append(sample)
                made.images[image.id] = image
                volume -= 1
                if volume == 0:
                    return


def _sample(
    image: ImageRecord,
    facts: Facts,
    question: str,
    checks: Checks,
    purpose: str,
    mode_id: str | None,
    key: str,
    attempt: int,
) -> Sample | None:
    examined = facts.examine(question)
    draft = Draft(image, question, examined.answer, facts=facts, mode_id=mode_id, tags=examined.tags)
    if not checks.passes(draft) or examined.answer is None:
        return None
    name = sha256(f"{image.id}/{question}".encode()).hexdigest()[:16]
    return Sample(
        id=name,
        image_id=image.id,
        question=question,
        answer=examined.answer,
        purpose=purpose,
        mode_id=mode_id,
        tags=dict(examined.tags),
        provenance={"made_by": "vary" if mode_id else "template", "seed": key, "attempt": str(attempt)},
        checks=checks.names,
    )
