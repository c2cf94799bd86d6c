"""The last look at a finished sample: may it be trained on, and is it new?

Whether its answer is right was decided before (`production`). What is left is form, leakage and duplicates; of a photo,
a near-copy counts as the photo itself.

>>> from scotoma.core import ImageRecord, Sample
>>> intake = SampleIntake(held_out={"ab"})
>>> photo = ImageRecord(id="ab", source="folder:photos/cups.jpg")
>>> intake.reason(Sample(id="1", image_id="ab", question="any cups?", answer="yes", purpose="mode"), photo)
'leakage'
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from scotoma.core import ImageRecord, Sample
from scotoma.images.duplicates import DISTANCE, Fingerprint

LONGEST_ANSWER = 120
"""Characters. What is longer is no short answer, and no rule can compare it."""


class SampleIntake:
    """`form`, `leakage` and `duplicate`, in this order (`production.Intake`). For one thread.

    Args:
        held_out: ids of pictures that nothing may be trained on.
        held_out_photos: of these, the pictures without facts: their near-copies leak as well. Rendered pictures are as
            different as their facts, however alike they look.
    """

    names: Sequence[str] = ("form", "leakage", "duplicate")

    def __init__(self, held_out: Collection[str] = (), held_out_photos: Iterable[ImageRecord] = ()) -> None:
        self._held_out = frozenset(held_out)
        self._held_out_prints = [Fingerprint.of(record.open()) for record in held_out_photos]
        self._prints: dict[str, Fingerprint] = {}
        self._asked: dict[str, set[str]] = defaultdict(set)

    def reason(self, sample: Sample, image: ImageRecord) -> str | None:
        """Why the sample is not taken; None where it is, and then it is remembered."""
        question = " ".join(sample.question.lower().split())
        if not question or not 0 < len(sample.answer.strip()) <= LONGEST_ANSWER:
            return "form"
        if image.id in self._held_out:
            return "leakage"
        about = self._asked[question]
        if image.facts is None:
            seen = self._print(image)
            if any(seen.near(other, DISTANCE) for other in self._held_out_prints):
                return "leakage"
            if any(seen.near(self._prints[other], DISTANCE) for other in about if other in self._prints):
                return "duplicate"
        if image.id in about:
            return "duplicate"
        about.add(image.id)
        return None

    def _print(self, image: ImageRecord) -> Fingerprint:
        if image.id not in self._prints:
            self._prints[image.id] = Fingerprint.of(image.open())
        return self._prints[image.id]
