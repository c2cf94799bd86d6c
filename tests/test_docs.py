"""The documentation is true: its code runs, its commands and configs are accepted, its links lead somewhere.

How blocks are marked stands in `tests/documents.py`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
import typer.main
from pydantic import BaseModel
from typer.testing import CliRunner

from scotoma.cli.app import app
from scotoma.core import ScotomaError, SpecError
from scotoma.evolve.compare import CompareSettings
from scotoma.evolve.settings import EvolveSettings
from scotoma.generate.settings import GenerateSettings
from scotoma.images.options import DatasetOptions, FolderOptions, cut_options, read_options
from scotoma.models.spec import parse_model_spec
from scotoma.report.export.export import FORMS
from scotoma.store.configuration import load_settings, read_yaml
from scotoma.store.summary import Summary
from tests.documents import DOCS, ROOT, Block, Command, Document, commands_in, documents, parse

PAGES = documents()
BLOCKS = [block for page in PAGES for block in page.blocks]
LANGUAGES = {"python", "bash", "console", "yaml", "json", "jsonl", "text"}
IMAGE_SCHEMES = ("worlds", "folder", "glob", "hf-dataset", "webdataset")


def name(page: Document) -> str:
    return str(page.path.relative_to(ROOT))


def reference() -> types.ModuleType:
    """The hook that generates reference pages."""
    spec = importlib.util.spec_from_file_location("reference", DOCS / "hooks" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---------------------------------------------------------------- what is only read


def test_every_block_says_its_language_so_that_none_goes_unchecked() -> None:
    unknown = [
        block.where for block in BLOCKS if block.page.parent != ROOT and block.language not in LANGUAGES
    ]
    assert unknown == []


def test_every_block_is_found() -> None:
    for page in PAGES:
        assert len(re.findall(r"^ *```", page.text, re.MULTILINE)) == 2 * len(page.blocks), page.path


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_command_line_accepts_every_command(page: Document) -> None:
    for command in page.commands():
        accepted(command)


def test_the_command_line_accepts_the_examples_of_its_own_help() -> None:
    # An example's second line is indented once more.
    text = re.sub(r"\n {5,}", " ", "\n".join(reference().command_line()))
    commands = list(commands_in("\n".join(re.findall(r"^ {4}(scotoma .*)", text, re.MULTILINE)), "--help"))
    assert len(commands) > 15
    for command in commands:
        if "[OPTIONS]" not in command.arguments:
            accepted(command)


def accepted(command: Command) -> None:
    try:
        called, given = parse(command)
    except typer.exceptions.TyperException as error:
        # Within a sentence a command may lack what it needs, and `--seed N` stands for any number.
        if command.whole or type(error).__name__ not in (
            "MissingParameter",
            "BadParameter",
            "NoArgsIsHelpError",
        ):
            pytest.fail(f"{command.where}: {error.format_message()}")
        return
    if called in ("discover", "evolve", "calibrate"):
        for key in ("candidate", "questioner", "judge"):
            for spec in [given[key]] if isinstance(given.get(key), str) else given.get(key) or ():
                parse_model_spec(spec)
        if given.get("images"):
            check_image_spec(given["images"])
        if given.get("config") and str(given["config"]).startswith("configs/"):
            assert (ROOT / given["config"]).is_file(), command.where
    if called == "export":
        assert given["form"] in (*FORMS, "FORMAT", "…"), command.where


def check_image_spec(spec: str) -> None:
    place, options = cut_options(spec)
    scheme, colon, target = place.partition(":")
    if not (colon and target and (scheme in IMAGE_SCHEMES or target.isidentifier())):
        raise SpecError(f"{spec!r} is no image spec")
    read_options(options, FolderOptions if scheme == "folder" else DatasetOptions, spec)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_spec_in_the_text_can_be_read(page: Document) -> None:
    for code in page.inline():
        if re.match(r"(hf|openai):\S+$", code) and "…" not in code:
            parse_model_spec(code)
        elif re.match(rf"({'|'.join(IMAGE_SCHEMES)}):\S+$", code) and "…" not in code:
            check_image_spec(code)


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language == "yaml"], ids=lambda block: block.where
)
def test_every_config_is_valid(block: Block, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(block.text)
    if block.text.startswith("generate:"):  # the part of it that `scotoma generate --config` reads
        GenerateSettings.model_validate(read_yaml(tmp_path / "config.yaml")["generate"])
        return
    model = CompareSettings if block.text.startswith("candidates:") else EvolveSettings
    load_settings(model, tmp_path / "config.yaml")


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language.startswith("json")], ids=lambda block: block.where
)
def test_every_piece_of_json_is_json(block: Block) -> None:
    for document in block.text.splitlines() if block.language == "jsonl" else [block.text]:
        json.loads(document)


def test_every_make_target_exists() -> None:
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wanted = {
        target
        for page in PAGES
        for code in (*page.inline(), *(line for block in page.blocks for line in block.text.splitlines()))
        for target in re.findall(r"^make ([a-z-]+)", code)
    }
    assert wanted <= there
    assert "demo" in wanted


# The pages of the site are checked by the build itself, which is strict.
def test_every_link_of_the_readme_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", Document(ROOT / "README.md").prose)
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_every_picture_is_used_and_asks_for_nothing_elsewhere() -> None:
    text = "\n".join(page.text for page in PAGES)
    for path in (DOCS / "pictures").glob("*.svg"):
        assert path.name in text
        ElementTree.fromstring(path.read_text(encoding="utf-8"))
        fetched = re.findall(r"(?:href|src)=\"([^\"]+)|url\(([^)]+)", path.read_text(encoding="utf-8"))
        assert [one for pair in fetched for one in pair if one and not one.startswith("#")] == []


# ---------------------------------------------------------------- what is run


@pytest.fixture(scope="session")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the quickstart leaves behind."""
    folder = tmp_path_factory.mktemp("quickstart")
    run_page(Document(DOCS / "quickstart.md"), folder)
    return folder


