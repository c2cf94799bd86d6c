"""The report of a run: one safe, self-contained file that opens whatever the run has come to."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from scotoma.core import Attribution, ModeDiagnosis, Rate, RunError, StorageError
from scotoma.discover.topics import taxonomy_of
from scotoma.report import build
from scotoma.store import Run
from scotoma.store.summary import StopSummary, TaggerSummary, UndiscoveredSummary
from tests.report.browser import INSTALLED, Browser
from tests.report.exam import STAGES, exam

HOSTILE = "</script><script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>&\"'\x00\u202e{{ 7 * 7 }}"


SPLIT_WORDS = """
return [...document.querySelectorAll("th, td, dt, dd, p, h1, h2, h3, span")].flatMap(element =>
  [...element.childNodes].filter(node => node.nodeType === Node.TEXT_NODE).flatMap(node =>
    [...node.data.matchAll(/[A-Za-z]{3,20}/g)].filter(word => {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      return new Set([...range.getClientRects()].map(box => Math.round(box.top))).size > 1;
    }).map(word => word[0])));
"""
"""Words that stand on two lines."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exam(tmp_path_factory.mktemp("report") / "demo", images=14)


@pytest.fixture(scope="module")
def report(run: Path) -> Path:
    return build(run)


def read(path: Path) -> ElementTree.Element:
    """The document as a strict parser sees it; it refuses unclosed tags and unescaped text."""
    return ElementTree.fromstring(path.read_text(encoding="utf-8").strip().removeprefix("<!DOCTYPE html>"))


def words(path: Path, within: str = ".//body") -> str:
    part = read(path).find(within)
    assert part is not None
    return " ".join(" ".join(part.itertext()).split())


def test_it_is_written_into_the_run_or_where_it_is_told(run: Path, report: Path, tmp_path: Path) -> None:
    assert report == run / "report.html"
    elsewhere = build(run, tmp_path / "new folder" / "r.html")
    with Run.read(run) as opened:
        again = build(opened, tmp_path / "again.html")
    assert elsewhere.read_bytes() == again.read_bytes() == report.read_bytes()


def test_the_first_screen_says_what_was_found(run: Path, report: Path) -> None:
    head = words(report, ".//header")
    with Run.read(run) as opened:
        summary = opened.summary()
    assert summary is not None
    assert summary.discovery is not None
    assert summary.discovery.failure_rate is not None
    assert summary.discovery.yield_ratio is not None
    assert summary.comparison is not None
    assert summary.comparison.targeted_minus_uniform is not None
    assert "What pupil cannot see" in head
    assert f"{100 * summary.discovery.failure_rate.value:.1f}" in head
    assert f"{summary.discovery.yield_ratio.value:.1f}×" in head
    assert f"+{100 * summary.comparison.targeted_minus_uniform.value:.1f} points" in head
    assert "4 blind spots are confirmed" in head
    assert "unfinished" not in head


def test_every_confirmed_mode_has_a_card_with_examples(report: Path) -> None:
    cards = read(report).findall(".//article")
    assert len(cards) == 4
    for card in cards:
        text = " ".join(card.itertext())
        assert "base rate" in text
        assert "After repair" in text
        assert re.search(r"\d % \[\d+\.\d, \d+\.\d\] n=[\d,]+ of uniform questions", " ".join(text.split()))
        assert card.findall(".//code")
        figures = card.findall(".//figure")
        assert figures
        for figure in figures:
            image = figure.find("img")
            assert image is not None
            assert image.attrib["src"].startswith("data:image/png;base64,")
            assert image.attrib["class"] == "pixels"
            said, truth = figure.findall(".//bdi")[1:]
            assert said.text != truth.text


def test_what_was_asked_is_a_tree_of_rates(run: Path, report: Path) -> None:
    section = read(report).find(".//section[@id='taxonomy']")
    assert section is not None
    trees = [part for part in section if part.get("class") == "tree"]
    with Run.read(run) as opened:
        whole = taxonomy_of(opened.ledger)
    roots = [taxon for tree in (whole.by_skill, whole.by_topic) for taxon in tree if taxon.depth == 1]
    assert len(trees) == len(roots) > 10
    assert [part for part in trees if part.tag == "details"]
    for tree, root in zip(trees, roots, strict=True):
        head, *below = tree
        assert root.name in " ".join(head.itertext())
        shown = " ".join(" ".join(head.itertext()).split())
        assert f"n={root.failure_rate.n:,}; {root.failures:,} of {root.questions:,}" in shown
        assert bool(below) == (tree.tag == "details")
        assert all(part.find(".//svg") is not None for part in (head, *below))


