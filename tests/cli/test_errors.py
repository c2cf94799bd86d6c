"""Bad input: one clear message, the right exit code, no traceback, nothing half-written; in real processes."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests import commands, photographs


def refused(cwd: Path, *arguments: str, code: int, says: str) -> None:
    before = sorted(cwd.rglob("*"))
    ended = commands.run(*arguments, cwd=cwd)
    message = " ".join(ended.stderr.split())
    assert ended.returncode == code, ended.stderr
    assert says in message
    assert "Traceback" not in ended.stderr + ended.stdout
    assert sorted(cwd.rglob("*")) == before


def config(folder: Path, **keys: object) -> str:
    (folder / "config.yaml").write_text(yaml.safe_dump(keys))
    return "config.yaml"


def test_a_config_that_is_not_there(tmp_path: Path) -> None:
    refused(
        tmp_path, "evolve", "--config", "nowhere.yaml", code=2, says="nowhere.yaml: there is no such file"
    )


def test_a_fresh_interpreter_says_the_same(tmp_path: Path) -> None:
    for command in ([str(Path(sys.executable).with_name("scotoma"))], [sys.executable, "-m", "scotoma"]):
        ended = subprocess.run(
            [*command, "evolve", "--config", "nowhere.yaml"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.startswith("error: nowhere.yaml: there is no such file\n")


def test_an_unknown_key(tmp_path: Path) -> None:
    name = config(tmp_path, rouns=3)
    refused(tmp_path, "evolve", "--config", name, code=2, says="did you mean 'rounds'?")


def test_a_value_of_the_wrong_type(tmp_path: Path) -> None:
    name = config(tmp_path, rounds="many")
    refused(tmp_path, "evolve", "--config", name, code=2, says="rounds")


def test_an_arm_that_does_not_exist(tmp_path: Path) -> None:
    refused(tmp_path, "evolve", "--arms", "targeted,lucky", code=2, says="lucky")


def test_photos_of_which_nobody_makes_samples(tmp_path: Path) -> None:
    photographs.write(tmp_path / "photos", 8)
    arguments = ("evolve", "--images", "folder:photos", "--out", "run")
    refused(tmp_path, *arguments, code=2, says="set generate.agents: llm")


@pytest.mark.parametrize("planned", [(), ("--dry-run",)])
def test_photos_that_the_embedded_questioner_would_ask_about(
    planned: tuple[str, ...], tmp_path: Path
) -> None:
    photographs.write(tmp_path / "photos", 8)
    arguments = ("discover", "--images", "folder:photos", "--judge", "tests.photographs:Judge")
    refused(tmp_path, *arguments, "--out", "run", *planned, code=2, says="name one that can: --questioner")


@pytest.mark.parametrize("planned", [(), ("--dry-run",)])
def test_photos_that_nobody_judges(planned: tuple[str, ...], tmp_path: Path) -> None:
    photographs.write(tmp_path / "photos", 8)
    arguments = ("discover", "--images", "folder:photos", "--questioner", "tests.photographs:Questioner")
    refused(tmp_path, *arguments, "--frozen", "--out", "run", *planned, code=2, says="carry no facts")


@pytest.mark.parametrize("planned", [(), ("--dry-run",)])
def test_a_questioner_behind_a_server_that_is_to_learn(planned: tuple[str, ...], tmp_path: Path) -> None:
    arguments = ("discover", "--questioner", "openai:q@http://localhost:1/v1", "--out", "run")
    refused(tmp_path, *arguments, *planned, code=2, says="add --frozen (discover.reinforce: false)")


def test_a_spiral_that_could_not_train_is_not_planned(tmp_path: Path) -> None:
    arguments = ("evolve", "--dry-run", "--out", "run")
    refused(
        tmp_path, *arguments, "--accelerate", "nowhere.yaml", code=2, says="no Accelerate config nowhere.yaml"
    )
    served = ("--candidate", "openai:m@http://localhost:1/v1")
    refused(tmp_path, *arguments, *served, code=2, says="no weights that could be trained")


def test_a_model_that_would_teach_itself(tmp_path: Path) -> None:
    agents = {"agents": "llm", "planner": "hf:mine", "writer": "hf:mine", "validator": "hf:mine"}
    name = config(tmp_path, candidate="hf:mine", generate=agents)
    refused(tmp_path, "evolve", "--config", name, code=2, says="nobody teaches himself")


def test_agents_that_would_not_be_asked(tmp_path: Path) -> None:
    name = config(tmp_path, generate={"planner": "openai:gpt-5-mini"})
    refused(tmp_path, "evolve", "--config", name, code=2, says="set generate.agents: llm")


def test_a_checkpoint_that_is_no_vision_language_model(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint/config.json").write_text('{"model_type": "bert"}')
    refused(tmp_path, "discover", "--candidate", "hf:checkpoint", "--out", "run", code=4, says="checkpoint")


def test_a_model_spec_that_names_nothing(tmp_path: Path) -> None:
    refused(tmp_path, "discover", "--candidate", "gpt", "--out", "run", code=2, says="'gpt' names no model")


def test_an_image_spec_that_names_nothing(tmp_path: Path) -> None:
    refused(tmp_path, "discover", "--images", "worlds:shape", "--out", "run", code=2, says="worlds:shapes")


def test_a_folder_in_which_no_image_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/broken.png").write_bytes(b"\x89PNG nothing more")
    refused(tmp_path, "discover", "--images", "folder:photos", "--out", "run", code=3, says="photos")


@pytest.mark.parametrize("command", ["confirm", "report"])
def test_a_run_folder_that_is_not_there(tmp_path: Path, command: str) -> None:
    refused(tmp_path, command, "nowhere", code=5, says="nowhere")


def test_a_run_folder_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old/run.yaml").write_text("schema: scotoma.run/0\ncommand: discover\n")
    refused(tmp_path, "confirm", "old", code=5, says="old")


def test_a_bug_does_not_end_like_a_model_that_fell_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("the plug-in lost its connection")

    app = importlib.import_module("scotoma.cli.app")
    monkeypatch.setattr(app, "app", broken)
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == app.BUG == 70
    assert "the plug-in lost its connection" in capsys.readouterr().err


def test_help_teaches_with_examples(tmp_path: Path) -> None:
    for command in ("discover", "confirm", "evolve", "report", "doctor"):
        ended = commands.run(command, "--help", cwd=tmp_path)
        assert ended.returncode == 0
        assert f"scotoma {command}" in ended.stdout or command == "doctor"


def shell(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    scotoma = Path(sys.executable).with_name("scotoma")
    return subprocess.run(
        ["bash", "-c", script.replace("scotoma", str(scotoma), 1)],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_reader_that_hangs_up_is_no_verdict(tmp_path: Path) -> None:
    """`scotoma check … | head -1` must not end with the 1 of a model that fell back."""
    for command in ("doctor --json", "--help", "check --help"):
        ended = shell(f"scotoma {command} | true; echo ${{PIPESTATUS[0]}}", tmp_path)
        assert ended.stdout.strip() in ("0", "141")  # 0 where all was written before the reader went
        assert "Traceback" not in ended.stderr


def test_a_full_disk_behind_stdout_is_one_line(tmp_path: Path) -> None:
    ended = shell("scotoma doctor --json > /dev/full", tmp_path)
    assert ended.returncode == 6
    assert ended.stderr.startswith("error: cannot write the output: No space left on device")
    assert "Traceback" not in ended.stderr


def test_a_stdout_that_is_closed_is_no_error(tmp_path: Path) -> None:
    ended = shell("scotoma --version >&-", tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_seed_that_no_generator_takes(tmp_path: Path) -> None:
    refused(tmp_path, "discover", "--seed", str(2**32), "--dry-run", code=2, says="less than 4294967296")


def test_a_benchmark_asks_for_a_place_before_it_plants(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(tmp_path, "bench", "discovery", "--out", "file/x", code=6, says="is no folder")


def test_a_spirals_config_in_a_discovery(tmp_path: Path) -> None:
    name = config(tmp_path, seed=1, rounds=2, arms=["targeted"])
    says = "is a config of scotoma evolve: arms, rounds"
    refused(tmp_path, "discover", "--config", name, "--out", "run", code=2, says=says)


def test_arms_that_an_empty_variable_names(tmp_path: Path) -> None:
    refused(
        tmp_path, "evolve", "--arms", "", "--out", "run", code=2, says="name each arm once, and at least one"
    )


def test_a_tagger_that_is_measured_as_a_judge(tmp_path: Path) -> None:
    arguments = ("calibrate", "--tagger", "wording", "--samples", "3", "--out", "tagger.json")
    refused(tmp_path, *arguments, code=2, says="are for a judge")


def test_a_suite_that_is_not_there(tmp_path: Path) -> None:
    refused(tmp_path, "check", "nowhere", code=2, says="there is no folder nowhere")


def test_a_report_into_a_folder(tmp_path: Path) -> None:
    refused(tmp_path, "report", "run", "--out", ".", code=6, says="it is a folder")