def test_the_quickstart_ends_in_a_report(quickstart: Path) -> None:
    assert "What <bdi>pupil</bdi> cannot see" in (quickstart / "runs/first/report.html").read_text()
    assert Summary.from_json((quickstart / "runs/first/summary.json").read_text()).modes


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.runs and page.path.name != "quickstart.md"], ids=name
)
def test_the_code_of_the_page_runs(page: Document, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if page.goes_on:
        shutil.copytree(request.getfixturevalue("quickstart"), tmp_path, dirs_exist_ok=True)
    run_page(page, tmp_path)


def run_page(page: Document, folder: Path) -> None:
    """Do in `folder` what a reader does who follows the page."""
    namespace: dict[str, object] = {"__name__": page.path.stem}
    with working_in(folder):
        for block in page.blocks:
            if block.title is not None:
                Path(block.title).parent.mkdir(parents=True, exist_ok=True)
                Path(block.title).write_text(block.text, encoding="utf-8")
            elif block.language == "python":
                # Empty lines first, so that a traceback names the line of the page.
                code = compile("\n" * (block.line - 1) + block.text, str(block.page), "exec")
                exec(code, namespace)
            elif block.run:
                for command in commands_in(block.text, block.where):
                    ended = CliRunner().invoke(app, list(command.arguments), env=command.environment)
                    assert ended.exit_code == 0, f"{command.where}: {ended.output}\n{ended.exception!r}"


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """There, with modules that lie there importable (the pages say PYTHONPATH=.) and a response cache of its own."""
    before, cache, modules = Path.cwd(), os.environ.get("SCOTOMA_CACHE"), set(sys.modules)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    os.environ["SCOTOMA_CACHE"] = str(folder / "responses.sqlite")
    try:
        yield
    finally:
        os.chdir(before)
        sys.path.remove(str(folder))
        os.environ.pop("SCOTOMA_CACHE")
        if cache is not None:
            os.environ["SCOTOMA_CACHE"] = cache
        for added in set(sys.modules) - modules:
            if getattr(sys.modules[added], "__file__", None) and str(folder) in str(
                sys.modules[added].__file__
            ):
                del sys.modules[added]


# ---------------------------------------------------------------- the site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `mkdocs build --strict` makes it: a broken link or anchor stops it."""
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        patch.chdir(ROOT)
        build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True))
    return folder


