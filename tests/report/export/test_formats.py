"""What went in comes out: question, answer and picture, read back as each tool's own loader reads them.

The readers below hold an export to what the loader of the tool requires; each cites the code that it stands for. TRL,
datasets and Inspect are really run.
"""

from __future__ import annotations

import base64
import csv
import dataclasses
import importlib.util
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from scotoma.report.export import FORMS, Item, Selection, select
from scotoma.report.export.selection import HELD_OUT
from scotoma.report.logs import Record, open_log
from scotoma.report.logs.fields import columns_of
from scotoma.store import Run
from tests.report.export.conftest import Exporter

datasets = pytest.importorskip("datasets")


@dataclass(frozen=True)
class Read:
    """What a loader makes of one row."""

    question: str
    answer: str
    picture: Image.Image
    told: dict[str, str]


def load(module: Path, name: str = "exported") -> ModuleType:
    """As verl, EasyR1 and lmms-eval import a file that they are given: by its path, without its folder."""
    spec = importlib.util.spec_from_file_location(name, module)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def parquet(file: Path, cache: Path) -> Any:
    """verl `RLHFDataset._read_files_and_tokenize`, EasyR1 `RLHFDataset.__init__`."""
    return datasets.load_dataset("parquet", data_files=str(file), split="train", cache_dir=str(cache))


def read_trl(folder: Path, cache: Path) -> list[Read]:
    """trl.data_utils.prepare_multimodal_messages: conversational, no placeholder, a list of pictures."""
    data = datasets.load_dataset(str(folder), cache_dir=str(cache))["train"]
    for row in data:
        assert [turn["role"] for turn in row["prompt"]] == ["user"]
        assert len(row["images"]) == 1
    return [Read(row["prompt"][0]["content"], row["solution"], row["images"][0], row) for row in data]


def read_verl(folder: Path, cache: Path) -> list[Read]:
    """verl/utils/dataset/rl_dataset.py `_build_messages`, and `__getitem__` on `extra_info`."""
    found = []
    for number, row in enumerate(parquet(folder / "train.parquet", cache)):
        [message] = row["prompt"]
        segments = [s for s in re.split("(<image>|<video>|<audio>)", message["content"]) if s != ""]
        assert segments[0] == "<image>"
        assert len(segments) == 2
        assert len(row["images"]) == 1
        assert isinstance(row["images"][0], Image.Image)  # `image.convert("RGB")`
        assert row["extra_info"]["index"] == number
        assert row["reward_model"]["style"] == "rule"
        assert row["data_source"]
        assert row["ability"]
        answer = row["reward_model"]["ground_truth"]
        found.append(Read(segments[1], answer, row["images"][0], row["extra_info"]))
    return found


def read_easyr1(folder: Path, cache: Path) -> list[Read]:
    """EasyR1 verl/utils/dataset.py `_build_messages`, `process_image`, `example.pop(self.answer_key)`."""
    found = []
    for row in parquet(folder / "train.parquet", cache):
        before, question = row["problem"].split("<image>")
        assert before == ""
        [picture] = row["images"]
        found.append(Read(question, row["answer"], picture, row))
    return found


def read_ms_swift(folder: Path, cache: Path) -> list[Read]:
    """ms-swift Custom-dataset.md, PPO/GRPO and Multimodal: messages, one `<image>` per path, further columns."""
    found = []
    lines = (folder / "grpo.jsonl").read_text().splitlines()
    answered = (folder / "sft.jsonl").read_text().splitlines()
    for line, other in zip(lines, answered, strict=True):
        row, taught = json.loads(line), json.loads(other)
        [asked] = row["messages"]
        assert asked["role"] == "user"
        assert taught["messages"] == [asked, {"role": "assistant", "content": row["solution"]}]
        assert asked["content"].count("<image>") == len(row["images"]) == 1
        picture = Image.open(os.path.join(folder, row["images"][0]))  # ROOT_IMAGE_DIR
        found.append(Read(asked["content"].removeprefix("<image>"), row["solution"], picture, row))
    return found


