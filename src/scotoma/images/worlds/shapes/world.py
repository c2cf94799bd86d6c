"""`worlds:shapes`: the image source that renders scenes, knows their facts and speaks the question language.

The four splits draw their scenes from disjoint seeds, so no picture is ever in two of them.

>>> record = next(ShapesWorld().images("discover", seed=0))
>>> record.facts.examine("how many things are there ?").valid
True
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from scotoma.core import SPLITS, ConfigError, Examination, Facts, ImageRecord, Split, Tag, Variant
from scotoma.images.worlds.shapes import bystander, edits, templates
from scotoma.images.worlds.shapes.counterfactuals import single_edits
from scotoma.images.worlds.shapes.executor import examine
from scotoma.images.worlds.shapes.language import normalise, parse, realise, wordings
from scotoma.images.worlds.shapes.parts import parts, terse
from scotoma.images.worlds.shapes.reductions import reductions
from scotoma.images.worlds.shapes.render import encode, visibility
from scotoma.images.worlds.shapes.retouching import OPERATIONS, retouch
from scotoma.images.worlds.shapes.scene import EXAM, Scene, SceneRange, sample_scene

OCCLUDED = 0.85
"""A scene is tagged `occluded` when some thing shows less than this share of its pixels."""


class ShapesFacts:
    """The scene graph of one picture and its executor (`scotoma.core.Facts`)."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def examine(self, question: str) -> Examination:
        """Validity, answer and tags; reasons are listed in `executor`. Never raises."""
        return examine(self.scene, question, self.attributes)

    @cached_property
    def attributes(self) -> dict[str, Tag]:
        """What the image itself is like: the tags that image attributes of failure modes are made of."""
        return {
            "things": len(self.scene.things),
            "signs": len(self.scene.signs),
            "background": self.scene.background,
            "occluded": min(visibility(self.scene), default=1.0) < OCCLUDED,
        }

    def to_json(self) -> dict[str, Any]:
        """The scene as a mapping; `ShapesWorld.facts` reads it back."""
        return self.scene.to_json()


