"""Every config in `configs/` can be run as it stands, and its heading names the command that does."""

from __future__ import annotations

from pathlib import Path

import pytest

from scotoma.discover.plan import Plan, plan_discovery
from scotoma.discover.settings import DiscoverySettings
from scotoma.evolve.plan import plan_spiral
from scotoma.evolve.settings import EvolveSettings
from scotoma.models.spec import parse_model_spec
from scotoma.store.configuration import load_settings
from tests import photographs

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


def plan(path: Path, photos: Path) -> Plan:
    """The plan of the command that the heading names; with photos where the config expects the user's own."""
    photographs.write(photos, 12)
    own = {"images": f"folder:{photos}"} if "images: folder:photos" in path.read_text() else {}
    if f"scotoma evolve --config configs/{path.name}" in path.read_text():
        return plan_spiral(load_settings(EvolveSettings, path, own))
    assert f"scotoma discover --config configs/{path.name}" in path.read_text()
    return plan_discovery(load_settings(DiscoverySettings, path, own))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_it_is_valid_says_how_it_is_run_and_can_be_planned(path: Path, tmp_path: Path) -> None:
    planned = plan(path, tmp_path)
    assert planned.total("candidate") > 0
    assert all(model.bytes for model in planned.memory)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_whoever_has_no_weights_is_not_to_be_trained(path: Path) -> None:
    command = EvolveSettings if "scotoma evolve" in path.read_text() else DiscoverySettings
    settings = load_settings(command, path)
    if parse_model_spec(settings.discover.questioner).kind == "openai":
        assert not settings.discover.reinforce


@pytest.mark.parametrize(("name", "models"), [("hosted.yaml", 3), ("photos-evolve.yaml", 5)])
def test_a_hosted_model_has_a_limit_on_what_it_may_cost(name: str, models: int) -> None:
    text = (CONFIGS[0].parent / name).read_text()
    assert text.count("openai:") == text.count("max_usd=") == models


def test_the_plan_of_a_spiral_on_photos_counts_judge_and_agents(tmp_path: Path) -> None:
    photographs.write(tmp_path, 12)
    path, own = CONFIGS[0].parent / "photos-evolve.yaml", {"images": f"folder:{tmp_path}"}
    planned = plan_spiral(load_settings(EvolveSettings, path, own))
    rows = {row.stage: row for row in planned.rows}
    # 400 aimed and 800 unaimed samples (a targeted arm's retention is the beginning of those), three tries each.
    made = rows["round 1: generate"]
    assert (made.planner, made.writer, made.validator) == (3 * 400, 3 * 1200, 3 * 1200)
    assert rows["round 2: examine"].judge == rows["round 2: examine"].candidate > 0
    assert set(planned.cost) >= {"judge", "questioner", "planner", "writer", "validator"}
