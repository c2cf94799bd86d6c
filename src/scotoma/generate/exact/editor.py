"""The exact editor: changes the scene graph and draws it again, so that every consequence is known.

SceneEditor(world).edit(sketch, found).operations     # ("shift", "recolour")
"""

from __future__ import annotations

from hashlib import sha256

from scotoma.core import RetouchableWorld
from scotoma.generate.handover import Declined, Edited, Found, Sketch

EFFECTS = {
    "add": "one thing more",
    "remove": "one thing less",
    "move": "one thing is at another place",
    "recolour": "one thing has another colour",
    "reshape": "one thing has another shape",
    "resize": "one thing has another size",
    "occlude": "one thing is partly hidden by another, which has moved",
    "relabel": "one sign has another text",
    "mirror": "left and right are exchanged",
    "shift": "everything has moved a little",
}
"""What the operations of the worlds do; the facts of the edited picture say the rest."""


class SceneEditor:
    """Carries out `Sketch.scene_edits` in order. An operation for which there is no room is left out, as long as one
    can be carried out."""

    def __init__(self, world: RetouchableWorld) -> None:
        self._world = world

    def edit(self, sketch: Sketch, found: Found) -> Edited:
        """The scene edited and drawn, of split `train`.

        Raises:
            Declined: the picture has no facts, or none of the operations could be carried out.
        """
        facts, done = found.image.facts, []
        if facts is None:
            raise Declined("no facts")
        question = sketch.like.question if sketch.like is not None else sketch.asks
        for number, operation in enumerate(sketch.scene_edits):
            seed = int(sha256(f"{found.image.id}/{sketch.key}/{number}".encode()).hexdigest()[:8], 16)
            changed = self._world.edit(facts, question, operation, seed)
            if changed is not None:
                facts = changed
                done.append(operation)
        if not done:
            raise Declined("no room", hint=", ".join(sketch.scene_edits))
        effects = tuple(EFFECTS.get(operation, operation) for operation in done)
        return Edited(self._world.render(facts, "train"), tuple(done), effects)
