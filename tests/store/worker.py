"""A command at work in a run, for tests that kill it: `python -m tests.store.worker RUN STAGES [as-nobody | BYTES]`.

It says on stdout what it has reached, stage by stage, and ends with 6 on a `StorageError`, 5 on any other `RunError`.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

from scotoma.core import RunError
from scotoma.store import CurvePoint, Run
from tests.store.records import mode, observation, picture, sample

CONFIG = {"seed": 0, "rounds": 2}
PER_STAGE = 60


def write_stages(run: Run, stages: int) -> None:
    """What every command does: look whether a stage is done, do it, finish it."""
    for number in range(stages):
        stage = f"discover/step-{number}"
        if run.ledger.done(stage) is not None:
            continue
        kept = run.images.put(picture(number))
        say(f"picture {number}")
        weights = run.save_checkpoint(
            "questioner/last", lambda path, number=number: save_weights(path, number)
        )
        say(f"checkpoint {number}")
        run.ledger.finish(
            stage,
            {"number": number, "checkpoint": weights.name},
            observations=[observation(f"{stage}/{i}", step=number) for i in range(PER_STAGE)],
            modes=[mode("m", prevalence=number / stages), mode(f"m{number}")],
            samples=[sample(f"{stage}/{i}") for i in range(5)],
            images=[kept],
            curve=[CurvePoint(step=i, name="reward", value=i / 5) for i in range(5)],
        )
        say(f"stage {number}")


def save_weights(path: Path, number: int) -> None:
    """A checkpoint of two files that must never be seen apart."""
    path.mkdir()
    for name in ("weights", "config"):
        (path / name).write_text(f"{number}\n" * 500)


def say(what: str) -> None:
    print(what, flush=True)


def main(path: str, stages: str, limit: str = "") -> int:
    if limit == "as-nobody":
        import fcntl  # noqa: F401  (nobody may not read where Python lies: all is imported by now)

        os.setegid(65534)
        os.seteuid(65534)
    elif limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    try:
        with Run.open(path, command="discover", config=CONFIG) as run:
            say("open")
            write_stages(run, int(stages))
            say("done")
    except RunError as error:
        say(f"{type(error).__name__}: {error}")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
