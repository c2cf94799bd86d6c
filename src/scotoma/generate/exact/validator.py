"""The exact validator: answers anew, by other code than the writer's, from the facts as they are read back from JSON.

Where a world answers in a second way (`core.TwiceAnsweredWorld`), that is the answer: the writer has his from the
executor, so that an error there is a disagreement. Whether a question is valid, and its tags, only the executor says.

ExactValidator(world).validate(image, "how many stars are there ?").answer
"""

from __future__ import annotations

from scotoma.core import ImageRecord, TwiceAnsweredWorld, World
from scotoma.generate.handover import Declined, Ruling


class ExactValidator:
    """Independent of the writer in what it reads and, where the world has a second way of answering, in how it answers.
    In another world the executor is the same one, and agreement checks the wiring alone."""

    def __init__(self, world: World) -> None:
        self._world = world

    def validate(self, image: ImageRecord, question: str) -> Ruling:
        """The world's second opinion, or else the executor's answer; with the executor's tags.

        Raises:
            Declined: the picture has no facts.
        """
        if image.facts is None:
            raise Declined("no facts")
        facts = self._world.facts(image.facts.to_json())
        examined = facts.examine(question)
        answer = examined.answer
        if answer is not None and isinstance(self._world, TwiceAnsweredWorld):
            answer = self._world.second_opinion(facts, question)
        return Ruling(answer, examined.reason, examined.tags)
