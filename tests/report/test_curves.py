"""Learning curves: a panel per measure, the training's own apart, and only what moved of these."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from scotoma.report.curves import Panel, panels
from scotoma.store import CurvePoint, Run


def drawn(path: Path, **curves: Iterable[float]) -> dict[str, Panel]:
    """The panels of one arm's curves, by title."""
    points = [
        CurvePoint(step, name, value) for name, values in curves.items() for step, value in enumerate(values)
    ]
    with Run.open(path, command="evolve", config={}) as run:
        run.ledger.finish("round1/targeted/reinforce", curve=points)
        return {panel.title: panel for panel in panels(run.ledger)}


def test_what_the_training_itself_did_is_told_apart_from_what_was_learnt(tmp_path: Path) -> None:
    found = drawn(
        tmp_path, reward=(0.1, 0.2), kl=(0.0, 0.0), entropy=(2.0, 1.0), zero_variance_share=(0.25, 0.5)
    )
    assert {title for title, panel in found.items() if not panel.diagnostic} == {
        "reward",
        "KL to the starting policy",
    }
    apart = [panel for panel in found.values() if panel.diagnostic]
    assert [panel.share for panel in apart] == [False, True]  # nats, and a share in per cent
    assert {panel.owner for panel in apart} == {"Candidate, round 1"}


def test_a_diagnostic_that_never_moved_is_not_drawn(tmp_path: Path) -> None:
    assert list(drawn(tmp_path, reward=(0.5, 0.5), clip_share=(0.0, 0.0))) == ["reward"]


def test_a_point_that_is_no_number_leaves_a_gap(tmp_path: Path) -> None:
    [panel] = drawn(tmp_path, grad_norm=(1.0, math.nan, 3.0)).values()
    assert [(point.step, point.value) for point in panel.series[0].points] == [(0, 1.0), (2, 3.0)]


def test_the_rewards_come_first_and_an_unknown_measure_is_called_by_its_name(tmp_path: Path) -> None:
    assert list(drawn(tmp_path, zeal_of_all=(0.0, 1.0), kl=(0.0, 1.0), reward=(0.0, 1.0))) == [
        "reward",
        "KL to the starting policy",
        "zeal of all",
    ]