def read_llama_factory(folder: Path, cache: Path) -> list[Read]:
    """LLaMA-Factory data/parser.py `get_dataset_list`, data/converter.py `SharegptDatasetConverter`."""
    [(name, declared)] = json.loads((folder / "dataset_info.json").read_text()).items()
    assert declared["formatting"] == "sharegpt"
    tags, columns = declared["tags"], declared["columns"]
    data = datasets.load_dataset(
        "json", data_files=str(folder / declared["file_name"]), split="train", cache_dir=str(cache)
    )
    found = []
    for row in data:
        human, gpt = row[columns["messages"]]
        assert human[tags["role_tag"]] == tags["user_tag"]
        assert gpt[tags["role_tag"]] == tags["assistant_tag"]
        [path] = row[columns["images"]]
        question = human[tags["content_tag"]]
        assert question.count("<image>") == 1  # mm_plugin: as many as pictures
        picture = Image.open(os.path.join(folder, path))  # media_dir
        found.append(Read(question.removeprefix("<image>"), gpt[tags["content_tag"]], picture, row))
    assert re.fullmatch(r"\w+", name)
    return found


def read_openai(folder: Path, cache: Path) -> list[Read]:
    """The chat format of fine-tuning: `messages` alone in a line, pictures as data URLs of PNG, JPEG or WebP."""
    found = []
    told = (folder / "metadata.jsonl").read_text().splitlines()
    for line, metadata in zip((folder / "train.jsonl").read_text().splitlines(), told, strict=True):
        row = json.loads(line)
        assert row.keys() == {"messages"}
        asked, reply = row["messages"]
        assert (asked["role"], reply["role"]) == ("user", "assistant")
        shown, text = asked["content"]
        kind, _, data = shown["image_url"]["url"].partition(";base64,")
        picture = opened(base64.b64decode(data, validate=True))
        assert kind == f"data:image/{str(picture.format).lower()}"
        found.append(Read(text["text"], reply["content"], picture, json.loads(metadata)))
    return found


def read_lmms_eval(folder: Path, cache: Path) -> list[Read]:
    """lmms_eval/utils.py `load_yaml_config` and `import_function`; api/task.py `ConfigurableTask`."""

    class Loader(yaml.FullLoader):
        pass

    def imported(loader: Any, node: Any) -> Any:
        module, name = loader.construct_scalar(node).split(".")
        return getattr(load(folder / f"{module}.py", module), name)

    Loader.add_constructor("!function", imported)
    [path] = folder.glob("*.yaml")
    config = yaml.load(path.read_text(), Loader)
    assert path.stem == config["task"]
    # `TaskConfig(**config)`: no other keys.
    assert config.keys() <= {
        *("task", "dataset_path", "dataset_name", "dataset_kwargs", "test_split", "output_type"),
        *("doc_to_visual", "doc_to_text", "doc_to_target", "process_results", "generation_kwargs"),
        *("metric_list", "lmms_eval_specific_kwargs", "metadata"),
    }
    data = datasets.load_dataset(
        path=config["dataset_path"], name=None, cache_dir=str(cache), **config["dataset_kwargs"]
    )[config["test_split"]]
    assert isinstance(data.features["image"], datasets.Image)  # dataset_no_image leaves such columns out
    given = config["lmms_eval_specific_kwargs"]["default"]
    found = []
    for row in data:
        assert config["doc_to_target"] in data.features
        answer = row[config["doc_to_target"]]
        [picture] = config["doc_to_visual"](row)
        assert picture.mode == "RGB"
        text = config["doc_to_text"](row, given)
        assert text.endswith("single word or phrase.")
        for said, score in ((answer, 1.0), ("purple elephant", 0.0)):
            results = config["process_results"](row, [said])
            assert results == {metric["metric"]: score for metric in config["metric_list"]}
        found.append(Read(config["doc_to_text"](row), answer, picture, row))
    return found


