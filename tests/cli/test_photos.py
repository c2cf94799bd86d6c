"""Real photos, end to end: discover → confirm → report, with every model behind a real server or in this process.

The photos are scikit-image's and scikit-learn's samples as they lie in the packages, odd formats included.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage
import sklearn
import yaml

from scotoma.models.spec import checkpoint_path
from tests import commands
from tests.models.servers import Served
from tests.photo_server import QUESTIONS, photo_server

SAMPLES = (Path(skimage.__file__).parent / "data", Path(sklearn.__file__).parent / "datasets" / "images")
SUFFIXES = {".png", ".jpg", ".gif", ".tif"}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for file in (file for samples in SAMPLES for file in samples.iterdir() if file.suffix in SUFFIXES):
        shutil.copy(file, folder)
    (folder / "broken.jpg").write_bytes((folder / "china.jpg").read_bytes()[:2000])
    return folder


@pytest.fixture(scope="module")
def models() -> Iterator[tuple[Served, Served]]:
    with photo_server() as served:
        yield served


def scotoma(*arguments: str, cwd: Path) -> str:
    ended = commands.run(*arguments, cwd=cwd, environment={"SCOTOMA_CACHE": str(cwd / "cache.sqlite")})
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def discovered(cwd: Path, photos: Path, candidate: str, models: tuple[Served, Served]) -> dict[str, object]:
    questioner, judge = models
    config = {
        "candidate": candidate,
        "images": f"folder:{photos}",
        "judge": {"model": judge.spec},
        "discover": {
            **{"questioner": questioner.spec, "reinforce": False, "wishes": list(QUESTIONS), "steps": 2},
            **{"images": 8, "turns": 1, "wishes_per_image": 6, "group_size": 2, "queries": 24},
            "search": {"min_failures": 5, "min_z": 2.0, "needed_z": 1.5},
        },
        "confirm": {"questions": 20, "base_questions": 100, "pool": 1000},
        "tagging": {"embedder": "words"},  # MiniLM and BERTopic have tests of their own
    }
    (cwd / "photos.yaml").write_text(yaml.safe_dump(config))
    scotoma("discover", "--config", "photos.yaml", "--out", "run", cwd=cwd)
    scotoma("confirm", "run", cwd=cwd)
    scotoma("report", "run", cwd=cwd)
    found: dict[str, object] = json.loads((cwd / "run" / "summary.json").read_text())
    return found


def check(cwd: Path, summary: dict[str, object]) -> None:
    discovery = summary["discovery"]
    assert isinstance(discovery, dict)
    assert discovery["questions"] == discovery["valid"] + discovery["infrastructure_errors"] > 30
    assert discovery["infrastructure_errors"] == 0
    assert 0 < discovery["failures"] < discovery["valid"]
    assert discovery["skipped_images"]["truncated"] >= 1
    modes = summary["modes"]
    assert isinstance(modes, list)
    assert modes
    assert {mode["status"] for mode in modes} <= {"confirmed", "rejected"}
    page = (cwd / "run" / "report.html").read_text()
    assert "Pictures left out" in page
    assert "1 × truncated" in page


def test_a_candidate_and_a_judge_behind_servers(
    photos: Path, models: tuple[Served, Served], pupil_served: Served, tmp_path: Path
) -> None:
    check(tmp_path, discovered(tmp_path, photos, pupil_served.spec, models))


def test_a_candidate_in_this_process(photos: Path, models: tuple[Served, Served], tmp_path: Path) -> None:
    check(tmp_path, discovered(tmp_path, photos, f"hf:{checkpoint_path('pupil')}", models))
