"""A stand-in for the shapes world and a candidate in tests that need tags but no pixels.

Tags are correlated as they are in real scenes (more things: more occlusion, larger counts; the wording depends on the
question type), six questions share an image, and an image's questions fail together a little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scotoma.core import Observation, Predicate, Tag, Verdict

COLOURS = ("red", "blue", "green", "yellow", "purple", "orange")
SHAPES = ("circle", "square", "triangle", "star", "cross")
SIZES = ("small", "large")
RELATIONS = ("left of", "right of", "above", "below")
WORDINGS = {
    "existence": ("is there", "can you see", "does the picture show"),
    "count": ("how many", "what number of", "count the"),
    "colour": ("what colour is", "which colour has", "name the colour of"),
    "shape": ("what shape is", "which shape is", "name the shape of"),
    "size": ("what size is", "how big is", "is it small or large"),
    "compare": ("are there more", "is the number of", "do more"),
    "read": ("what digit", "which number is on", "read the sign on"),
}
SKILL = {"count": "counting", "compare": "comparison", "read": "reading"}
PER_IMAGE = 6


def draw_tags(n: int, random: np.random.Generator) -> list[dict[str, Tag]]:
    """Tags of `n` uniform template questions, six in a row about one image."""
    tags: list[dict[str, Tag]] = []
    while len(tags) < n:
        things = int(random.integers(2, 9))
        scene: dict[str, Tag] = {
            "things": things,
            "signs": int(random.binomial(things, 0.2)),
            "background": str(
                random.choice(["plain", "stripes", "dots", "gradient"], p=[0.55, 0.15, 0.15, 0.15])
            ),
            "occluded": bool(random.random() < 0.1 * (things - 1)),
        }
        tags += [_question(things, random) | scene for _ in range(PER_IMAGE)]
    return tags[:n]


def _question(things: int, random: np.random.Generator) -> dict[str, Tag]:
    kind = str(random.choice(list(WORDINGS)))
    skills = {SKILL.get(kind, kind)}
    colour = (str(random.choice(COLOURS)),) if kind != "colour" and random.random() < 0.6 else ()
    shape = (str(random.choice(SHAPES)),) if kind != "shape" and random.random() < 0.6 else ()
    size = (str(random.choice(SIZES)),) if kind != "size" and random.random() < 0.3 else ()
    relation = (str(random.choice(RELATIONS)),) if random.random() < 0.25 else ()
    negated = kind in ("existence", "count") and random.random() < 0.2
    skills |= ({"colour"} if colour else set()) | ({"relation"} if relation else set())
    skills |= {"negation"} if negated else set()
    tags: dict[str, Tag] = {
        "skill": tuple(sorted(skills)),
        "skills": "+".join(sorted(skills)),
        "type": kind,
        "wording": str(random.choice(WORDINGS[kind])),
        "complexity": len(skills),
        "colour": colour,
        "shape": shape,
        "size": size,
        "relation": relation,
        "attributes": len(colour) + len(shape) + len(size),
        "negated": negated,
    }
    if kind == "count":
        count = int(random.binomial(things, 0.4))
        return tags | {"count": count, "answer": str(count)}
    answers = {"colour": COLOURS, "shape": SHAPES, "size": SIZES, "read": tuple("0123456789")}
    return tags | {"answer": str(random.choice(answers.get(kind, ("yes", "no"))))}


def failure_rates(
    tags: Sequence[Mapping[str, Tag]], base: float, regions: Mapping[str, float]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Probability that the candidate fails each question: the worst planted region that holds it, else `base`."""
    rates = np.full(len(tags), base)
    for text, rate in regions.items():
        predicate = Predicate.parse(text)
        inside = np.array([predicate.matches(tag) for tag in tags])
        rates = np.where(inside, np.maximum(rates, rate), rates)
    return rates


def ask(
    n: int, seed: int, *, base: float = 0.12, regions: Mapping[str, float] | None = None, name: str = "q"
) -> list[Observation]:
    """`n` uniform questions put to a candidate with planted regions, every image a little harder or easier."""
    random = np.random.default_rng(seed)
    tags = draw_tags(n, random)
    rates = failure_rates(tags, base, regions or {})
    hardness = np.repeat(random.normal(1, 0.25, n // PER_IMAGE + 1), PER_IMAGE)[:n]
    failed = random.random(n) < np.clip(rates * np.where(rates > base, 1, hardness), 0, 1)
    return [
        observation(f"{name}{seed}/{i}", f"image{seed}-{i // PER_IMAGE}", tag, failed=bool(fail))
        for i, (tag, fail) in enumerate(zip(tags, failed, strict=True))
    ]


def observation(
    key: str, image: str, tags: Mapping[str, Tag], *, failed: bool, selection: float = 1.0
) -> Observation:
    """One answered, valid question."""
    verdict = Verdict(valid=True, correct=0.0 if failed else 1.0, truth="yes", decided_by="facts")
    return Observation(
        key=key,
        phase="discover",
        image_id=image,
        question="?",
        answer="no" if failed else "yes",
        verdict=verdict,
        tags=dict(tags),
        selection=selection,
    )
