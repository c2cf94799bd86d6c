"""`scotoma generate`: training samples for the confirmed modes of a run, made by agents; of photos too."""

from __future__ import annotations

import json as jsons
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from scotoma.cli import console
from scotoma.core import ConfigError, ModelError, RunError
from scotoma.discover.outage import describe_losses
from scotoma.store.configuration import checked, load_settings, read_yaml
from scotoma.store.run import Run

if TYPE_CHECKING:
    from scotoma.generate.delivery import Delivery


def command(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run with confirmed failure modes; it is only read.")
    ],
    out: Annotated[Path, typer.Option(help="The folder of the samples; an existing one is resumed.")],
    config: Annotated[
        Path | None,
        typer.Option(help="A YAML file with a `generate:` part, e.g. that of the run; flags win."),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(help="Pictures to make samples from: a folder or an image spec; RUN's by default."),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(metavar="IDS", help="Only these modes, comma-separated; all confirmed ones by default."),
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Samples wanted for each mode (50).")] = None,
    agents: Annotated[str | None, typer.Option(help="exact (worlds, the default) or llm.")] = None,
    planner: Annotated[str | None, typer.Option(help="openai:MODEL@BASE_URL or module:Class.")] = None,
    writer: Annotated[str | None, typer.Option(help="The same; it must see.")] = None,
    validator: Annotated[
        str | None, typer.Option(help="The same; best another model than the writer.")
    ] = None,
    web: Annotated[
        str | None, typer.Option(help="Search the web too: openverse,commons,serper; off by default.")
    ] = None,
    paint: Annotated[
        str | None, typer.Option(help="A generative editor: openai:MODEL@BASE_URL or diffusers:ID.")
    ] = None,
    candidate: Annotated[
        str | None,
        typer.Option(help="Spec of the model that the samples are for, where RUN only has its name."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Fixes everything random.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print what was made as JSON.")] = False,
) -> None:
    """Plan, search, edit, write and validate samples aimed at what a model cannot see.

    Nothing that a validator does not confirm is kept; what was rejected is counted with its reason, and a shortfall is
    said. Killed or stopped, the same command goes on where it was. The folder is a run: `scotoma export` writes it for
    trainers.

    **Examples**

        scotoma generate runs/demo --out runs/more --samples 100
        scotoma generate runs/photos --out runs/samples --agents llm --images photos
            --planner openai:gpt-5-mini --writer openai:gpt-5-mini --validator openai:gpt-5
        scotoma export runs/samples --format trl
    """
    from scotoma.discover.interview import put
    from scotoma.discover.settings import AnswerSettings
    from scotoma.generate.commission import CommissionSettings, accept, deliver
    from scotoma.generate.standards import Trainee

    with Run.read(run_dir) as origin:
        if origin.header.command == "generate":
            raise ConfigError(
                f"{run_dir} was made by scotoma generate: it holds samples and no failures",
                hint=f"give the run that they were made for: {origin.config.get('run')}",
            )
        own = {key: origin.config.get(key) for key in ("candidate", "images", "seed")}
        answers = origin.settings(AnswerSettings, "answers")
    if not isinstance(candidate or own["candidate"], str):
        raise ConfigError(
            f"{run_dir} does not say which model it is about", hint="give a discovery or a spiral"
        )
    pictures = images or own["images"]
    overrides = {
        "run": str(run_dir),
        "candidate": candidate or own["candidate"],
        "images": f"folder:{pictures}" if pictures and Path(pictures).is_dir() else pictures,
        "out": str(out),
        "modes": [name.strip() for name in mode.split(",")] if mode else None,
        "samples": samples,
        "seed": seed if seed is not None else own["seed"],
        "generate": _section(config) if config else None,
    }
    flags = {
        "agents": agents,
        "planner": planner,
        "writer": writer,
        "validator": validator,
        "search.web": [name.strip() for name in web.split(",")] if web else None,
        "edit.model": paint,
    }
    settings = load_settings(
        CommissionSettings, None, overrides | {f"generate.{key}": value for key, value in flags.items()}
    )
    with Run.read(run_dir) as origin:
        trainee = Trainee(settings.candidate, partial(put, answers=answers), answers.max_tokens)
        work = accept(origin, settings, trainee)
        with (
            Run.open(
                settings.out,
                command="generate",
                config=settings.model_dump(mode="json"),
                may_grow=("samples", "generate.tries"),
                may_change=("out", "run", "generate.at_once"),
            ) as run,
            console.progress_bars() as progress,
        ):
            made = deliver(run, origin, work, progress)
    if json:
        typer.echo(
            jsons.dumps([each.model_dump() | {"shortfall": each.shortfall} for each in made], indent=2)
        )
    else:
        _show(made)
    if not any(each.kept for each in made):
        lost = Counter[str]()
        for each in made:
            lost.update(each.tally.infrastructure)
        if lost and not any(each.tally.turned_down for each in made):
            words = {reason: said for each in made for reason, said in each.tally.said.items()}
            raise ModelError(
                f"not one sample was made: {describe_losses(lost, words)}",
                hint="are the agents' servers well? With more tries (generate.tries) the same command goes on",
            )
        raise RunError(
            "not one sample was made",
            hint="the reasons are counted above; more pictures, more tries (generate.tries) or other agents may help",
        )
    if not json:
        where = quote(str(settings.out))
        console.say(f"next: scotoma report {where}, to look at them; scotoma export {where} --format trl")


def _section(config: Path) -> dict[str, Any]:
    """The `generate:` part of a config, which may be that of a spiral.

    Raises:
        ConfigError: it has a key that no config has.
    """
    from scotoma.evolve.settings import EvolveSettings
    from scotoma.generate.settings import GenerateSettings

    document = read_yaml(config)
    if unknown := sorted(document.keys() - EvolveSettings.model_fields.keys()):
        raise ConfigError(
            f"{config}: {', '.join(map(str, unknown))}: unknown here",
            hint="only its part `generate:` is read; what else there is to say are flags, like --samples",
        )
    section = document.get("generate") or {}
    checked(GenerateSettings, section, f"{config}: generate.")
    return dict(section)


def _show(made: Sequence[Delivery]) -> None:
    table = Table(title="Samples", title_justify="left")
    for column in ("mode", "what", "made", "rejected", "infrastructure"):
        table.add_column(column, overflow="fold")
    for each in made:
        short = "" if not each.shortfall else f", {each.shortfall} short: {each.ended}"
        table.add_row(
            each.mode_id,
            console.safe(each.description),
            console.safe(f"{each.kept} of {each.wanted}{short}"),
            console.safe("\n".join(f"{count} {reason}" for reason, count in each.tally.rejected.items())),
            console.safe(
                "\n".join(f"{count} {reason}" for reason, count in each.tally.infrastructure.items())
            ),
        )
    console.out.print(table)
