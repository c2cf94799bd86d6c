"""Measuring a judge: items with known truth, which it rules on as it would in a run, blind to all facts.

From a world come valid questions and such as are known to be invalid, right answers and plausible wrong ones, as many
of each; from a file, what people said.

    items = known_from_world(ShapesWorld(), n=400, seed=0)
    calibration = measure(
        JudgeVerifier(model), items, clustered_rate, judge="openai:…", prompts=VERSIONS, measured_on="worlds:shapes"
    )
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from scipy.stats import binomtest

from scotoma.core import (
    Calibration,
    Claim,
    ConfigError,
    Discernment,
    Facts,
    ImageRecord,
    Rate,
    Verdict,
    Verifier,
    World,
)
from scotoma.verify.consensus import ConsensusVerifier
from scotoma.verify.rules import match

DOUBTFUL = frozenset({"borderline", "trivial", "unparsable"})
"""Reasons for which facts refuse a question that a person may well call valid."""

_SEED = 7_000_003

_BATCH = 64
_PER_IMAGE = 6


@dataclass(frozen=True)
class KnownItem:
    """A question with what is known of it. `correct` is about `answer`; None: nothing is known of an answer."""

    image: ImageRecord
    question: str
    valid: bool
    answer: str | None = None
    correct: bool | None = None


def known_from_world(world: World, n: int, seed: int) -> list[KnownItem]:
    """`n` items: half of the questions are invalid; of the valid ones, half are answered wrongly.

    Invalid are questions that were valid about another picture (of which this one lacks what they speak of, or has
    several), and, one in four, two questions in one. A wrong answer is a right one to another question of that type.
    The images come without their facts, so that no judge can see them.

    Raises:
        ConfigError: the world's questions cannot be made wrong in this way.
    """
    rng = random.Random(f"calibration/{seed}")
    invalid: list[KnownItem] = []
    answered: list[tuple[ImageRecord, str, str, str]] = []
    before: list[str] = []
    images = picture_stream(world, seed)
    while len(invalid) < n // 2 or len(answered) < n:
        record = next(images, None)
        if record is None or record.facts is None:
            raise ConfigError(f"{world.spec} has too few images with facts", hint="ask for fewer items: --n")
        blind = replace(record, facts=None, attributes={})
        questions = list(dict.fromkeys(world.questions(record.facts, rng.randrange(2**31), _PER_IMAGE)))
        for question in questions[:3]:
            examined = record.facts.examine(question)
            if examined.valid and examined.answer is not None:
                kind = examined.tags.get("operation", examined.tags.get("type", ""))
                answered.append((blind, question, examined.answer, str(kind)))
        wrong = _invalid(record.facts, questions, before, rng)
        invalid += [KnownItem(blind, question, valid=False) for question in wrong]
        before = questions
    by_kind: dict[str, list[str]] = {}
    for _, _, answer, kind in answered:
        by_kind.setdefault(kind, []).append(answer)
    valid: list[KnownItem] = []
    for image, question, answer, kind in answered:
        others = [other for other in by_kind[kind] if match(other, answer) == "incorrect"]
        if len(valid) % 2 == 0:
            valid.append(KnownItem(image, question, valid=True, answer=answer, correct=True))
        elif others:
            valid.append(KnownItem(image, question, valid=True, answer=rng.choice(others), correct=False))
    chosen = [*valid[: n - n // 2], *invalid[: n // 2]]
    rng.shuffle(chosen)
    return chosen


def picture_stream(world: World, seed: int) -> Iterator[ImageRecord]:
    """The pictures that a calibration looks at: of the `test` split, under a seed that runs do not use."""
    return world.images("test", _SEED + seed)


def _invalid(facts: Facts, here: Sequence[str], elsewhere: Sequence[str], rng: random.Random) -> list[str]:
    """At most one question of another picture that has no answer here, or two questions in one."""
    if rng.random() < 0.25 and len(here) > 1:
        return [f"{here[0].rstrip(' ?.')} and {here[1]}"]
    for question in rng.sample(list(elsewhere), len(elsewhere)):
        examined = facts.examine(question)
        if not examined.valid and examined.reason not in DOUBTFUL:
            return [question]
    return []


class _Label(BaseModel):
    """One line of human labels; `image` is a path, relative to the file."""

    model_config = ConfigDict(extra="ignore")

    image: Path
    question: str
    valid: bool
    answer: str | None = None
    correct: bool | None = None


def known_from_labels(path: Path) -> list[KnownItem]:
    """Human labels: JSON lines with `image`, `question`, `valid`, and for a valid question `answer` and `correct`.

    Raises:
        ConfigError: the file or a line cannot be read; the message names the line.
        ImageError: an image cannot be read.
    """
    return [
        KnownItem(
            ImageRecord(ImageRecord.hash(data), source=f"labels:{path.name}", path=place),
            label.question,
            label.valid,
            label.answer,
            label.correct if label.valid else None,
        )
        for label in _labels(path)
        for place in [path.parent / label.image]
        for data in [ImageRecord(id=str(place), source="labels", path=place).read()]
    ]


def _labels(path: Path) -> Iterator[_Label]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{path}: cannot be read: {reason}", hint="give a file of JSON lines") from error
    shape = 'write {"image": "a.png", "question": "…", "valid": true, "answer": "…", "correct": false}'
    found = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            label = _Label.model_validate(json.loads(line))
        except (ValueError, RecursionError) as error:
            if isinstance(error, ValidationError):
                first = error.errors()[0]
                told = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            else:
                told = "no JSON"
            raise ConfigError(f"{path}:{number}: {told}", hint=shape) from error
        if label.correct is not None and label.answer is None:
            raise ConfigError(f"{path}:{number}: `correct` without an `answer`", hint=shape)
        found += 1
        yield label
    if not found:
        raise ConfigError(f"{path}: the file is empty", hint=shape)


def measure(
    verifier: Verifier,
    items: Sequence[KnownItem],
    rate: Callable[[Sequence[bool], Sequence[str]], Rate],
    *,
    judge: str,
    prompts: Mapping[str, str],
    measured_on: str,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Calibration:
    """Let a judge rule on known items, and count. Items that it gives no ruling on count as `unusable`, nowhere else.

    Correctness is measured as it is used: the judge is not told the right answer, and rules come before it. `rate`
    makes a share, with its interval, of rulings and the ids of their pictures: items about one picture belong together,
    so take `diagnose.statistics.clustered_rate`, which lives on the same floor and so out of reach.
    """
    verdicts: list[Verdict] = []
    for start in range(0, len(items), _BATCH):
        batch = items[start : start + _BATCH]
        claims = [Claim(image=item.image, question=item.question, answer=item.answer) for item in batch]
        verdicts += verifier.judge(claims)
        on_progress(len(verdicts), len(items))
    unusable: Counter[str] = Counter()
    refused, failed = _Calls(), _Calls()
    for item, verdict in zip(items, verdicts, strict=True):
        if verdict.valid is None:
            unusable[verdict.error or verdict.reason or "undecided"] += 1
            continue
        refused.add(not item.valid, not verdict.valid, item.image.id)
        if item.correct is None or not verdict.valid:
            continue
        if verdict.correct is None:
            unusable[verdict.error or verdict.reason or "undecided"] += 1
            continue
        failed.add(not item.correct, verdict.correct < 0.5, item.image.id)
    agreement = verifier.agreement if isinstance(verifier, ConsensusVerifier) else None
    return Calibration(
        judge=judge,
        prompts=dict(prompts),
        measured_on=measured_on,
        made=datetime.now(UTC).replace(microsecond=0),
        items=len(items),
        validity=refused.discernment(rate),
        correctness=failed.discernment(rate),
        unusable=dict(unusable.most_common()),
        unanimity=_wilson(agreement.unanimous, agreement.ruled) if agreement is not None else None,
    )


class _Calls:
    """What was called a fault, and of which pictures, apart for what is one and what is none."""

    def __init__(self) -> None:
        self._right: dict[bool, list[bool]] = {True: [], False: []}
        self._images: dict[bool, list[str]] = {True: [], False: []}

    def add(self, fault: bool, called: bool, image_id: str) -> None:
        self._right[fault].append(called is fault)
        self._images[fault].append(image_id)

    def discernment(self, rate: Callable[[Sequence[bool], Sequence[str]], Rate]) -> Discernment:
        return Discernment(
            sensitivity=rate(self._right[True], self._images[True]),
            specificity=rate(self._right[False], self._images[False]),
        )


def _wilson(successes: int, n: int) -> Rate:
    """`diagnose.statistics.wilson`, which lives on the same floor and so out of reach."""
    if n == 0:
        return Rate(value=0.0, low=0.0, high=1.0, n=0)
    low, high = binomtest(successes, n).proportion_ci(method="wilson")
    value = successes / n
    return Rate(
        value=value, low=min(max(0.0, float(low)), value), high=max(min(1.0, float(high)), value), n=n
    )