def test_no_page_of_the_site_fetches_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        html = page.read_text(encoding="utf-8")
        tags = re.findall(r"<(?:script|link|img|iframe|source|video)\b[^>]*>", html)
        assert [tag for tag in tags if re.search(r"(?:src|href)=[\"']?(?:https?:)?//", tag)] == [], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(?:https?:)?//|@import", sheet.read_text(encoding="utf-8")), sheet


def test_every_page_is_in_the_navigation(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert (
            f'href="{page.path.relative_to(DOCS).with_suffix(".html")}"' in home or page.path.stem == "index"
        )


def test_the_reference_has_every_command_and_every_option(site: Path) -> None:
    html = (site / "reference/command-line.html").read_text(encoding="utf-8")

    def options(command: object, called: str) -> Iterator[str]:
        inner = getattr(command, "commands", {})
        for word, nested in inner.items():
            yield from options(nested, f"{called} {word}")
        if not inner:
            yield called
            yield from (option for one in command.params for option in one.opts if option[0] == "-")  # type: ignore[attr-defined]

    wanted = list(options(typer.main.get_command(app), "scotoma"))
    assert "scotoma discover" in wanted
    assert [one for one in wanted if f"<code>{one}</code>" not in html] == []


def test_the_reference_has_every_setting_and_every_key_of_the_summary(site: Path) -> None:
    def keys(model: type[BaseModel], prefix: str) -> Iterator[str]:
        for field, about in model.model_fields.items():
            if isinstance(about.annotation, type) and issubclass(about.annotation, BaseModel):
                yield from keys(about.annotation, f"{prefix}{field}.")
            else:
                yield prefix + field

    html = (site / "reference/settings.html").read_text(encoding="utf-8")
    wanted = list(keys(EvolveSettings, ""))
    assert "discover.reward.penalty" in wanted
    assert [key for key in wanted if f"<code>{key}</code>" not in html] == []
    summary = (site / "reference/summary.html").read_text(encoding="utf-8")
    for definition in (
        Summary.model_json_schema(by_alias=True),
        *Summary.model_json_schema()["$defs"].values(),
    ):
        if definition["title"] != "Rate":
            assert [key for key in definition["properties"] if f"<code>{key}</code>" not in summary] == []


def test_keys_that_are_documented_together_share_the_text() -> None:
    rows = dict(
        re.findall(r"^\| `([\w.]+)` \|.*\| ([^|]*) \|$", "\n".join(reference().settings()), re.MULTILINE)
    )
    assert rows["discover.beta"] == rows["discover.temperature"] == rows["discover.learning_rate"] != ""
    assert rows["repair.beta"] == rows["repair.warmup_steps"] != rows["repair.lora_rank"]
    assert "images" in rows["discover.images"]


def test_the_exit_codes_are_those_of_the_errors() -> None:
    told = "\n".join(reference().exit_codes())

    def check(kind: type[ScotomaError]) -> None:
        assert f"| {kind.exit_code} | `{kind.__name__}` |" in told
        for narrower in kind.__subclasses__():
            check(narrower)

    check(ScotomaError)


def test_a_page_that_asks_for_what_nobody_generates_stops_the_build() -> None:
    with pytest.raises(KeyError, match=r"page\.md"):
        reference().fill("<!-- generated: nothing -->", "page.md")