def test_rejected_suspects_are_folded_away(report: Path) -> None:
    folded = " ".join(
        " ".join(part.itertext()) for part in read(report).findall(".//section[@id='modes']/details")
    )
    assert "1 suspect rejected" in folded
    assert "Size questions" in folded


def test_before_and_after_of_every_mode_and_arm_with_interval_and_n(report: Path) -> None:
    rows = read(report).findall(".//section[@id='repair']//div[@class='changes']/div")[1:]
    assert [row.attrib["class"] for row in rows] == ["change all", *["change mode"] * 4, "change retained"]
    for row in rows:
        figures = [
            " ".join(" ".join(part.itertext()).split()) for part in row.findall(".//span[@class='figure']")
        ]
        assert len(figures) == 3
        assert all(re.match(r"\d+\.\d % \[\d+\.\d, \d+\.\d\] n=[\d,]+", figure) for figure in figures)
        assert re.search(r"\d\.\d points \[", figures[-1])


def test_skills_by_round_for_the_base_model_and_every_arm(report: Path) -> None:
    table = read(report).find(".//table[@class='heat']")
    assert table is not None
    head = [" ".join(cell.itertext()) for cell in table.findall("./thead//th")]
    assert head == [
        "base model",
        "uniform round 1",
        "uniform round 2†",
        "targeted round 1",
        "targeted round 2",
        "n",
    ]
    named = {" ".join(cell.itertext()) for cell in table.findall(".//tbody//th")}
    assert {"Counting", "Reading", "Vertical", "Negated existence questions"} <= named


