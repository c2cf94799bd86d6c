"""The shapes world: scenes of coloured shapes and signs, drawn, described and questioned exactly."""

from scotoma.images.worlds.shapes.world import ShapesFacts, ShapesWorld

__all__ = ["ShapesFacts", "ShapesWorld"]