def read_vlmevalkit(folder: Path, cache: Path) -> list[Read]:
    """vlmeval/dataset/__init__.py `build_dataset`; image_base.py `ImageBaseDataset.__init__`; smp `load` is pandas."""
    pandas = pytest.importorskip("pandas")
    [path] = folder.glob("*.tsv")
    data = pandas.read_csv(path, sep="\t")
    assert "question" in data
    assert not {"A", "B"} & set(data)  # CustomVQADataset
    assert list(data["index"]) == list(range(len(data)))
    assert not data.isna().any().any()
    assert min(len(image) for image in data["image"]) > 64  # no reference to another row
    return [
        Read(row["question"], str(row["answer"]), opened(base64.b64decode(row["image"])), row)
        for row in data.to_dict("records")
    ]


def read_inspect(folder: Path, cache: Path) -> list[Read]:
    """inspect_ai.dataset.json_dataset, which resolves the paths of pictures beside the file."""
    dataset = pytest.importorskip("inspect_ai.dataset").json_dataset(str(folder / "samples.jsonl"))
    found = []
    for sample in dataset:
        shown, text = sample.input[0].content
        assert sample.id == sample.metadata["id"]
        found.append(Read(text.text, sample.target, Image.open(shown.image), sample.metadata))
    return found


def read_hf(folder: Path, cache: Path) -> list[Read]:
    """datasets.load_dataset on the folder; the card names the splits."""
    found = []
    for split, rows in datasets.load_dataset(str(folder), cache_dir=str(cache)).items():
        for row in rows:
            assert row["split"] == split
            assert row["failure_modes"] == [name for name in row["failure_mode"].split(",") if name]
            found.append(
                Read(
                    row["question"],
                    row["answer"],
                    row["image"],
                    {**row, "skills": ",".join(row["skills"])},
                )
            )
    return found


READERS: dict[str, Callable[[Path, Path], list[Read]]] = {
    "trl": read_trl,
    "verl": read_verl,
    "easyr1": read_easyr1,
    "ms-swift": read_ms_swift,
    "llama-factory": read_llama_factory,
    "openai": read_openai,
    "lmms-eval": read_lmms_eval,
    "vlmevalkit": read_vlmevalkit,
    "inspect": read_inspect,
    "hf": read_hf,
}


def pixels(picture: Image.Image) -> tuple[tuple[int, int], bytes]:
    return picture.size, picture.convert("RGB").tobytes()


def chosen(run: Path, **wanted: object) -> list[Item]:
    with Run.read(run) as opened_run:
        return list(select(opened_run, Selection.model_validate(wanted)).items)


@pytest.mark.parametrize("what", ["samples", "failures"])
@pytest.mark.parametrize("form", FORMS)
def test_what_went_in_comes_out(run: Path, exported: Exporter, tmp_path: Path, form: str, what: str) -> None:
    wanted = {"what": what} | ({"split": "discover"} if what == "failures" else {})
    read = {row.told["id"]: row for row in READERS[form](exported(form, **wanted), tmp_path)}
    items = chosen(run, **wanted)
    assert read.keys() == {item.id for item in items}
    for item in items:
        row = read[item.id]
        assert (row.question, row.answer) == (item.question, item.answer)
        assert pixels(row.picture) == pixels(item.image.open())
        for key in ("image_id", "image_source", "image_licence", "split", "purpose"):
            assert row.told.get(key, item.metadata()[key]) == item.metadata()[key]
        assert row.told["image_licence"] == "Apache-2.0 (rendered)"


@pytest.mark.parametrize("form", ["trl", "verl", "easyr1"])
def test_held_out_questions_lie_in_a_file_of_their_own(
    run: Path, exported: Exporter, tmp_path: Path, form: str
) -> None:
    folder = exported(form, what="questions")
    sizes = {name: len(parquet(folder / f"{name}.parquet", tmp_path)) for name in ("train", "test")}
    held_out = [item.image.split in HELD_OUT for item in chosen(run, what="questions")]
    assert sizes == {"train": held_out.count(False), "test": held_out.count(True)}


def test_llama_factory_declares_what_is_held_out_as_a_dataset_of_its_own(
    run: Path, exported: Exporter
) -> None:
    folder = exported("llama-factory", what="questions")
    declared = json.loads((folder / "dataset_info.json").read_text())
    assert list(declared) == ["scotoma_run_questions", "scotoma_run_questions_test"]
    rows = [json.loads((folder / each["file_name"]).read_text()) for each in declared.values()]
    assert_apart(chosen(run, what="questions"), *rows)


