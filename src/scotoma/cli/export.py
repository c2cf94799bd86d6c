"""`scotoma export`: what a run found, in the format of the tool that trains or measures next."""

from __future__ import annotations

import json as jsons
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from scotoma.cli import console
from scotoma.store.configuration import load_settings


def command(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run folder, also a copied or unfinished one.")
    ],
    form: Annotated[str, typer.Option("--format", metavar="FORMAT", help="One of the formats above.")],
    what: Annotated[
        str | None,
        typer.Option(help="samples, failures or questions; by default samples if the run has any."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write; RUN/exports/FORMAT by default.")
    ] = None,
    mode: Annotated[str | None, typer.Option(metavar="ID", help="Only this failure mode.")] = None,
    split: Annotated[
        str | None, typer.Option(help="Only images of discover, confirm, train or test.")
    ] = None,
    arm: Annotated[
        str | None, typer.Option(help="Samples of this arm (targeted by default; all), or its answers.")
    ] = None,
    round_: Annotated[int | None, typer.Option("--round", help="Only this round of the spiral.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most so many questions.")] = None,
    seed: Annotated[int, typer.Option(help="Fixes the order of the questions.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace what is in the folder.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Write the training samples, the failures with their truth, or all questions of a run for another tool.

    **To train with**

    * `trl`: parquet for TRL's GRPOTrainer (prompt, images, solution) and a reward function
    * `verl`: parquet for verl (prompt, images, reward_model) and a reward function
    * `easyr1`: parquet for EasyR1 (problem, answer, images) and a reward function
    * `ms-swift`: JSONL for GRPO and SFT, and a reward plugin
    * `llama-factory`: ShareGPT JSON with dataset_info.json
    * `openai`: chat JSONL with the pictures inside

    **To measure with**

    * `lmms-eval`: a task folder (YAML, utils.py, parquet)
    * `vlmevalkit`: TSV
    * `inspect`: a task, its samples, and an .eval log of what the candidate answered

    **To share**

    * `hf`: a Hugging Face dataset with its card

    **Examples**

        scotoma export runs/demo --format trl
        scotoma export runs/photos --format ms-swift --what failures --out exports/swift
        scotoma export runs/demo --format lmms-eval --what questions --split test
        scotoma export runs/demo --format hf --mode m3 --out exports/m3 --force
    """
    from scotoma.report.export import Selection, export

    selection = load_settings(
        Selection,
        None,
        {
            "what": what, "arm": arm, "round": round_, "mode": mode,
            "split": split, "limit": limit, "seed": seed,
        },
    )  # fmt: skip
    exported = export(run_dir, form, selection, out=out, force=force)
    if json:
        typer.echo(jsons.dumps(asdict(exported) | {"path": str(exported.path)}, indent=2))
        return
    told = f"{exported.questions} {exported.what} about {exported.pictures} pictures"
    console.say(f"{told}: {exported.path}")
    for reason, count in exported.skipped.items():
        console.out.print(console.safe(f"left out: {count} {reason}"), highlight=False)
    console.say(f"next:\n{exported.usage}", end="")
