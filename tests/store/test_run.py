"""The run directory: what begins, resumes and refuses, and what can be read from it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scotoma.core import ConfigError, RunError, RunVersion, StorageError
from scotoma.store import Run, Summary
from scotoma.store.configuration import Settings
from tests.store.records import observation, picture

CONFIG = {
    "seed": 3,
    "rounds": 2,
    "out": "here",
    "discover": {"questions": 100, "skills": ("colour", "counting")},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A run that found something."""
    with Run.open(tmp_path / "run", command="evolve", config=CONFIG) as run:
        kept = run.images.put(picture(1))
        run.ledger.finish("discover", {"asked": 1}, observations=[observation("a")], images=[kept])
        run.save_checkpoint("round-1/targeted", lambda folder: folder.mkdir())
        run.write_summary(Summary(command="evolve", seed=3, wall_seconds=1.5, candidate="pupil"))
    return tmp_path / "run"


def edit(path: Path, **changes: object) -> None:
    header = yaml.safe_load((path / "run.yaml").read_text())
    (path / "run.yaml").write_text(yaml.safe_dump({**header, **changes}))


def test_run_yaml_says_how_to_make_the_run_again(path: Path) -> None:
    header = yaml.safe_load((path / "run.yaml").read_text())
    assert header["schema"] == "scotoma.run/1"
    assert (header["command"], header["seed"]) == ("evolve", 3)
    assert header["config"]["discover"] == {"questions": 100, "skills": ["colour", "counting"]}
    assert {"scotoma", "python", "numpy"} <= set(header["versions"])


def test_the_same_command_with_the_same_config_resumes(path: Path) -> None:
    with Run.open(path, command="evolve", config=CONFIG) as run:
        assert run.ledger.done("discover") == {"asked": 1}
        assert run.checkpoint("round-1/targeted").is_dir()


def test_rounds_may_grow_and_the_folder_may_move(path: Path, tmp_path: Path) -> None:
    moved = path.rename(tmp_path / "moved")
    with Run.open(moved, command="evolve", config={**CONFIG, "rounds": 5, "out": "there"}) as run:
        assert run.ledger.done("discover") is not None
    with Run.read(moved) as run:
        assert run.config["rounds"] == 5


def test_another_config_is_refused_with_the_keys_that_differ(path: Path) -> None:
    before = (path / "run.yaml").read_text()
    changed = {
        **CONFIG,
        "rounds": 1,
        "discover": {"questions": 7, "skills": ["colour", "counting"]},
        "gate": True,
    }
    with pytest.raises(ConfigError) as caught:
        Run.open(path, command="evolve", config=changed)
    for told in (
        "discover.questions (100 there, 7 now)",
        "rounds (2 there, 1 now)",
        "gate (absent there",
        "--out",
    ):
        assert told in str(caught.value)
    assert "skills" not in str(caught.value)
    assert (path / "run.yaml").read_text() == before
    Run.open(path, command="evolve", config=CONFIG).close()


def test_another_command_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match="run of `scotoma evolve`, not of `scotoma discover`"):
        Run.open(path, command="discover", config=CONFIG)


def test_without_a_config_any_command_works_in_an_existing_run(path: Path, tmp_path: Path) -> None:
    with Run.open(path, command="confirm", config=None) as run:
        assert run.config["discover"]["questions"] == 100
    with pytest.raises(RunError, match="there is no run"):
        Run.open(tmp_path / "new", command="confirm", config=None)
    assert not (tmp_path / "new").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(RunError, match=re.escape("thesis.tex but no run.yaml")):
        Run.open(tmp_path, command="evolve", config=CONFIG)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(RunError, match="is a file"):
        Run.open(tmp_path / "thesis.tex", command="evolve", config=CONFIG)


def test_a_run_of_another_version_is_refused_with_the_version_that_wrote_it(path: Path) -> None:
    edit(path, schema="scotoma.run/9", versions={"scotoma": "7.1"})
    for opening in (lambda: Run.read(path), lambda: Run.open(path, command="evolve", config=CONFIG)):
        with pytest.raises(RunVersion, match=r"scotoma.run/9.*Scotoma 7\.1"):
            opening()


@pytest.mark.parametrize(
    "text", [b"{]", b"- 1\n", b"", b"schema: scotoma.run/1\ncommand: [1]\n", b"a: 2026-13-45", b"[" * 5000]
)
def test_a_damaged_run_yaml_is_a_clear_error(path: Path, text: bytes) -> None:
    (path / "run.yaml").write_bytes(text)
    with pytest.raises(RunError, match=r"run\.yaml"):
        Run.read(path)


