"""Every config in `configs/` can be run as it stands, and its heading names the command that does."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.evolve.settings import EvolveSettings
from scotoma.images.spec import open_images
from scotoma.models.spec import parse_model_spec
from scotoma.store.configuration import load_settings

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_it_is_valid_and_says_how_it_is_run(path: Path) -> None:
    settings = load_settings(EvolveSettings, path)
    parse_model_spec(settings.candidate)
    parse_model_spec(settings.discover.questioner)
    open_images(settings.images)
    assert f"scotoma evolve --config configs/{path.name}" in path.read_text()
