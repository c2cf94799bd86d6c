"""The gate keeps the old weights when, and only when, a retained skill fell significantly beyond the margin."""

from __future__ import annotations

from scotoma.core import Observation, Verdict
from scotoma.evolve.gate import decide


def answers(phase: str, kind: str, right: int, n: int) -> list[Observation]:
    return [
        Observation(
            key=f"gate/{phase}/retained/{kind}{i}",
            phase=phase,
            image_id=f"image{i}",
            question="?",
            verdict=Verdict(valid=True, correct=float(i < right), truth="yes", decided_by="facts"),
            tags={"type": kind},
        )
        for i in range(n)
    ]


def test_a_significant_fall_of_one_skill_keeps_the_old_weights() -> None:
    before = answers("before", "counting", 95, 100) + answers("before", "colour", 90, 100)
    after = answers("after", "counting", 70, 100) + answers("after", "colour", 99, 100)
    gate = decide(before, after, margin=0.02)
    assert not gate.accepted
    assert "counting fell by 25.0 points" in gate.reason
    assert "colour" not in gate.reason


def test_noise_passes() -> None:
    before, after = answers("before", "counting", 95, 100), answers("after", "counting", 93, 100)
    assert decide(before, after, margin=0.02).accepted


def test_a_significant_fall_within_the_margin_passes() -> None:
    before, after = answers("before", "counting", 2000, 2000), answers("after", "counting", 1980, 2000)
    assert decide(before, after, margin=0.02).accepted
    assert not decide(before, after, margin=0.001).accepted


def test_questions_about_one_image_are_one_witness() -> None:
    def few_images(observations: list[Observation]) -> list[Observation]:
        return [o.model_copy(update={"image_id": f"image{i // 10}"}) for i, o in enumerate(observations)]

    before, after = answers("before", "counting", 40, 40), answers("after", "counting", 10, 40)
    assert not decide(before, after, margin=0.02).accepted
    assert decide(
        few_images(before), few_images(after), margin=0.02
    ).accepted  # three images changed, of four


def test_without_types_every_skill_counts_and_all_questions_together() -> None:
    def photos(phase: str, right: int) -> list[Observation]:
        found = answers(phase, "any", right, 150)
        skills = [
            {"skill": ("counting", f"rare{i % 50}"), "skills": f"counting+rare{i % 50}"} for i in range(150)
        ]
        return [o.model_copy(update={"tags": tags}) for o, tags in zip(found, skills, strict=True)]

    gate = decide(photos("before", 120), photos("after", 90), margin=0.02)
    assert not gate.accepted
    assert "counting fell by 20.0 points" in gate.reason
    assert "everything retained fell by 20.0 points" in gate.reason


def test_a_fall_spread_over_all_types_is_seen_where_no_type_has_questions_enough() -> None:
    types = [f"type{i}" for i in range(11)]
    before = [o for kind in types for o in _about_its_own(kind, answers("before", kind, 22, 23))]
    after = [o for kind in types for o in _about_its_own(kind, answers("after", kind, 20, 23))]
    gate = decide(before, after, margin=0.02)
    assert not gate.accepted
    assert "everything retained fell by 8.7 points" in gate.reason
    assert "type" not in gate.reason


def _about_its_own(kind: str, observations: list[Observation]) -> list[Observation]:
    return [o.model_copy(update={"image_id": f"{kind}/{o.image_id}"}) for o in observations]
