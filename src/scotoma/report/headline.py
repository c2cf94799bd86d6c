"""The five lines that matter, for the end of a command.

for line in headline(summary):
    print(line)
"""

from __future__ import annotations

from scotoma.core import Rate
from scotoma.report.quantity import (
    count,
    factor,
    factor_interval,
    percent,
    percent_interval,
    points,
    points_interval,
)
from scotoma.store import ModeSummary, Summary

_HELD = {"holds": "yes", "fails": "no", "undecided": "cannot be told"}


def headline(summary: Summary) -> list[str]:
    """What was asked and failed, the modes, the gain of targeted training, its lead over uniform, the price.

    Always five lines of plain text; what the run has not measured reads "not yet", or "nothing to mend" where no mode
    was confirmed.
    """
    return [
        _discovery(summary),
        _modes(summary),
        _gain(summary),
        _lead(summary),
        _retained(summary),
    ]


def confirmed(summary: Summary) -> list[ModeSummary]:
    """The modes that were proved, the surest and gravest first."""
    proved = [mode for mode in summary.modes if mode.proved]
    return sorted(proved, key=lambda mode: -(mode.failure_rate.low if mode.failure_rate else 0.0))


def _discovery(summary: Summary) -> str:
    logs = summary.imported
    if logs is not None:
        failed = f"{_percent(logs.failure_rate)} failed" if logs.failure_rate else "none decided"
        return f"Imported: {count(logs.questions, 'question')}, {failed}"
    found = summary.discovery
    if found is None or found.failure_rate is None:
        return "Discovery: not yet"
    line = f"Discovery: {count(found.questions, 'question')}, {_percent(found.failure_rate)} failed"
    if found.baseline_failure_rate is not None:
        baseline = "template questioner" if found.baseline_asked_by == "template" else "unguided questioner"
        line += f"; {baseline} {_percent(found.baseline_failure_rate)}"
    if found.yield_ratio is not None:
        line += f": {factor(found.yield_ratio.value)} {factor_interval(found.yield_ratio)}"
    return line


def _modes(summary: Summary) -> str:
    proved = confirmed(summary)
    if not proved:
        suspected = sum(mode.status == "suspected" for mode in summary.modes)
        if suspected:
            return f"Failure modes: {suspected} suspected, none confirmed yet"
        if summary.modes:
            return f"Failure modes: none confirmed of {len(summary.modes)} suspected"
        return f"Failure modes: {'none suspected' if summary.proof_finished else 'not yet'}"
    worst = proved[0]
    rate = f" ({_percent(worst.failure_rate)})" if worst.failure_rate else ""
    return (
        f"Failure modes: {len(proved)} confirmed of {len(summary.modes)}; surest: {worst.description}{rate}"
    )


def _gain(summary: Summary) -> str:
    gain = summary.comparison.targeted_minus_base if summary.comparison else None
    return f"Targeted − before, on the modes: {_measured(summary, gain)}"


def _lead(summary: Summary) -> str:
    lead = summary.comparison.targeted_minus_uniform if summary.comparison else None
    return f"Targeted − uniform, on the modes: {_measured(summary, lead)}"


def _retained(summary: Summary) -> str:
    change = summary.comparison.retained_change if summary.comparison else None
    held = summary.comparison.retained_held if summary.comparison else None
    told = f"; at most 1 point lost: {_HELD[held]}" if held else ""
    return f"Targeted − before, on retained skills: {_measured(summary, change)}{told}"


def _measured(summary: Summary, figure: Rate | None) -> str:
    if figure is not None:
        return _points(figure)
    return "nothing to mend" if summary.nothing_to_mend else "not yet"


def _percent(rate: Rate) -> str:
    return f"{percent(rate.value)} {percent_interval(rate)} n={rate.n:,}"


def _points(rate: Rate) -> str:
    return f"{points(rate.value)} {points_interval(rate)} n={rate.n:,}"
