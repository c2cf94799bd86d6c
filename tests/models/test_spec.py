"""One string names a model; what it names is checked before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scotoma.core import ModelError, Reply, SpecError
from scotoma.models import ModelSpec, ScriptedModel, checkpoint_path, load_model, parse_model_spec, spec
from tests.models.conftest import requests


def test_specs_are_taken_apart() -> None:
    assert parse_model_spec("pupil") == ModelSpec("embedded", "pupil")
    assert parse_model_spec("questioner") == ModelSpec("embedded", "questioner")
    assert parse_model_spec("hf:Qwen/Qwen2.5-VL-7B-Instruct") == ModelSpec(
        "hf", "Qwen/Qwen2.5-VL-7B-Instruct"
    )
    assert parse_model_spec("hf:C:/models/x") == ModelSpec("hf", "C:/models/x")
    assert parse_model_spec("my.package:Model") == ModelSpec("plugin", "my.package:Model")
    for text in ("pupil", "hf:runs/demo", "my.package:Model"):
        assert str(parse_model_spec(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "use pupil, hf:PATH_OR_ID or module:Class"),
        ("pupils", "'pupils' names no model"),
        ("hf:", "names no checkpoint"),
        ("openai:gpt@http://localhost", "endpoints arrive with a later release"),
        ("vllm:a/b/c", "names no model"),
    ],
)
def test_what_names_no_model_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_model_spec(text)
    with pytest.raises(SpecError, match=message):
        load_model(text)


def test_a_bare_folder_gets_the_right_hint(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=f"for a checkpoint folder write hf:{tmp_path}"):
        parse_model_spec(str(tmp_path))


def test_specs_are_read_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from scotoma.core import ModelError\n"
        "from scotoma.models import parse_model_spec, checkpoint_path, load_model, ScriptedModel\n"
        "parse_model_spec('pupil'); checkpoint_path('hf:some/id'); ScriptedModel(lambda r: 'yes').answer([])\n"
        "try: load_model('hf:some/id')\n"
        "except ModelError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "which the bare install leaves out (pip install 'scotoma[train]')" in ran.stdout


def test_a_checkpoint_is_opened_under_its_spec(folders: dict[str, Path]) -> None:
    text = f"hf:{folders['idefics3']}"
    model = load_model(text, dtype="float32")
    assert model.name == text
    assert [reply.error for reply in model.answer(requests(1, 2))] == [None, None]
    assert checkpoint_path(text) == folders["idefics3"]
    assert checkpoint_path("hf:owner/name") == "owner/name"
    with pytest.raises(ModelError, match="does not exist"):
        load_model("hf:./nowhere")


def test_embedded_models_that_are_not_built_name_their_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spec, "__file__", str(tmp_path / "spec.py"))
    for opening in (load_model, checkpoint_path):
        with pytest.raises(ModelError, match=r"'pupil' is not in this installation .*recipes/pupil\.py"):
            opening("pupil")
    (tmp_path / "pupil").mkdir()
    (tmp_path / "pupil" / "config.json").write_text("{}")
    assert checkpoint_path("pupil") == tmp_path / "pupil"


def test_a_plugin_is_a_class_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plugins_of_mine.py").write_text(
        "from scotoma.models import ScriptedModel\n"
        "def yes(): return ScriptedModel(lambda request: 'yes', name='yes')\n"
        "def torn(): raise RuntimeError('no licence')\n"
        "def empty(): return 3\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    model = load_model("plugins_of_mine:yes")
    assert model.name == "yes"
    assert model.answer(requests(1, 1))[0].text == "yes"
    with pytest.raises(ModelError, match="could not be started: RuntimeError: no licence"):
        load_model("plugins_of_mine:torn")
    for text, message in {
        "plugins_of_mine:empty": "gives no ChatModel",
        "plugins_of_mine:number": "is not callable",
        "plugins_of_mine:nothing": "has no 'nothing'",
        "no_such_module:Model": "cannot import 'no_such_module'",
    }.items():
        with pytest.raises(SpecError, match=message):
            load_model(text)
    with pytest.raises(SpecError, match="no weights that could be trained"):
        checkpoint_path("plugins_of_mine:yes")


def test_a_scripted_model_is_a_chat_model() -> None:
    assert isinstance(ScriptedModel(lambda request: "yes").answer(requests(1, 1))[0], Reply)