def test_learning_curves_of_questioner_and_candidate(report: Path) -> None:
    figures = read(report).findall(".//section[@id='curves']//svg")
    labels = [figure.attrib["aria-label"] for figure in figures]
    assert "Questioner: share of questions that failed, steps 0 to 59" in labels
    assert "Candidate, round 2: reward, steps 0 to 59" in labels
    for figure in figures:
        for line in figure.findall("polyline"):
            points = [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
            assert len(points) == 60
            assert all(0 <= x <= 300 and 0 <= y <= 148 for x, y in points)


def test_how_the_training_itself_went_is_behind_a_fold(report: Path) -> None:
    [curves] = read(report).findall(".//section[@id='curves']")
    folded = [svg.attrib["aria-label"] for svg in curves.findall(".//details//svg")]
    assert len(curves.findall(".//details")) == 3  # the questioner's, and one of each round
    assert len(folded) == 9  # nothing was ever clipped
    assert "Candidate, round 2: entropy of the policy, nats per token, steps 0 to 59" in folded
    assert not any("reward" in label.split(", steps")[0].rsplit(": ", 1)[-1].split() for label in folded)


def test_updates_that_were_skipped_are_told_where_there_are_any(report: Path) -> None:
    text = words(report)
    assert text.count("skipped") == 1
    assert (
        "uniform: 600 samples, 60 GRPO steps ( 3 updates skipped : loss or gradient was not finite)" in text
    )


def test_the_four_outcomes_are_counted_apart(run: Path, report: Path) -> None:
    section = words(report, ".//section[@id='discovery']")
    with Run.read(run) as opened:
        counts = opened.ledger.counts("discover")
    for kind, number in (
        ("failure", counts.failure),
        ("correct", counts.correct),
        ("invalid question", counts.invalid),
        ("infrastructure error", counts.infrastructure),
    ):
        assert f"{kind} {number}" in section
    assert "ambiguous" in section
    assert "Failures per combination of skills" in section


def test_how_it_was_run_holds_config_versions_seed_and_the_words(report: Path) -> None:
    section = words(report, ".//section[@id='origin']")
    for word in (
        "scotoma evolve",
        "seed 7",
        "group: 8",
        "python",
        "q-value",
        "failure mode",
        "retained skills",
    ):
        assert word in section


@pytest.mark.parametrize("until", STAGES[:-1])
def test_an_unfinished_run_shows_what_there_is_and_names_what_is_missing(tmp_path: Path, until: str) -> None:
    path = build(exam(tmp_path / "run", until=until, images=4))
    text = words(path)
    assert "not yet" in text.lower() or until == "round2"
    assert ("This run is unfinished" in text) == (until != "round2")
    assert ("No question has been asked yet" in text) == (until == "begin")


def test_where_no_mode_was_confirmed_the_run_is_finished_and_says_so(tmp_path: Path) -> None:
    path = exam(tmp_path / "run", until="baseline", images=4)
    with Run.open(path, command="evolve", config=None) as run:
        rejected = [mode.model_copy(update={"status": "rejected"}) for mode in run.ledger.modes()]
        run.ledger.finish("confirm", {}, modes=rejected)
    text = words(build(path))
    assert "unfinished" not in text
    assert "No failure mode was confirmed, so there was nothing to mend." in text
    assert text.lower().count("no mode to mend") == 5
    assert "not yet" not in text.lower()


def test_a_baseline_without_failures_is_told_apart_from_none(tmp_path: Path) -> None:
    path = exam(tmp_path / "run", until="discover", images=4)
    assert "the baseline has none" not in words(build(path))
    with Run.open(path, command="evolve", config=None) as run:
        right = run.ledger.observations("discover", outcome="correct")
        uniform = [row.model_copy(update={"key": f"b/{row.key}", "phase": "baseline"}) for row in right]
        run.ledger.finish("baseline", {}, observations=uniform)
    assert "the baseline has none" in words(build(path))


def test_a_copied_run_without_its_images_is_still_reported(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    shutil.rmtree(copy / "images")
    assert "is not embedded" in words(build(copy))


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    path = build(exam(tmp_path / "run", until="round1", images=6, hostile=HOSTILE))
    document = read(path)
    assert len(document.findall(".//script")) == 1
    assert not [node for node in document.iter() if any(name.startswith("on") for name in node.attrib)]
    assert all(image.attrib["src"].startswith("data:") for image in document.findall(".//img"))
    raw = path.read_text(encoding="utf-8")
    assert "\x00" not in raw
    assert "\u202e" not in raw
    assert "{{ 7 * 7 }}" in words(path)
    assert "<script>alert(1)</script>" in words(path)


def test_nothing_is_fetched(report: Path) -> None:
    raw = report.read_text(encoding="utf-8")
    addresses = [
        value
        for node in read(report).iter()
        for name, value in node.attrib.items()
        if name in ("src", "href", "action", "data", "poster", "srcset")
    ]
    assert addresses
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert "@import" not in raw
    assert "url(" not in raw
    assert "default-src 'none'" in raw


def test_the_file_is_small(report: Path) -> None:
    assert report.stat().st_size < 3_000_000


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run"):
        build(tmp_path)


def test_a_place_that_cannot_be_written_is_named_and_the_old_report_kept(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(StorageError, match="file"):
        build(run, tmp_path / "file" / "report.html")
    assert (tmp_path / "file").read_text() == "old"


@pytest.mark.skipif(not INSTALLED, reason="no Chromium with its chromedriver")
def test_a_browser_shows_it_on_desktop_and_phone_in_light_and_dark(report: Path) -> None:
    with Browser() as browser:
        for width, dark in ((1280, False), (390, True), (320, False)):
            browser.open(report, width=width, dark=dark)
            assert browser.ask("return document.documentElement.scrollWidth") == width
            assert browser.ask(SPLIT_WORDS) == []
            paper = browser.ask("return getComputedStyle(document.body).backgroundColor")
            assert (paper == "rgb(22, 21, 19)") is dark
            browser.ask("document.getElementById('theme').click()")
            assert browser.ask("return getComputedStyle(document.body).backgroundColor") != paper
            browser.ask("localStorage.clear()")
        broken = "return [...document.images].filter(image => !image.naturalWidth).length"
        assert browser.ask(broken) == 0
        assert browser.console() == []
        assert all(address.startswith(("file:", "data:")) for address in browser.requested())


def test_what_is_left_and_why_discovery_ended_is_told_once_it_was_measured(tmp_path: Path) -> None:
    path = exam(tmp_path / "run", images=4)
    with Run.open(path, command="evolve", config=None) as run:
        summary = run.summary()
        assert summary is not None
        assert summary.discovery is not None
        mass = Rate(value=0.02, low=0.01, high=0.04, n=150)
        left = UndiscoveredSummary(
            failure_mass=mass, kinds_seen=30, kinds=Rate(value=33, low=31, high=41, n=150)
        )
        stop = StopSummary(steps=20, below=0.05, undiscovered=mass)
        found = summary.discovery.model_copy(update={"undiscovered": left, "stopped": stop})
        run.write_summary(summary.model_copy(update={"discovery": found}))
    text = words(build(path), ".//section[@id='discovery']")
    assert "2.0 % [1.0, 4.0] n=150 are estimated to be of a kind" in text
    assert "30 kinds were seen; at least 33 [31, 41] fail in all" in text
    assert "Discovery ended after 20 steps, as its stop rule asks" in text


def test_what_took_the_place_of_a_shortfall_is_told_with_it(tmp_path: Path) -> None:
    path = exam(tmp_path / "run", images=6)
    with Run.open(path, command="evolve", config=None) as run:
        summary = run.summary()
        assert summary is not None
        turn = summary.rounds[0]
        arm = turn.arms["targeted"]
        shares = [arm.mixture[0].model_copy(update={"shortfall": 12}), *arm.mixture[1:]]
        short = arm.model_copy(update={"mixture": shares, "retention_made": arm.retention + 12})
        rounds = [turn.model_copy(update={"arms": {**turn.arms, "targeted": short}}), *summary.rounds[1:]]
        run.write_summary(summary.model_copy(update={"rounds": rounds}))
    text = words(build(path), ".//section[@id='diagnosis']")
    assert "300 of retention, and 12 in place of what could not be made" in text
    assert "12 could not be made" in text


def test_the_taggers_error_is_told_with_what_else_it_names(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    rate = Rate(value=0.5, low=0.4, high=0.6, n=100)
    tagger = TaggerSummary(
        tagger="a:B",
        measured_on="worlds:shapes",
        questions=100,
        macro_f1=rate,
        skills={"colour": rate},
        named={"object": rate, "answer_kind": rate},
    )
    with Run.open(tmp_path / "run", command="evolve", config=None) as opened:
        summary = opened.summary()
        assert summary is not None
        assert summary.discovery is not None
        found = summary.discovery.model_copy(update={"tagger": tagger})
        opened.write_summary(summary.model_copy(update={"discovery": found}))
    text = words(build(tmp_path / "run"), ".//section[@id='taxonomy']")
    assert "of what else it names: object 50.0 % [40.0, 60.0] , answer kind 50.0 % [40.0, 60.0]" in text


def test_how_a_kind_of_error_is_known_is_told_of_every_mode(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    found = [
        ModeDiagnosis(
            mode_id=f"m{n}",
            error_kinds={"counting": 1},
            examples=(
                Attribution(
                    image_id="ab",
                    question=f"question {n}?",
                    answer="1",
                    truth="2",
                    kind="counting",
                    evidence="one step",
                ),
            ),
        )
        for n in range(7)
    ]
    with Run.open(tmp_path / "run", command="evolve", config=None) as opened:
        summary = opened.summary()
        assert summary is not None
        turn = summary.rounds[0]
        arm = turn.arms["targeted"].model_copy(update={"diagnosis": found})
        turn = turn.model_copy(update={"arms": {**turn.arms, "targeted": arm}})
        opened.write_summary(summary.model_copy(update={"rounds": [turn]}))
    path = build(tmp_path / "run")
    assert all(f"question {n}?" in words(path, ".//section[@id='diagnosis']") for n in range(7))
    folded = words(path, ".//details[@class='known']")
    assert "the same for 3 other modes" in folded
    assert [n for n in range(7) if f"question {n}?" in folded] == [4, 5, 6]


def test_a_run_without_the_targeted_arm_has_a_report(tmp_path: Path) -> None:
    assert "Diagnosis and mixture" in words(build(exam(tmp_path / "run", images=6, arms=("uniform",))))