def test_a_copied_run_reads_like_the_original_and_nothing_can_be_written(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(path, copy)
    shutil.rmtree(path)
    with Run.read(copy) as run:
        assert run.read_only
        assert run.ledger.counts().failure == 1
        assert run.images.get(picture(1).id).read() == picture(1).data
        assert run.checkpoint("round-1/targeted").is_dir()
        assert run.summary() == Summary(command="evolve", seed=3, wall_seconds=1.5, candidate="pupil")
        with pytest.raises(RunError, match="read only"):
            run.ledger.finish("more")
        with pytest.raises(RunError, match="read only"):
            run.save_checkpoint("more", lambda folder: folder.mkdir())
        with pytest.raises(StorageError, match="read only"):
            run.images.put(picture(2))


def test_a_run_at_work_can_be_read(path: Path) -> None:
    with Run.open(path, command="evolve", config=CONFIG) as run:
        run.ledger.finish("more")
        with Run.read(path) as reader:
            assert reader.ledger.stages() == ["discover", "more"]
            run.ledger.finish("even more")
            assert reader.ledger.stages()[-1] == "even more"


def test_what_is_no_run_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run"):
        Run.read(tmp_path)


def test_the_time_worked_is_summed_over_sessions(path: Path) -> None:
    with Run.open(path, command="evolve", config=CONFIG) as run:
        earlier = run.wall_seconds
        run.ledger._connection.execute("UPDATE sessions SET active = active + 100 WHERE id = 1")
        assert earlier + 99 < run.wall_seconds < earlier + 110


class TestCheckpoints:
    def test_a_checkpoint_replaces_the_one_before_it(self, path: Path) -> None:
        with Run.open(path, command="evolve", config=CONFIG) as run:
            for text in ("first", "second"):
                run.save_checkpoint("weights", lambda file, text=text: file.write_text(text) and None)
            assert run.checkpoint("weights").read_text() == "second"

    def test_a_writer_that_fails_half_way_leaves_the_earlier_one(self, path: Path) -> None:
        def fail(folder: Path) -> None:
            folder.mkdir()
            (folder / "weights").write_text("half")
            raise ValueError("out of memory")

        with Run.open(path, command="evolve", config=CONFIG) as run:
            saved = run.save_checkpoint("arm", lambda folder: folder.mkdir())
            with pytest.raises(ValueError, match="out of memory"):
                run.save_checkpoint("arm", fail)
            assert saved.is_dir()
            assert list(saved.iterdir()) == []
            assert [entry.name for entry in saved.parent.iterdir() if "arm" in entry.name] == ["arm"]

    def test_a_kill_between_the_two_renames_loses_nothing(self, path: Path) -> None:
        saved = path / "checkpoints" / "round-1" / "targeted"
        saved.rename(saved.with_name(".targeted.previous"))
        saved.with_name(".targeted.partial").mkdir()
        with Run.open(path, command="evolve", config=CONFIG) as run:
            assert [entry.name for entry in run.checkpoint("round-1/targeted").parent.iterdir()] == [
                "targeted"
            ]

    @pytest.mark.parametrize("name", ["", "../up", "/etc/passwd", ".hidden", "a//b"])
    def test_names_stay_inside_the_run(self, path: Path, name: str) -> None:
        with Run.read(path) as run, pytest.raises(RunError, match="no name for a checkpoint"):
            run.checkpoint(name)


def test_a_run_is_read_without_torch(path: Path) -> None:
    code = (
        "import sys\nfrom scotoma.store import Run\n"
        f"run = Run.read({str(path)!r})\nassert run.ledger.counts().failure == 1\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_a_run_that_stopped_at_its_budget_goes_on_with_a_higher_one(tmp_path: Path) -> None:
    config = {"candidate": "openai:m@http://h/v1?max_usd=5&concurrency=8", "judges": ["openai:j?max_usd=1"]}
    more = {"candidate": "openai:m@http://h/v1?max_usd=20", "judges": ["openai:j"]}
    with Run.open(tmp_path, command="discover", config=config) as run:
        run.ledger.finish("discover/0000", {}, observations=[observation("a")])
    with Run.open(tmp_path, command="discover", config=more) as run:
        assert run.config["candidate"] == more["candidate"]
    other = {**more, "candidate": "openai:m@http://h/v1?thinking_tokens=9"}
    with pytest.raises(ConfigError, match="another config"):
        Run.open(tmp_path, command="discover", config=other)


def test_a_run_whose_every_attempt_was_rejected_keeps_its_folder(tmp_path: Path) -> None:
    with Run.open(tmp_path, command="generate", config={"samples": 1}) as run:
        run.ledger.finish("generate/m1/0", {"attempts": ["paid for, and rejected"], "ended": None})
    with pytest.raises(ConfigError, match="holds a run of `scotoma generate`"):
        Run.open(tmp_path, command="discover", config={})


def test_a_run_that_stopped_before_it_found_anything_does_not_keep_its_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong, right = ({"candidate": f"openai:m@http://h:{port}/v1"} for port in (8001, 8000))
    with Run.open(tmp_path, command="discover", config=wrong) as run:
        run.ledger.finish("calibration", {"of": "the judge that was named then"})
    with caplog.at_level("WARNING"), Run.open(tmp_path, command="evolve", config=right) as run:
        assert (run.header.command, run.config) == ("evolve", right)
        assert run.ledger.done("calibration") is None
        assert "it is begun anew" in caplog.text
        run.ledger.finish("discover/0000", {}, observations=[observation("a")])
    with pytest.raises(ConfigError, match="another config"):
        Run.open(tmp_path, command="evolve", config=wrong)
    with pytest.raises(ConfigError, match="holds a run of `scotoma evolve`"):
        Run.open(tmp_path, command="discover", config=right)


def test_a_config_that_was_edited_is_refused_with_file_and_key(path: Path) -> None:
    class Section(Settings):
        questions: int = 10
        skills: tuple[str, ...] = ()

    with Run.read(path) as run:
        assert run.settings(Section, "discover").questions == 100
        assert run.settings(Section, "absent").questions == 10
    edit(path, config={"discover": {"questions": "many"}})
    with (
        Run.read(path) as run,
        pytest.raises(ConfigError, match=r"run\.yaml: config\.discover\.questions: .*'many'"),
    ):
        run.settings(Section, "discover")
