"""One string names a model; what it names is checked before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import ModelError, Reply, SpecError
from scotoma.models import ModelSpec, ScriptedModel, checkpoint_path, load_model, parse_model_spec, spec
from scotoma.models.options import CheckpointOptions, EndpointOptions
from scotoma.models.spec import check_model, same_model, trained
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
        ("", "use pupil, hf:PATH_OR_ID, openai:MODEL@BASE_URL or module:Class"),
        ("pupils", "'pupils' names no model"),
        ("hf:", "names no checkpoint"),
        ("hf:?dtype=float32", "names no checkpoint"),
        ("hf:a/b?dtpye=float32", r"unknown option 'dtpye' \(did you mean 'dtype'\?\)"),
        ("hf:a/b?token_budget=few", "the option 'token_budget': input should be a valid integer"),
        ("hf:a/b?dtype", r"the option 'dtype' has no value \(write dtype=…\)"),
        ("openai:", "names no model on its server"),
        ("openai:@http://localhost/v1", "names no model on its server"),
        ("openai:m@localhost:8000/v1", r"write openai:MODEL@http://localhost:8000/v1"),
        ("openai:m@api.example.org/v1", r"write openai:MODEL@http://api\.example\.org/v1"),
        ("openai:m@ftp://host/v1", "no http:// or https:// address"),
        ("openai:m?concurency=3", r"unknown option 'concurency' \(did you mean 'concurrency'\?\)"),
        ("openai:m?concurrency=0", "the option 'concurrency': input should be greater than or equal to 1"),
        ("openai:m?retries=2&retries=3", "'retries' is given twice"),
        ("openai:m?max_usd=5", "max_usd needs price_in and price_out"),
        ("vllm:a/b/c", "names no model"),
    ],
)
def test_what_names_no_model_is_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_model_spec(text)
    with pytest.raises(SpecError, match=message):
        load_model(text)


def test_an_endpoint_is_taken_apart_and_written_out_again() -> None:
    text = "openai:org/model@http://localhost:8000/v1?key_env=MY_KEY&concurrency=8&timeout=2.5&cache=off"
    parsed = parse_model_spec(text)
    assert (parsed.kind, parsed.target, parsed.base_url) == (
        "openai",
        "org/model",
        "http://localhost:8000/v1",
    )
    assert isinstance(parsed.options, EndpointOptions)
    assert (parsed.options.concurrency, parsed.options.timeout, parsed.options.key_env) == (8, 2.5, "MY_KEY")
    assert parse_model_spec(str(parsed)) == parsed
    assert parse_model_spec("openai:m@http://h/v1/").base_url == "http://h/v1"
    assert parse_model_spec("openai:gpt-5-mini").base_url is None


@given(st.text(min_size=1, max_size=20))
def test_any_value_of_an_option_can_be_written(value: str) -> None:
    spec = ModelSpec("hf", "a/b", options=CheckpointOptions(adapter=value.strip() or "x"))
    assert parse_model_spec(str(spec)) == spec


@pytest.mark.parametrize(
    "model", ["claude-sonnet@20250929", "/models/pupil@main", "o/m:free", "ft:gpt:org::7p"]
)
def test_a_models_own_name_may_hold_marks(model: str) -> None:
    assert parse_model_spec(f"openai:{model}").target == model
    assert parse_model_spec(f"openai:{model}@https://h/v1") == ModelSpec("openai", model, "https://h/v1")


@pytest.mark.parametrize(
    "spec",
    [
        "openai:m?api_key=sk-secret",
        "openai:m?key=sk-secret",
        "openai:m?key_env=sk-secret",
        "openai:m@https://me:sk-secret@host/v1",
        "openai:m@sk-secret://host",
        "hf:a/b?token=sk-secret",
    ],
)
def test_a_key_in_a_spec_is_refused_and_never_repeated(spec: str) -> None:
    with pytest.raises(SpecError) as refused:
        parse_model_spec(spec)
    assert "secret" not in str(refused.value)


def test_options_of_a_checkpoint_reach_it(folders: dict[str, Path]) -> None:
    text = f"hf:{folders['idefics3']}?dtype=bfloat16&token_budget=64"
    model = load_model(text)
    assert model.name == text
    assert str(model.checkpoint.model.dtype) == "torch.bfloat16"  # type: ignore[attr-defined]  # a TransformersModel
    assert [reply.error for reply in model.answer(requests(2, 2))] == [None] * 4


def test_what_cannot_be_trained_says_so() -> None:
    with pytest.raises(SpecError, match="openai:m has no weights that could be trained"):
        checkpoint_path("openai:m")
    with pytest.raises(SpecError, match=r"an adapter is no checkpoint \(.*: hf:lora\)"):
        checkpoint_path("hf:base?adapter=lora")
    assert checkpoint_path("hf:owner/name?dtype=bfloat16") == "owner/name"


@given(st.text(max_size=60), st.sampled_from(["", "openai:", "hf:", "openai:m@http://h/v1?", "hf:a?"]))
def test_any_text_is_a_spec_or_a_spec_error(text: str, scheme: str) -> None:
    try:
        parsed = parse_model_spec(scheme + text)
    except SpecError:
        return
    assert parse_model_spec(str(parsed)) == parsed


def test_a_model_is_the_same_under_every_name_that_tells(tmp_path: Path) -> None:
    served = "@http://localhost:8000/v1"
    folder = Path(spec.__file__).parent / "pupil"
    (tmp_path / "policy").mkdir()
    for one, other in (
        ("hf:owner/m", f"openai:owner/m{served}?max_tokens_total=9"),
        (f"hf:{tmp_path}/policy?dtype=bfloat16", f"openai:{tmp_path}/policy/{served}"),
        ("pupil", f"hf:{folder}"),
        ("pupil", f"openai:{folder}{served}"),
        (f"openai:m{served}/", f"openai:m{served}"),
        ("my.package:Model", "my.package:Model"),
    ):
        assert same_model(one, other)
        assert same_model(other, one)
    for one, other in (
        ("pupil", "questioner"),
        ("pupil", f"hf:{folder.parent}/questioner"),
        ("hf:owner/m", f"openai:owner/n{served}"),
        ("hf:owner/m", "hf:owner/n"),
        (f"openai:m{served}", "openai:m@http://localhost:8001/v1"),
        ("my.package:Model", "hf:my.package:Model"),
    ):
        assert not same_model(one, other)


def test_a_bare_folder_gets_the_right_hint(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=f"for a checkpoint folder write hf:{tmp_path}"):
        parse_model_spec(str(tmp_path))


def test_specs_are_read_without_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "from scotoma.core import ModelError\n"
        "import scotoma.models.endpoint\n"
        "from scotoma.models import parse_model_spec, checkpoint_path, load_model, ScriptedModel\n"
        "parse_model_spec('pupil'); parse_model_spec('openai:m@http://h/v1?retries=2')\n"
        "checkpoint_path('hf:some/id'); ScriptedModel(lambda r: 'yes').answer([])\n"
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
    (tmp_path / "plugins_of_mine_torn.py").write_text("1 / 0\n")
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
        "no_such_module:Model": "there is no module 'no_such_module'",
        "plugins_of_mine_torn:Model": "cannot import plugins_of_mine_torn: ZeroDivisionError",
    }.items():
        with pytest.raises(SpecError, match=message):
            load_model(text)
    with pytest.raises(SpecError, match="no weights that could be trained"):
        checkpoint_path("plugins_of_mine:yes")


def test_what_a_plugin_does_wrong_is_told_as_its_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plugins_gone_wrong.py").write_text(
        "from scotoma.core import Reply\n"
        "class Wrong:\n"
        "    name = 'wrong'\n"
        "class Torn(Wrong):\n"
        "    def answer(self, requests): return {}['x']\n"
        "class Short(Wrong):\n"
        "    def answer(self, requests): return [Reply('yes')]\n"
        "class Nothing(Wrong):\n"
        "    def answer(self, requests): return None\n"
        "class Words(Wrong):\n"
        "    def answer(self, requests): return ['yes' for _ in requests]\n"
        "class Numbers(Wrong):\n"
        "    def answer(self, requests): return [Reply(5) for _ in requests]\n"
        "class Errors(Wrong):\n"
        "    def answer(self, requests): return [Reply(error='timeout') for _ in requests]\n"
        "class Torn8(Wrong):\n"
        "    def answer(self, requests): return [Reply('yes \\udcff') for _ in requests]\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, told in {
        "Torn": r"Torn failed: KeyError: 'x' \(.*plugins_gone_wrong\.py:5\)",
        "Short": "gave 1 replies to 2 requests",
        "Nothing": "gave a NoneType .answer.requests. must return a list of Reply",
        "Words": "gave 'yes' as a reply",
        "Numbers": "its text must be a str",
        "Errors": "its error a ReplyError",
    }.items():
        with pytest.raises(ModelError, match=told):
            load_model(f"plugins_gone_wrong:{name}").answer(requests(2, 1))
    torn = load_model("plugins_gone_wrong:Torn8").answer(requests(2, 1))
    assert [reply.error.kind for reply in torn if reply.error] == ["unparsable", "unparsable"]


def test_a_model_that_cannot_be_opened_is_refused_without_reading_a_weight(tmp_path: Path) -> None:
    check_model("pupil")
    check_model("tests.scripted:Candidate")
    for text, told in {
        f"hf:{tmp_path}": "no config.json",
        "hf:./nowhere": "does not exist",
        "no_such_module:Model": "there is no module",
        "hf:some/model?adapter=nowhere": "the adapter nowhere of .* does not exist",
        "openai:m": "OPENAI_API_KEY",
    }.items():
        with pytest.raises((ModelError, SpecError), match=told):
            check_model(text)


def test_what_was_trained_is_asked_with_the_options_of_what_it_was_trained_from() -> None:
    told = (
        "hf:some/model?dtype=bfloat16&device_map=auto&adapter=mine&chat_template=mine.jinja&token_budget=2048"
    )
    assert trained(told, Path("p")) == "hf:p?dtype=bfloat16&device_map=auto&token_budget=2048"
    again = trained(trained(told, Path("round1")), Path("round2"))
    assert again == "hf:round2?dtype=bfloat16&device_map=auto&token_budget=2048"
    assert trained("pupil", Path("p")) == trained("tests.scripted:Candidate", Path("p")) == "hf:p"


def test_a_scripted_model_is_a_chat_model() -> None:
    assert isinstance(ScriptedModel(lambda request: "yes").answer(requests(1, 1))[0], Reply)
