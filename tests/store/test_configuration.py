"""Settings from a YAML file and flags: right, or told in one line what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field

from scotoma.core import ConfigError
from scotoma.store import Settings, load_settings
from scotoma.store.configuration import HomePath


class Discovery(Settings):
    questions: int = Field(default=100, ge=1)
    temperature: float = 1.0


class Evolution(Settings):
    candidate: str
    rounds: int = 2
    arms: tuple[str, ...] = ("targeted", "uniform")
    discover: Discovery = Discovery()
    extra: Discovery | None = None


def write(folder: Path, text: str) -> Path:
    path = folder / "pupil.yaml"
    path.write_text(text)
    return path


def test_the_file_is_read_and_flags_win(tmp_path: Path) -> None:
    path = write(tmp_path, "candidate: pupil\nrounds: 3\ndiscover:\n  questions: 7\n  temperature: 1e-5\n")
    flags = {"rounds": 5, "discover.questions": 9, "candidate": None, "extra.questions": 2}
    settings = load_settings(Evolution, path, flags)
    assert settings == Evolution(
        candidate="pupil",
        rounds=5,
        discover=Discovery(questions=9, temperature=1e-5),
        extra=Discovery(questions=2),
    )


def test_a_tilde_in_a_path_is_the_home_folder(tmp_path: Path) -> None:
    class Places(Settings):
        out: HomePath

    path = tmp_path / "places.yaml"
    path.write_text("out: ~/runs/mine\n")
    assert load_settings(Places, path).out == Path.home() / "runs" / "mine"
    path.write_text("out: ~no-such-user-of-mine/x\n")
    with pytest.raises(ConfigError, match="out: ~no-such-user"):
        load_settings(Places, path)


def test_flags_alone_are_enough() -> None:
    assert load_settings(Evolution, overrides={"candidate": "hf:x"}).candidate == "hf:x"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["the file is empty"]),
        ("# nothing yet\n", ["the file is empty"]),
        ("- a\n- b\n", ["expected `key: value` lines, found a list"]),
        ("candidate: [pupil\n", ["not valid YAML"]),
        ("candidate: pupil\nrounds: 1\nrounds: 2\n", [":3", "'rounds' is there twice"]),
        ("rounds: 1\ncandidate: {{ name }}\n", [":2", "not valid YAML", "needs quotes"]),
        ("rounds: 1\n? [candidate]\n: pupil\n", [":2", "not valid YAML", "needs quotes"]),
        ("candidate: pupil\nrounds: 2026-13-45\n", [":2", "not valid YAML", "'2026-13-45'", "needs quotes"]),
        ("candidate: pupil\nrouns: 3\n", ["rouns: unknown key", "did you mean 'rounds'?"]),
        ("candidate: pupil\nzzz: 3\n", ["zzz: unknown key", "candidate, rounds, arms"]),
        ("candidate: pupil\ndiscover:\n  question: 3\n", ["discover.question: unknown key", "'questions'"]),
        ("candidate: pupil\nextra:\n  question: 3\n", ["extra.question: unknown key", "'questions'"]),
        ("rounds: 2\n", ["candidate: this key is required"]),
        ("candidate: pupil\nrounds: many\n", ["rounds: input should be a valid integer", "not 'many'"]),
        (
            "candidate: pupil\ndiscover:\n  questions: 0\n",
            ["discover.questions", "greater than or equal to 1", "not 0"],
        ),
        ("candidate: pupil\ndiscover: 5\n", ["discover: expected `key: value` lines below it", "not 5"]),
    ],
)
def test_a_mistake_is_told_with_file_key_and_what_was_expected(
    tmp_path: Path, text: str, told: list[str]
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(Evolution, path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert all(part in message for part in told), message
    assert "\n" not in message


def test_several_mistakes_are_told_one_a_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(Evolution, write(tmp_path, "candidate: pupil\nrounds: x\nrouns: 1\n"))
    assert len(str(caught.value).splitlines()) == 2


def test_a_missing_file_is_told_with_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path, "candidate: pupil\n")
    with pytest.raises(ConfigError, match=r"no such file.*did you mean .*pupil\.yaml"):
        load_settings(Evolution, tmp_path / "pupli.yaml")
    with pytest.raises(ConfigError) as caught:
        load_settings(Evolution, tmp_path / "qwen-evolve.yaml")
    assert caught.value.hint == "give the path of a YAML file"  # the same folder makes no two names alike
    with pytest.raises(ConfigError, match=r"cannot be read"):
        load_settings(Evolution, tmp_path)


def test_a_mistake_in_a_flag_names_the_flag(tmp_path: Path) -> None:
    path = write(tmp_path, "candidate: pupil\ndiscover: 5\n")
    with pytest.raises(ConfigError, match=r"^--rounds: input should be a valid integer"):
        load_settings(Evolution, overrides={"candidate": "pupil", "rounds": "x"})
    with pytest.raises(ConfigError, match="discover: expected `key: value` lines, found 5"):
        load_settings(Evolution, path, {"discover.questions": 3})
    with pytest.raises(ConfigError, match=r"^--arms: input should be a valid string"):
        load_settings(Evolution, write(tmp_path, "candidate: pupil\n"), {"arms": ["targeted", 5]})
