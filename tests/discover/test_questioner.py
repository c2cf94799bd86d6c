"""A questioner asks on a bare install, and one that learns says what it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from scotoma.core import ConfigError, SpecError
from scotoma.discover.questioner import FrozenQuestioner, check_questioner, open_questioner
from scotoma.discover.settings import DiscoverSettings
from scotoma.images.spec import open_images
from scotoma.images.worlds.shapes import ShapesWorld
from tests import photographs

ROOT = Path(__file__).resolve().parents[2]

BARE = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "transformers", "trl", "peft", "datasets", "accelerate"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from scotoma.core import ModelError
from scotoma.discover.questioner import open_questioner
from scotoma.discover.settings import DiscoverSettings
try:
    open_questioner(DiscoverSettings(), seed=0)
except ModelError as error:
    print(error)
from scotoma.cli import main
sys.argv = ["scotoma", *sys.argv[1:]]
main()
"""

CONFIG = """
candidate: tests.scripted:Candidate
discover:
  questioner: tests.scripted:Questioner
  prompts: chat
  reinforce: false
  steps: 1
  images: 3
  queries: 12
"""


def test_a_frozen_questioner_discovers_without_torch_and_one_that_learns_asks_for_it(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    done = subprocess.run(
        [sys.executable, "-c", BARE, "discover", "--config", str(config), "--out", str(tmp_path / "run")],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "training a questioner needs t" in done.stdout  # torch or transformers, whichever is met first
    assert "pip install 'scotoma[train]', or set discover.reinforce: false" in done.stdout
    assert (tmp_path / "run" / "summary.json").is_file()


def test_what_has_no_weights_cannot_learn() -> None:
    settings = DiscoverSettings(questioner="tests.scripted:Questioner", prompts="chat")
    with pytest.raises(SpecError, match="no weights"):
        open_questioner(settings, seed=0)
    asks = open_questioner(settings.model_copy(update={"reinforce": False}), seed=0)
    assert isinstance(asks, FrozenQuestioner)


@pytest.mark.parametrize("changed", [{}, {"reinforce": False}, {"explore": 1.0}])
def test_the_embedded_questioner_is_not_asked_about_photos(
    changed: dict[str, object], tmp_path: Path
) -> None:
    photographs.write(tmp_path, 12)
    source = open_images(f"folder:{tmp_path}")
    with pytest.raises(ConfigError, match=r"knows worlds:shapes only.*name one that can: --questioner"):
        check_questioner(DiscoverSettings.model_validate(changed), source, seed=0)
    other = DiscoverSettings(questioner="tests.photographs:Questioner", reinforce=False)
    check_questioner(other, source, seed=0)


def test_nor_is_what_a_run_made_of_it(tmp_path: Path) -> None:
    photographs.write(tmp_path / "photos", 12)
    source = open_images(f"folder:{tmp_path / 'photos'}")
    open_questioner(DiscoverSettings(), seed=0).export(tmp_path / "trained")
    trained = DiscoverSettings(questioner=f"hf:{tmp_path / 'trained'}")
    with pytest.raises(ConfigError, match="knows worlds:shapes only"):
        check_questioner(trained, source, seed=0)
    check_questioner(trained, ShapesWorld(), seed=0)
    (tmp_path / "trained" / "questioner.json").unlink()  # somebody else's checkpoint
    check_questioner(trained, source, seed=0)


def test_it_is_asked_about_the_world_and_about_its_pictures_as_files(tmp_path: Path) -> None:
    check_questioner(DiscoverSettings(), ShapesWorld(), seed=0)
    lines = []
    for i, image in enumerate(islice(ShapesWorld().images("discover", 7), 12)):
        assert image.data is not None
        assert image.facts is not None
        (tmp_path / f"{i}.png").write_bytes(image.data)
        line = {"file": f"{i}.png", "world": "worlds:shapes", "facts": image.facts.to_json()}
        lines.append(json.dumps(line))
    (tmp_path / "facts.jsonl").write_text("\n".join(lines))
    check_questioner(DiscoverSettings(), open_images(f"folder:{tmp_path}?near_duplicates=off"), seed=0)


@pytest.mark.parametrize("spec", ["openai:q@http://localhost:1/v1", "tests.scripted:Questioner"])
def test_what_has_no_weights_is_to_be_frozen_where_it_is_asked(spec: str) -> None:
    settings = DiscoverSettings(questioner=spec)
    with pytest.raises(SpecError, match=r"no weights.*add --frozen.*or name a checkpoint: hf:PATH_OR_ID"):
        check_questioner(settings, ShapesWorld(), seed=0)
    for changed in ({"reinforce": False}, {"explore": 1.0}):  # where all explore it is never asked
        check_questioner(settings.model_copy(update=changed), ShapesWorld(), seed=0)


def test_a_wish_that_no_question_about_the_world_can_meet_is_refused_before_work() -> None:
    misspelt = DiscoverSettings(wishes=("counting", "couning"))
    with pytest.raises(ConfigError, match="no questions about 'couning'"):
        check_questioner(misspelt, ShapesWorld(), seed=0)
