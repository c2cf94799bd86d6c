"""`scotoma calibrate`: how far can a judge be trusted, or a tagger?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from scotoma.cli import console
from scotoma.core import Calibration, ConfigError, ModelError, Rate, World
from scotoma.store.configuration import load_settings
from scotoma.store.durable import write_durably

if TYPE_CHECKING:
    from scotoma.diagnose.tagging_error import SkillError
    from scotoma.discover.tagger_calibration import TaggerCalibration


def command(
    out: Annotated[Path, typer.Option(help="The calibration file; an existing one is replaced.")],
    judge: Annotated[
        list[str] | None,
        typer.Option(
            help="The judge: openai:MODEL@BASE_URL, hf:PATH_OR_ID or module:Class; several: a consensus."
        ),
    ] = None,
    tagger: Annotated[
        str | None,
        typer.Option(help="In place of a judge, what tags questions: wording, topics, or a model spec."),
    ] = None,
    images: Annotated[
        str | None, typer.Option(help="A world whose facts know the truth (default: worlds:shapes).")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="JSON lines of human labels: image, question, valid, answer, correct.")
    ] = None,
    n: Annotated[
        int | None, typer.Option("--n", min=8, help="Items from a world (default: 400; for a tagger 1,200).")
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Rulings per judge; several: a consensus.")] = None,
    agreement: Annotated[float | None, typer.Option(help="The share that must agree.")] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Of several samples, as in judge.temperature.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Room for a ruling, as in judge.max_tokens.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes the items.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the calibration on stdout.")] = False,
) -> None:
    """Measure a judge's sensitivity and specificity on items whose truth is known; rates are then corrected for them.

    From a world: valid and invalid questions, right answers and plausible wrong ones; the judge sees no facts.
    With --tagger instead: how well questions without facts are tagged, against the world's exact tags.

    **Examples**

        scotoma calibrate --judge openai:qwen2.5-vl-72b@http://localhost:8000/v1 --out judge.json
        scotoma calibrate --judge hf:Qwen/Qwen2.5-VL-7B-Instruct --labels labels.jsonl --out judge.json
        scotoma calibrate --tagger wording --out tagger.json

    Then name it in the config of a run, as `judge.calibration: judge.json`.
    """
    from scotoma.diagnose.statistics import clustered_rate
    from scotoma.discover.calibration import judge_name
    from scotoma.discover.settings import JudgeSettings
    from scotoma.discover.verification import judge_of, open_judges
    from scotoma.models.spec import parse_model_spec
    from scotoma.verify.calibration import known_from_labels, known_from_world, measure
    from scotoma.verify.judge import VERSIONS

    if (judge is None) == (tagger is None):
        raise ConfigError("nothing to measure, or two things at once", hint="give either --judge or --tagger")
    if images is not None and labels is not None:
        raise ConfigError("--images and --labels exclude each other", hint="calibrate on one of them")
    if os.path.isdir(out):
        raise ConfigError(f"{out} is a folder", hint="name a file: --out judge.json")
    console.check_folder(out.parent)
    if judge is None:
        assert tagger is not None  # one of the two is there
        if labels is not None:
            raise ConfigError("--labels are for a judge: they hold no tags", hint="give --images instead")
        if any(given is not None for given in (samples, agreement, temperature, max_tokens)):
            raise ConfigError(
                "--samples, --agreement, --temperature and --max-tokens are for a judge",
                hint="a tagger is asked once, greedily: leave them out",
            )
        measured = _measure_tagger(tagger, _world(images), n or 1200, seed)
        write_durably(out, measured.to_json().encode())
        if json:
            typer.echo(measured.to_json())
        else:
            _show_tagger(measured)
        return
    settings = load_settings(
        JudgeSettings,
        overrides={
            "model": judge[0],
            "judges": judge[1:],
            "samples": samples,
            "agreement": agreement,
            "temperature": temperature,
            "max_tokens": max_tokens,
        },
    )
    for spec in settings.specs:
        parse_model_spec(spec)  # a misspelt one is refused before anything is drawn
    if labels is not None:
        items, measured_on = known_from_labels(labels), str(labels)
    else:
        measured_on = images or "worlds:shapes"
        items = known_from_world(_world(images), n or 400, seed)
    verifier = judge_of(open_judges(settings), settings.agreement)
    with console.progress_bars() as progress:
        calibration = measure(
            verifier,
            items,
            clustered_rate,
            judge=judge_name(settings),
            prompts=VERSIONS,
            measured_on=measured_on,
            on_progress=lambda done, total: progress("calibrate", done, total),
        )
    if not calibration.validity.sensitivity.n + calibration.validity.specificity.n:
        told = ", ".join(f"{kind} ({count})" for kind, count in calibration.unusable.items())
        raise ModelError(
            f"the judge gave no ruling at all: {told}",
            hint="is it a chat model that sees images, and does its endpoint answer?",
        )
    write_durably(out, calibration.to_json().encode())
    if json:
        typer.echo(calibration.to_json())
        return
    _show(calibration, out)


def _world(images: str | None) -> World:
    from scotoma.images.spec import open_images

    source = open_images(images or "worlds:shapes")
    if not isinstance(source, World):
        raise ConfigError(
            f"{images} is no world: nothing says which answers and tags are right",
            hint="use worlds:shapes, or for a judge human labels with --labels",
        )
    return source


def _measure_tagger(tagger: str, world: World, n: int, seed: int) -> TaggerCalibration:
    from scotoma.discover.settings import TaggingSettings
    from scotoma.discover.tagger_calibration import calibrate_tagger, calibrate_topics
    from scotoma.models.spec import load_model

    if tagger == "topics":
        return calibrate_topics(world, TaggingSettings(), n, seed)
    model = None if tagger == "wording" else load_model(tagger)
    settings = TaggingSettings(model=None if model is None else tagger)
    with console.progress_bars() as progress:
        measured = calibrate_tagger(
            world, settings, n, seed, model, lambda done, total: progress("calibrate", done, total)
        )
    if model is not None and "model" not in measured.tagged:
        told = ", ".join(f"{kind} ({count})" for kind, count in measured.tagged.items())
        raise ModelError(
            f"the tagger filled in no sheet at all: {told}",
            hint="is it a chat model, and does its endpoint answer?",
        )
    return measured


def _show_tagger(measured: TaggerCalibration) -> None:
    title = f"{measured.tagger}: {measured.questions:,} questions of {measured.measured_on}"
    table = Table(title=console.safe(title), title_justify="left")
    if measured.error is not None:
        for column in ("skill", "precision", "recall", "F1"):
            table.add_column(column)
        _add_names(table, measured.error.skills, measured.error.macro_f1, measured.error.same)
        for kind, error in measured.named.items():
            table.add_section()
            table.add_row(f"[bold]{kind.replace('_', ' ')}[/]", "", "", "")
            _add_names(table, error.values, error.macro_f1, error.same)
    else:
        for column in ("against", "topics", "with a topic", "purity", "NMI", "ARI"):
            table.add_column(column)
        for name, found in measured.topics.items():
            rates = (found.assigned, found.purity, found.nmi, found.ari)
            table.add_row(console.safe(name), str(found.topics), *(rate.percent() for rate in rates))
    console.out.print(table)
    for kind, count in measured.tagged.items():
        console.out.print(f"{console.safe(kind)}: {count:,} different questions", highlight=False)


def _add_names(table: Table, names: Mapping[str, SkillError], macro_f1: Rate, same: Rate) -> None:
    for name, found in names.items():
        table.add_row(
            console.safe(name), found.precision.percent(), found.recall.percent(), found.f1.percent()
        )
    table.add_section()
    table.add_row("all, unweighted", "", "", macro_f1.percent())
    table.add_row("the whole set right", "", "", same.percent())


def _show(calibration: Calibration, out: Path) -> None:
    table = Table(title=console.safe(calibration.judge), title_justify="left", show_header=False)
    for what, rate in (
        ("invalid questions refused", calibration.validity.sensitivity),
        ("valid questions accepted", calibration.validity.specificity),
        ("wrong answers caught", calibration.correctness.sensitivity),
        ("right answers passed", calibration.correctness.specificity),
    ):
        table.add_row(what, rate.percent() if rate.n else "no items")
    if calibration.unanimity is not None:
        table.add_row("unanimous rulings", calibration.unanimity.percent())
    for kind, count in calibration.unusable.items():
        table.add_row(f"no ruling: {console.safe(kind)}", str(count))
    console.out.print(table)
    if not calibration.correctness.informative:
        console.out.print(
            "[bold red]This judge tells nothing about answers: no rate can be corrected with it.[/]"
        )
        console.out.print("next: another judge, or more items (--n)")
        return
    console.say(f"next: judge.calibration: {out} in the config of a run")
