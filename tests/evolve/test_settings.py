"""The spiral's config: what is not given follows from what is, and the whole of it is written down."""

from __future__ import annotations

from typing import Any

import pytest

from scotoma.evolve.settings import EvolveSettings

BOXED = {"prompt": "boxed", "max_tokens": 512}


@pytest.mark.parametrize(
    ("given", "room"),
    [
        ({}, 4),
        ({"answers": BOXED}, 512),
        ({"answers": {"prompt": "short"}}, 16),
        ({"answers": {"max_tokens": 64}, "repair": {"steps": 9}}, 64),
        ({"answers": BOXED, "repair": {"max_new_tokens": 256}}, 256),
    ],
)
def test_an_answer_in_training_has_the_room_of_an_answer(given: dict[str, Any], room: int) -> None:
    settings = EvolveSettings.model_validate(given)
    written = settings.model_dump(mode="json")
    assert written["repair"]["max_new_tokens"] == room
    assert EvolveSettings.model_validate(written) == settings
