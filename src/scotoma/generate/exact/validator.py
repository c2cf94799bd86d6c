"""The exact validator: executes the question on the facts as they are read back from JSON.

ExactValidator(world).validate(image, "how many stars are there ?").answer
"""

from __future__ import annotations

from scotoma.core import ImageRecord, World
from scotoma.generate.handover import Declined, Ruling


class ExactValidator:
    """Independent of the writer in what it reads; the executor is the same one."""

    def __init__(self, world: World) -> None:
        self._world = world

    def validate(self, image: ImageRecord, question: str) -> Ruling:
        """The executor's answer and tags.

        Raises:
            Declined: the picture has no facts.
        """
        if image.facts is None:
            raise Declined("no facts")
        examined = self._world.facts(image.facts.to_json()).examine(question)
        return Ruling(examined.answer, examined.reason, examined.tags)
