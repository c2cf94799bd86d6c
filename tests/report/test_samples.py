"""The report of a run of `scotoma generate`: the samples, and what became of the others."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from scotoma.core import FailureMode, Predicate, Sample
from scotoma.generate.attempt import Attempt
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.report import build
from scotoma.store import Run

MODE = FailureMode(
    id="m1", description="counting red things", predicate=Predicate.parse("skill=counting and colour=red"),
    status="confirmed",
)  # fmt: skip


def delivered(path: Path, ended: str | None) -> Run:
    """Three samples of five, two of them of one picture."""
    attempts = [Attempt(outcome="kept")] * 3 + [
        Attempt(outcome="rejected", agent="checks", reason="wrong_image"),
        Attempt(outcome="infrastructure", agent="writer", reason="timeout"),
    ]
    with Run.open(path, command="generate", config={"samples": 5, "candidate": "pupil"}) as run:
        one, other = run.images.put_all(islice(ShapesWorld().images("train", 0), 2))
        run.ledger.put_modes([MODE])
        samples = [
            Sample(
                id=str(i), image_id=image.id, question=f"{text} ?", answer="2", purpose="mode", mode_id="m1"
            )
            for i, (image, text) in enumerate([(one, "how many"), (one, "what number"), (other, "count <b>")])
        ]
        document = {"attempts": [each.model_dump(mode="json") for each in attempts], "ended": ended}
        run.ledger.finish("generate/m1/0", document, samples=samples, images=[one, other])
    return Run.read(path)


def test_every_mode_has_its_samples_its_rejections_and_its_shortfall(tmp_path: Path) -> None:
    with delivered(tmp_path, "tries used up") as run:
        html = build(run).read_text()
    assert "Samples for what <bdi>pupil</bdi> cannot see" in html
    assert "<b>3 samples</b> were made for 1 failure mode; <b>2</b> are missing." in html
    assert "3 of 5" in html
    assert "2 short: <bdi>tries used up</bdi>" in html
    assert "Rejected: 1 × <bdi>checks: wrong image</bdi>" in html
    assert "Lost to infrastructure errors: 1 × <bdi>writer: timeout</bdi>" in html
    assert "unfinished" not in html
    assert "No question has been asked" not in html


def test_where_more_are_wanted_now_it_is_not_finished(tmp_path: Path) -> None:
    with delivered(tmp_path, "filled") as run:
        html = build(run).read_text()
    assert "This run is unfinished" in html
    assert "<b>2</b> are missing so far." in html


def test_a_few_are_shown_each_of_another_picture_and_text_stays_text(tmp_path: Path) -> None:
    with delivered(tmp_path, None) as run:
        html = build(run).read_text()
    assert html.count("<img ") == 2
    assert "how many ?" in html
    assert "what number ?" not in html
    assert "count &lt;b&gt; ?" in html
    assert "This run is unfinished" in html