@pytest.mark.parametrize("kind", ["grpo", "sft"])
def test_ms_swift_has_what_is_held_out_in_files_of_its_own(run: Path, exported: Exporter, kind: str) -> None:
    folder = exported("ms-swift", what="questions")
    files = (folder / f"{kind}.jsonl", folder / f"test_{kind}.jsonl")
    rows = [[json.loads(line) for line in file.read_text().splitlines()] for file in files]
    assert_apart(chosen(run, what="questions"), *rows)


def assert_apart(items: list[Item], train: list[dict[str, Any]], test: list[dict[str, Any]]) -> None:
    """Every item once, and those that prove or measure, and no other, in the second."""
    assert [row["id"] for row in train] == [item.id for item in items if item.image.split not in HELD_OUT]
    assert [row["id"] for row in test] == [item.id for item in items if item.image.split in HELD_OUT]
    assert train
    assert test


@pytest.mark.parametrize("form", ["ms-swift", "llama-factory"])
def test_the_test_split_alone_makes_no_training_file(run: Path, exported: Exporter, form: str) -> None:
    folder = exported(form, what="questions", split="test")
    data = {path.name for path in folder.glob("[!.]*.json*")} - {"dataset_info.json"}
    assert data in ({"test_grpo.jsonl", "test_sft.jsonl"}, {"scotoma_run_questions_test.json"})
    named = re.findall(r"--dataset (?:\S*/)?(\S+)", (folder / "README.md").read_text())
    assert set(named) == {name.removesuffix(".json") for name in data}


def test_the_hugging_face_dataset_has_the_splits_of_the_run(exported: Exporter, tmp_path: Path) -> None:
    data = datasets.load_dataset(str(exported("hf", what="questions")), cache_dir=str(tmp_path))
    assert set(data) == {"discover", "confirm", "test"}


def test_placeholders_in_a_question_are_not_asked_twice(run: Path) -> None:
    [item, *_] = chosen(run)
    logged = Item(item.image, "<image>\nHow many <image>dogs?", "2", "failure")
    assert logged.prompt == "How many dogs?"
    assert logged.marked.count("<image>") == 1
    within = Item(item.image, "<ima<image>ge> how <vid<image>eo>many?", "2", "failure")
    assert (within.prompt, within.marked) == ("how many?", "<image>how many?")


def test_a_word_that_pandas_takes_for_nothing_survives_in_the_tsv(tmp_path: Path, run: Path) -> None:
    pandas = pytest.importorskip("pandas")
    [item, *_] = chosen(run)
    with Run.read(run) as opened_run:
        selected = select(opened_run, Selection(limit=1))
    odd = Item(item.image, 'a\t"question"\nof two lines', "NA", "failure", reply="None")
    FORMS["vlmevalkit"].write(dataclasses.replace(selected, items=(odd,)), tmp_path)
    [path] = tmp_path.glob("*_samples.tsv")
    [row] = pandas.read_csv(path, sep="\t").to_dict("records")
    assert (row["question"], row["answer"]) == (odd.question, "NA.")


def test_so_does_an_option(tmp_path: Path, run: Path) -> None:
    pandas = pytest.importorskip("pandas")
    [item, *_] = chosen(run)
    with Run.read(run) as opened_run:
        selected = select(opened_run, Selection(limit=1))
    asked = Item(item.image, "What is it holding?\nA. ball\nB. stick\nC. None", "C", "failure")
    FORMS["vlmevalkit"].write(dataclasses.replace(selected, items=(asked,)), tmp_path)
    [path] = tmp_path.glob("*_mcq.tsv")
    [row] = pandas.read_csv(path, sep="\t").to_dict("records")
    assert (row["A"], row["B"], row["C"], row["answer"]) == ("ball", "stick", "None.", "C")


