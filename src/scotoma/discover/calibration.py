"""The calibration of a run's judge: read from the file that the settings name, kept in the run, found again there.

A run keeps its own copy, so that its rates can be corrected wherever the run is opened.

    adopt_calibration(run, settings.judge)      # before the first question is judged
    calibration_of(run.ledger)                  # None: the rates stay as they were reported
"""

from __future__ import annotations

from scotoma.core import Calibration, ConfigError
from scotoma.diagnose.prevalence import require_informative
from scotoma.discover.settings import JudgeSettings
from scotoma.store.ledger import Ledger
from scotoma.store.run import Run
from scotoma.verify.judge import VERSIONS

_STAGE = "calibration"


def judge_name(settings: JudgeSettings) -> str:
    """Who judges, in one line: the specs without their options, the samples of each, and the share that must agree."""
    named = " + ".join(spec.partition("?")[0].strip().rstrip("/") for spec in settings.specs)
    if settings.samples > 1:
        named += f" × {settings.samples} at temperature {settings.temperature:g}"
    if settings.max_tokens != JudgeSettings.model_fields["max_tokens"].default:
        named += f", {settings.max_tokens} tokens"
    alone = len(settings.specs) == 1 and settings.samples == 1
    return named if alone else f"{named}, agreement {settings.agreement:g}"


def read_calibration(settings: JudgeSettings) -> Calibration | None:
    """The calibration that the settings name, if they name one.

    Raises:
        ConfigError: it cannot be read, is another judge's or of other prompts, or says that the judge tells nothing.
    """
    path = settings.calibration
    if path is None:
        return None
    try:
        calibration = Calibration.from_json(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(
            f"judge.calibration: cannot read {path}: {error.strerror}",
            hint="write one with `scotoma calibrate --judge SPEC --out FILE`",
        ) from error
    if calibration.judge != judge_name(settings):
        raise ConfigError(
            f"{path} calibrates another judge: {calibration.judge!r}, not {judge_name(settings)!r}",
            hint="calibrate the judge as it is configured",
        )
    if calibration.prompts != dict(VERSIONS):
        raise ConfigError(
            f"{path} was measured with other prompts ({', '.join(sorted(calibration.prompts.values()))})",
            hint="run `scotoma calibrate` again with this version",
        )
    require_informative(calibration.correctness)
    return calibration


def adopt_calibration(run: Run, settings: JudgeSettings) -> None:
    """Keep the calibration in the run; nothing to do where none is named, or one was kept before.

    Raises:
        ConfigError: see `read_calibration`.
    """
    if run.ledger.done(_STAGE) is None and (calibration := read_calibration(settings)) is not None:
        run.ledger.finish(_STAGE, calibration.model_dump(mode="json", by_alias=True))


def calibration_of(ledger: Ledger) -> Calibration | None:
    """The calibration that a run was judged under."""
    kept = ledger.done(_STAGE)
    return None if kept is None else Calibration.model_validate(kept)
