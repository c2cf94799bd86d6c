"""`scotoma generate`: what it says and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from scotoma.cli.app import app
from scotoma.core import ConfigError, FailureMode, ModelError, Observation, Predicate, RunError, Verdict
from scotoma.discover.pool import Pool
from scotoma.discover.settings import DiscoverSettings
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store import Run
from tests.models.servers import Act, HostileServer

CONFIG = {"candidate": "pupil", "images": "worlds:shapes", "seed": 0}


def generate(folder: Path, where: str, *more: str) -> Result:
    """Two samples for a run whose one proved failure mode is this predicate, with a failure in it if there is any."""
    mode = FailureMode(id="m1", description="a mode", predicate=Predicate.parse(where), status="confirmed")
    questions = Pool(ShapesWorld(), DiscoverSettings()).questions("discover", 0)
    with Run.open(folder / "run", command="discover", config=CONFIG) as run:
        run.ledger.put_modes([mode])
        asked = (item for _, item in zip(range(500), questions, strict=False))
        for item in (item for item in asked if mode.predicate.matches(item.tags)):
            wrong = Verdict(
                valid=True, correct=0.0, truth=item.verdict.truth, decided_by=item.verdict.decided_by
            )
            failure = Observation(
                key="0", phase="discover", image_id=item.image.id, question=item.question, answer="?",
                verdict=wrong, tags=item.tags, asked_by="template", candidate="pupil",
            )  # fmt: skip
            run.images.put_all([item.image])
            run.ledger.finish("discover/0000", observations=[failure], images=[item.image])
            break
    out = str(folder / "samples")
    return CliRunner().invoke(app, ["generate", str(folder / "run"), "--out", out, "--samples", "2", *more])


def test_what_was_made_is_told_and_where_to_look_at_it(tmp_path: Path) -> None:
    ended = generate(tmp_path, "skill=existence")
    assert ended.exit_code == 0, ended.output
    assert "2 of 2" in ended.stdout
    assert "next: scotoma report" in ended.stdout


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("generate: {sampels: 3}", "g.yaml: generate.sampels: unknown key"),
        ("samples: 3", "g.yaml: samples: unknown here"),
        ("generate: {search: {web: [openverse]}}", "exact agents neither search the web"),
        ("generate: {agents: varied}", "is how a spiral makes its samples"),
    ],
)
def test_a_config_that_cannot_be_carried_out_is_refused_with_its_key(
    document: str, says: str, tmp_path: Path
) -> None:
    (tmp_path / "g.yaml").write_text(document)
    ended = generate(tmp_path, "skill=existence", "--config", str(tmp_path / "g.yaml"))
    assert isinstance(ended.exception, ConfigError)
    assert says in ended.exception.message
    assert not (tmp_path / "samples").exists()


def test_a_run_of_samples_has_no_failures_to_make_more_of(tmp_path: Path) -> None:
    assert generate(tmp_path, "skill=existence").exit_code == 0
    out = str(tmp_path / "more")
    ended = CliRunner().invoke(app, ["generate", str(tmp_path / "samples"), "--out", out])
    assert isinstance(ended.exception, ConfigError)
    assert "it holds samples and no failures" in ended.exception.message


def test_a_run_that_makes_nothing_ends_in_an_error_with_the_reasons_counted(tmp_path: Path) -> None:
    ended = generate(tmp_path, "skill=existence and colour=pink", "--json")
    assert isinstance(ended.exception, RunError)
    assert "not one sample was made" in ended.exception.message
    [made] = json.loads(ended.stdout)
    assert (made["kept"], made["shortfall"]) == (0, 2)


def test_a_run_whose_agents_never_answered_says_what_their_server_said(tmp_path: Path) -> None:
    with HostileServer(lambda call: Act(status=500, body={"error": {"message": "oops"}})) as server:
        spec = f"openai:m@{server.url}?retries=0"
        roles = [part for role in ("planner", "writer", "validator") for part in (f"--{role}", spec)]
        ended = generate(tmp_path, "skill=existence", "--agents", "llm", *roles)
    assert isinstance(ended.exception, ModelError)
    assert "planner: crashed" in ended.exception.message
    assert "oops" in ended.exception.message