def test_the_results_of_the_candidate_are_there_in_vlmevalkits_columns(run: Path, exported: Exporter) -> None:
    [path] = exported("vlmevalkit", what="questions").glob("results/*.tsv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, dialect="excel-tab"))
    items = {item.id: item for item in chosen(run, what="questions")}
    assert {row["id"]: (row["prediction"], row["hit"]) for row in rows} == {
        name: (item.reply, str(int(item.purpose == "correct"))) for name, item in items.items()
    }


@pytest.mark.parametrize("form", FORMS)
def test_no_category_tells_whether_the_candidate_was_right(run: Path, tmp_path: Path, form: str) -> None:
    """Else an export that is imported again confirms a failure mode "questions that were failed"."""
    categories = []
    for purpose in ("correct", "failure"):
        with Run.read(run) as opened_run:
            selected = select(opened_run, Selection(what="questions", split="discover", limit=8))
        items = tuple(
            dataclasses.replace(item, purpose=purpose, modes=item.modes[: n % 2])
            for n, item in enumerate(selected.items)
        )
        folder = tmp_path / purpose
        folder.mkdir()
        FORMS[form].write(dataclasses.replace(selected, items=items), folder)
        logs = [*folder.glob("results/*.tsv"), *folder.glob("logs/*.eval")]
        assert bool(logs) == (form in ("vlmevalkit", "inspect"))
        imported = [
            entry.columns for log in logs for entry in open_log(log).entries() if isinstance(entry, Record)
        ]
        assert len(imported) == len(items) * len(logs)
        rows = READERS[form](folder, tmp_path / "cache" / purpose)
        categories.append((imported, [columns_of(row.told, ()) for row in rows]))
    assert categories[0] == categories[1]
    assert all("split" in columns for columns in categories[0][1])


def test_verl_scores_an_answer(exported: Exporter) -> None:
    """verl/workers/reward_manager/naive.py calls it with these names."""
    score = load(exported("verl") / "reward.py").compute_score
    given = {"data_source": "scotoma", "ground_truth": "3", "extra_info": {"index": 0}}
    assert score(solution_str="<think>hm</think> \\boxed{three}", **given) == 1.0
    assert score(solution_str="4", **given) == 0.0


def test_easyr1_scores_a_batch(exported: Exporter) -> None:
    """EasyR1 verl/workers/reward/function.py `BatchFunctionRewardManager.compute_reward`."""
    rewards = load(exported("easyr1") / "reward.py")
    given = [{"response": said, "response_length": 3, "ground_truth": "yes"} for said in ("Yes.", "no")]
    assert [score["overall"] for score in rewards.compute_score(given)] == [1.0, 0.0]
    assert rewards.REWARD_TYPE == "batch"


def test_ms_swift_registers_the_reward(exported: Exporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """ms-swift reward_function.md: a subclass of ORM in `orms`, called with completions and the dataset's columns."""
    plugin = ModuleType("swift.plugin")
    vars(plugin).update(ORM=object, orms={})
    monkeypatch.setitem(sys.modules, "swift", ModuleType("swift"))
    monkeypatch.setitem(sys.modules, "swift.plugin", plugin)
    load(exported("ms-swift") / "reward.py")
    reward = vars(plugin)["orms"]["scotoma"]()
    assert reward(["red", "blue"], solution=["red", "red"], purpose=["mode", "mode"]) == [1.0, 0.0]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip))
def test_no_text_breaks_a_row(run: Path, tmp_path: Path, text: str) -> None:
    """Tabs, quotes, line ends, NUL, what looks like a placeholder, right-to-left marks …"""
    pandas = pytest.importorskip("pandas")
    [first, second, *_] = chosen(run)
    with Run.read(run) as opened_run:
        selected = select(opened_run, Selection(limit=2))
    items = (
        dataclasses.replace(first, question=text, answer=text, reply=text),
        dataclasses.replace(second, reply="x"),
    )
    odd = dataclasses.replace(selected, items=items)
    for form, read in (("vlmevalkit", None), ("ms-swift", read_ms_swift), ("openai", read_openai)):
        with tempfile.TemporaryDirectory(dir=tmp_path) as place:
            folder = Path(place)
            FORMS[form].write(odd, folder)
            if read is None:
                data = pandas.read_csv(next(folder.glob("*.tsv")), sep="\t")
                assert list(data["index"]) == [0, 1]
                assert data["question"][1] == second.question
            else:
                assert [row.answer for row in read(folder, tmp_path)] == [text, second.answer]
