"""What people ask: the reference set that a questioner's questions are compared with.

A rendered world's own templates; for photos a file of questions, one per line, or the 150 ordinary ones that come with
Scotoma (`references/questions.txt`, written for it).

    reference = open_reference(source, settings, seed=0)
    reference.name, len(reference.questions)
    naturalness_of(run.ledger, reference, HashedWords())
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from scotoma.core import ConfigError, ImageSource, Observation, Rate, Tags, World
from scotoma.diagnose.wording import wording_tags
from scotoma.discover.naturalness import LEAST, Typicality, discrepancy
from scotoma.discover.novelty import Embedder
from scotoma.discover.pool import Pool
from scotoma.discover.settings import DiscoverSettings
from scotoma.store.ledger import Ledger
from scotoma.store.summary import NaturalnessSummary

SIZE = 500
"""Template questions that stand for a world."""

MOST = 1000
"""Questions of a run that are compared: a random choice of more."""

_BUILT_IN = Path(__file__).parent / "references" / "questions.txt"


@dataclass(frozen=True)
class Reference:
    """Questions with their tags; `images` holds the id of each one's image, if it was asked about one."""

    name: str
    questions: tuple[str, ...]
    tags: tuple[Tags, ...]
    images: tuple[str, ...] | None = None

    def typicality(self, embed: Embedder) -> Typicality:
        """How typical a question is of this set."""
        return Typicality(embed(self.questions, self.tags))


def open_reference(source: ImageSource, settings: DiscoverSettings, seed: int) -> Reference:
    """The file that the settings name, else a world's templates, else the questions that come with Scotoma.

    Raises:
        ConfigError: the file cannot be read, or holds too few questions.
    """
    if settings.reference is None and isinstance(source, World):
        items = list(islice(Pool(source, settings).questions("discover", seed + 700_001), SIZE))
        return Reference(
            f"templates of {source.spec}",
            tuple(item.question for item in items),
            tuple(item.tags for item in items),
            tuple(item.image.id for item in items),
        )
    path = settings.reference or _BUILT_IN
    questions = _lines(path)
    name = str(path) if settings.reference is not None else "ordinary questions (built in)"
    return Reference(name, questions, tuple(wording_tags(question) for question in questions))


def _lines(path: Path) -> tuple[str, ...]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(
            f"discover.reference: cannot read {path}: {reason}",
            hint="give a text file, one question per line",
        ) from error
    questions = tuple(line.strip() for line in lines if line.strip())
    if len(questions) < LEAST:
        raise ConfigError(
            f"discover.reference: {path} holds {len(questions)} questions, and {LEAST} are the least",
            hint="one question per line",
        )
    return questions


def naturalness_of(
    ledger: Ledger, reference: Reference, embed: Embedder, seed: int = 0
) -> NaturalnessSummary | None:
    """How far the questions of a run lie from the reference set, and the baseline's; None where too few were asked."""
    usual = embed(reference.questions, reference.tags)

    def compared(phase: str) -> tuple[Rate, float] | None:
        asked = _some(ledger.observations(phase), seed)
        if len(asked) < LEAST:
            return None
        found = discrepancy(
            embed([o.question for o in asked], [o.tags for o in asked]),
            usual,
            [o.image_id for o in asked],
            reference.images,
            seed=seed,
        )
        return Rate(value=found.squared_mmd, low=found.low, high=found.high, n=found.n), found.p_value

    asked, baseline = compared("discover"), compared("baseline")
    if asked is None:
        return None
    return NaturalnessSummary(
        squared_mmd=asked[0],
        p_value=asked[1],
        baseline_squared_mmd=baseline[0] if baseline else None,
        reference=reference.name,
        reference_questions=len(reference.questions),
        embedder=embed.name,
    )


def _some(observations: Sequence[Observation], seed: int) -> list[Observation]:
    if len(observations) <= MOST:
        return list(observations)
    return random.Random(f"{seed}/naturalness").sample(list(observations), MOST)
