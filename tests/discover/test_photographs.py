"""Discovery on pictures without facts: a judge rules, the wording gives the tags, and nothing lost counts as wrong."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from scotoma.core import ConfigError
from scotoma.diagnose.modes import ModeSearch
from scotoma.discover import loop
from scotoma.discover.account import account_of_discovery
from scotoma.discover.confirm import confirm
from scotoma.discover.pool import open_source, pictures_so_far
from scotoma.discover.settings import (
    ConfirmSettings,
    DiscoverSettings,
    DiscoverySettings,
    JudgeSettings,
    TaggingSettings,
)
from scotoma.discover.verification import open_interview
from scotoma.images.options import StreamOptions
from scotoma.images.spec import open_images
from scotoma.images.stream import Row, StreamSource
from scotoma.report.build import build
from scotoma.store.run import Run
from tests import photographs


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> DiscoverySettings:
    folder = tmp_path_factory.mktemp("photographs")
    photographs.write(folder, 150)
    return DiscoverySettings(
        candidate="tests.photographs:Candidate",
        images=f"folder:{folder}",
        judge=JudgeSettings(model="tests.photographs:Judge"),
        discover=DiscoverSettings(
            questioner="tests.photographs:Questioner",
            reinforce=False,
            steps=8,
            images=12,
            queries=40,
            wishes=tuple(photographs.QUESTIONS),
            search=ModeSearch(min_failures=8),
        ),
        confirm=ConfirmSettings(questions=30, base_questions=100, pool=1000),
    )


@pytest.fixture(scope="module")
def run(settings: DiscoverySettings, tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("runs") / "photographs"
    source, interview = open_images(settings.images), open_interview(settings)
    with Run.open(path, command="discover", config=settings.model_dump(mode="json")) as run:
        loop.discover(run, source, interview, settings.discover, seed=0)
        confirm(run, source, interview, settings.discover, settings.confirm, seed=0)
    build(path)
    return Run.read(path)


def test_the_judge_decides_and_rules_read_the_answer(run: Run) -> None:
    asked = run.ledger.observations("discover")
    decided = {o.verdict.decided_by for o in asked if o.outcome in ("correct", "failure")}
    assert decided == {"rules"}
    assert {o.verdict.truth for o in asked if o.tags["asks"] == "how many"} <= set("12345")


def test_what_the_candidate_cannot_do_is_confirmed_on_other_pictures(run: Run) -> None:
    confirmed = [mode for mode in run.ledger.modes() if mode.status == "confirmed"]
    # Exactly what it cannot do: it counts to two.
    assert [str(mode.predicate) for mode in confirmed] == ["count>=3"]
    pictures = {
        phase: {o.image_id for o in run.ledger.observations(phase)} for phase in ("discover", "confirm")
    }
    assert not pictures["discover"] & pictures["confirm"]


def test_a_timeout_is_an_infrastructure_error_and_in_no_rate(run: Run) -> None:
    account = account_of_discovery(run.ledger)
    assert account is not None
    assert account.infrastructure_errors > 0
    assert account.valid + account.infrastructure_errors == account.questions
    lost = [o for o in run.ledger.observations("discover") if o.verdict.error]
    assert {o.verdict.error for o in lost} == {"timeout"}


def test_what_the_judge_could_not_rule_on_is_counted_and_not_asked(run: Run) -> None:
    account = account_of_discovery(run.ledger)
    assert account is not None
    assert account.unjudged["judge:unparsable"] > 0
    assert all(o.verdict.valid for o in run.ledger.observations("discover"))


def test_an_invalid_question_is_never_put_to_the_candidate(run: Run) -> None:
    questions = {
        o.question for phase in ("discover", "baseline", "confirm") for o in run.ledger.observations(phase)
    }
    assert questions == set(photographs.QUESTIONS.values()) - {photographs.QUESTIONS["reading"]}


def test_failures_are_looked_at_again_as_far_as_pictures_without_a_world_allow(run: Run) -> None:
    modes = [mode for mode in run.ledger.modes() if mode.status == "confirmed"]
    for mode in modes:
        assert mode.checks is not None
        assert mode.checks.resampled_failure is not None
        assert mode.checks.edit_followed is None
        assert mode.checks.skipped["edit: no world"] == mode.checks.questions
        # This judge cannot write: its replies are read as no paraphrase, and counted.
        assert mode.checks.skipped["paraphrase: unparsable"] == mode.checks.questions
        assert mode.shrunk == ()


def test_the_report_shows_the_pictures(run: Run) -> None:
    page = (run.path / "report.html").read_text()
    assert "How many discs" in page
    assert re.search(r"refused as invalid, and never asked: [\d,\u202f\u2009 ]+ × not grounded", page)
    assert "ordinary questions (built in)" in page
    assert "data:image/png;base64" in page


def test_stopped_and_started_again_it_ends_the_same(
    settings: DiscoverySettings, run: Run, tmp_path: Path
) -> None:
    source, interview = open_images(settings.images), open_interview(settings)
    with Run.open(tmp_path / "run", command="discover", config={}) as first:
        fewer = settings.discover.model_copy(update={"steps": 5})
        loop.ask_all(first, source, interview, fewer, 0)
    with Run.open(tmp_path / "run", command="discover", config={}) as again:
        loop.ask_all(again, open_images(settings.images), interview, settings.discover, 0)
        assert again.ledger.observations("discover") == run.ledger.observations("discover")


def test_a_tagger_files_the_questions_and_names_the_modes(
    settings: DiscoverySettings, tmp_path: Path
) -> None:
    tagging = TaggingSettings(model="tests.photographs:Tagger", name_modes=True)
    tagged = settings.model_copy(update={"tagging": tagging})
    source, interview = open_images(tagged.images), open_interview(tagged)
    with Run.open(tmp_path / "run", command="discover", config=tagged.model_dump(mode="json")) as run:
        brief = tagged.discover.model_copy(update={"steps": 4})
        modes = loop.discover(run, source, interview, brief, seed=0)
        account = account_of_discovery(run.ledger)
        asked = run.ledger.observations("discover")
    assert {o.tags["object"] for o in asked if o.question == photographs.QUESTIONS["colour"]} == {("disc",)}
    assert {"object" in o.tags for o in asked if o.question == photographs.QUESTIONS["existence"]} == {False}
    assert any(str(mode.predicate) == "count>=3" for mode in modes)
    assert {mode.title for mode in modes} == {"Discs beyond two"}
    assert account is not None
    # Asked again in each block in which it came up, as every call that failed.
    assert account.tagged["model"] == 2
    assert account.tagged["tagger:unparsable"] >= 1
    assert "called" in build(tmp_path / "run").read_text()


def test_a_cut_is_a_near_copy_for_an_embedder(tmp_path: Path) -> None:
    photographs.write(tmp_path, 40)
    for name in ("000", "001", "002"):
        whole = Image.open(tmp_path / f"{name}.png").resize((384, 256))
        whole.crop((4, 3, 380, 253)).save(tmp_path / f"{name}-cut.png")
    copies = {}
    for embedder in (None, "pupil"):
        source = open_source(
            DiscoverySettings(images=f"folder:{tmp_path}", candidate="a:B", embedder=embedder)
        )
        assert list(source.images("discover", 0))
        copies[embedder] = pictures_so_far(source)["skipped_images"].get("near-duplicate", 0)
    assert copies["pupil"] > copies[None]


def test_several_judges_report_how_often_they_agreed(settings: DiscoverySettings, tmp_path: Path) -> None:
    three = settings.model_copy(update={"judge": JudgeSettings(model="tests.photographs:Judge", samples=3)})
    source, interview = open_images(three.images), open_interview(three)
    brief = three.discover.model_copy(update={"steps": 1})
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        loop.ask_all(run, source, interview, brief, 0)
        account = account_of_discovery(run.ledger)
    assert account is not None
    assert account.judge_agreement is not None
    assert account.judge_agreement.value == 1
    assert account.judge_agreement.n > brief.queries / 4


def test_a_questioner_without_weights_that_is_to_be_trained_is_refused() -> None:
    with pytest.raises(ConfigError, match="no weights"):
        loop.open_questioner(DiscoverSettings(questioner="tests.photographs:Questioner"), seed=0)


def test_no_near_copy_in_a_stream_is_confirmed_on_by_a_later_command(
    settings: DiscoverySettings, tmp_path: Path
) -> None:
    """A stream is never read whole, so what an earlier command used is known from the run."""
    photographs.write(tmp_path / "photos", 60)
    rows = []
    for path in sorted((tmp_path / "photos").iterdir()):
        rows.append(Row(path.read_bytes(), path.name))
        with Image.open(path) as photo:
            seen = PngImagePlugin.PngInfo()
            seen.add_text("seen", photo.text["seen"])  # type: ignore[attr-defined]
            copy = io.BytesIO()
            photo.save(copy, "PNG", compress_level=1, pnginfo=seen)  # the same pixels in other bytes
        rows.append(Row(copy.getvalue(), f"copy-{path.name}"))

    def opened() -> StreamSource:
        return StreamSource("test:", lambda seed: iter(rows), StreamOptions(shuffle=0))

    few = settings.discover.model_copy(update={"steps": 2, "search": ModeSearch(min_failures=2, min_z=1.0)})
    with Run.open(tmp_path / "run", command="discover", config=settings.model_dump(mode="json")) as run:
        loop.discover(run, opened(), open_interview(settings), few, seed=0)
        used = {record.id: record.open().tobytes() for record in run.images.all("discover")}
        assert run.ledger.modes()
        proof = settings.confirm.model_copy(update={"questions": 5, "base_questions": 20, "pool": 60})
        confirm(run, opened(), open_interview(settings), few, proof, seed=0)
        fresh = {record.id: record.open().tobytes() for record in run.images.all("confirm")}
    assert fresh
    assert not set(used.values()) & set(fresh.values())