class ShapesWorld:
    """Unlimited 64 × 64 scenes; `allowed` says how rich they are (the exam's range by default)."""

    spec = "worlds:shapes"
    operations: Sequence[str] = OPERATIONS

    def __init__(self, allowed: SceneRange = EXAM) -> None:
        self.allowed = allowed

    def images(self, split: Split, seed: int) -> Iterator[ImageRecord]:
        """An endless stream of pictures, the same for the same split and seed."""
        index = 0
        while True:
            yield self.image(split, seed, index)
            index += 1

    def image(self, split: Split, seed: int, index: int) -> ImageRecord:
        """Picture number `index` of a stream, without drawing the ones before it."""
        rng = random.Random(f"shapes/{SPLITS.index(split)}/{seed}/{index}")
        scene = sample_scene(rng, self.allowed)
        # Placing goes by distances; one scene in a thousand hides a little more of a thing than the range allows.
        while min(visibility(scene), default=1.0) < self.allowed.min_visible:
            scene = sample_scene(rng, self.allowed)
        return self.render(ShapesFacts(scene), split)

    def render(self, facts: Facts, split: Split) -> ImageRecord:
        """Draw a scene, edited or not."""
        assert isinstance(facts, ShapesFacts)
        data = encode(facts.scene)
        return ImageRecord(
            id=ImageRecord.hash(data),
            source=self.spec,
            licence="Apache-2.0 (rendered)",
            split=split,
            data=data,
            facts=facts,
            attributes=facts.attributes,
        )

    def facts(self, document: Mapping[str, Any]) -> ShapesFacts:
        """Rebuild facts from `ShapesFacts.to_json`.

        Raises:
            ConfigError: when the document is no shapes scene.
        """
        return ShapesFacts(Scene.from_json(dict(document)))

    def questions(self, facts: Facts, seed: int, n: int) -> Sequence[str]:
        """`n` valid questions from the uniform template questioner: every question type equally often.

        A type that the scene cannot offer (reading without a sign) is drawn again.

        Raises:
            ConfigError: when there is no thing to ask about.
        """
        assert isinstance(facts, ShapesFacts)
        if not facts.scene.things:
            raise ConfigError("a scene without things offers no questions")
        # The scene is part of the seed, or one seed would ask every picture for the same types in the same order.
        rng = random.Random(f"questions/{seed}/{facts.scene}")
        found: list[str] = []
        while len(found) < n:
            question = templates.ask(facts.scene, rng)
            if question is not None:
                found.append(question)
        return found

    def second_opinion(self, facts: Facts, question: str) -> str | None:
        """The answer as somebody would give it who looks at the picture; see `bystander`."""
        assert isinstance(facts, ShapesFacts)
        parsed = parse(question)
        return None if parsed is None else bystander.opinion(parsed.program, facts.scene)

    def vary(self, facts: Facts, question: str, seed: int) -> ShapesFacts:
        """A new scene that keeps the structure in which `question` was asked; see `edits.vary`."""
        assert isinstance(facts, ShapesFacts)
        return ShapesFacts(edits.vary(facts.scene, question, random.Random(f"vary/{seed}")))

    def similar(self, facts: Facts, question: str, seed: int, n: int) -> Sequence[str]:
        """Up to `n` different valid questions: the question in other words, then others of its kind."""
        assert isinstance(facts, ShapesFacts)
        rng = random.Random(f"similar/{seed}")
        parsed = parse(question)
        if parsed is None:
            return ()
        kind = templates.kind_of(parsed.program)
        drafts: list[str | None] = [realise(parsed.program, rng)]
        for number in range(2 * n):  # every other one in the same words
            wording = parsed.wording if number % 2 else None
            drafts.append(templates.ask(facts.scene, rng, kind, wording=wording, tries=4))
        return [q for q in dict.fromkeys(drafts) if q is not None and facts.examine(q).valid][:n]

    def parts(self, facts: Facts, question: str) -> Sequence[str]:
        """The questions that this one is made of, in their shortest wordings; see `parts.parts`."""
        parsed = parse(question)
        drafts = [terse(part) for part in parts(parsed.program)] if parsed is not None else []
        return [q for q in dict.fromkeys(drafts) if q != normalise(question) and facts.examine(q).valid]

    def reductions(self, facts: Facts, question: str) -> Iterator[Variant]:
        """Every scene and question one step smaller, the smallest first; see `reductions.reductions`."""
        assert isinstance(facts, ShapesFacts)
        for found in reductions(facts.scene, question):
            yield Variant(ShapesFacts(found.scene), found.question, found.edit)

    def things(self, facts: Facts) -> int:
        """Shapes and signs."""
        assert isinstance(facts, ShapesFacts)
        return len(facts.scene.things) + len(facts.scene.signs)

    def paraphrases(self, facts: Facts, question: str, seed: int, n: int) -> Sequence[str]:
        """The same program in other words, other wordings before the same one with other relation words."""
        assert isinstance(facts, ShapesFacts)
        parsed = parse(question)
        if parsed is None:
            return ()
        rng = random.Random(f"paraphrases/{seed}")
        others = [wording for wording in wordings(parsed.program) if wording != parsed.wording]
        rng.shuffle(others)
        drafts = [realise(parsed.program, rng, wording=wording) for wording in (*others, parsed.wording)]
        return [q for q in dict.fromkeys(drafts) if q != normalise(question) and facts.examine(q).valid][:n]

    def counterfactuals(self, facts: Facts, question: str, seed: int) -> Iterator[Variant]:
        """The question about scenes with one thing changed; see `counterfactuals.single_edits`."""
        assert isinstance(facts, ShapesFacts)
        for changed in single_edits(facts.scene, random.Random(f"counterfactuals/{seed}")):
            yield Variant(ShapesFacts(changed.scene), question, changed.edit)

    def edit(self, facts: Facts, question: str, operation: str, seed: int) -> ShapesFacts | None:
        """One named edit; see `retouching.retouch`."""
        assert isinstance(facts, ShapesFacts)
        scene = retouch(facts.scene, question, operation, random.Random(f"edit/{operation}/{seed}"))
        return None if scene is None else ShapesFacts(scene)
