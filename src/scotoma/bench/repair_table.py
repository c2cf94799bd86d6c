"""What the benchmark of repair measured, as tables for people.

console.print(table(result), curve_table(result))
"""

from __future__ import annotations

from rich.table import Table

from scotoma.bench.repair import BASE, ROWS, RepairBenchmark
from scotoma.diagnose.average import shown


def curve_table(result: RepairBenchmark) -> Table:
    """How the arms came to their gain, for people."""
    rows = Table(title="Right on the confirmed modes, round by round", title_justify="left")
    rows.add_column("arm", no_wrap=True)
    for number in range(max(map(len, result.curve.values()))):
        rows.add_column(f"round {number}" if number else BASE, justify="right")
    for arm, course in result.curve.items():
        rows.add_row(arm, *map(shown, course))
    return rows


def volume_table(result: RepairBenchmark) -> Table:
    """How both arms fared on fewer samples, for people."""
    rows = Table(title="Right on the confirmed modes, by samples a round", title_justify="left")
    rows.add_column("samples", justify="right")
    rows.add_column("arm", no_wrap=True)
    for number in range(max(len(course) for by_arm in result.volumes.values() for course in by_arm.values())):
        rows.add_column(f"round {number}" if number else BASE, justify="right")
    for volume, by_arm in result.volumes.items():
        for arm, course in by_arm.items():
            rows.add_row(f"{volume:,}", arm, *map(shown, course))
    if result.samples_ratio is not None:
        rows.caption = f"samples for 80 % of the gain, targeted over uniform: {shown(result.samples_ratio)}"
    return rows


def table(result: RepairBenchmark) -> Table:
    """The figures for people."""
    rows = Table(title="Repair of planted blind spots, on the test split", title_justify="left")
    for column in ("arm", "in the regions", "mended", "gain ratio", "samples ratio", "targeted − it"):
        rows.add_column(column, justify="left" if column == "arm" else "right", no_wrap=column == "arm")
    for arm in ROWS:
        rows.add_row(
            arm,
            shown(result.regions[arm]),
            f"{100 * result.mended[arm].value:.0f} %",
            *(
                shown(found[arm]) if arm in found else ""
                for found in (result.gain_ratio, result.efficiency, result.difference)
            ),
        )
    gains = "".join(
        f"{name} modes: targeted {shown(by_arm['targeted'])}, uniform {shown(by_arm['uniform'])}; "
        for name, by_arm in result.gains.items()
    )
    again = f"{shown(result.rediscovery)} of the failures found again; " if result.rediscovery else ""
    spirals = "1 spiral" if result.spirals == 1 else f"{result.spirals} spirals"
    rows.caption = (
        f"{spirals} of {result.rounds} rounds · 95 % intervals over runs · "
        f"{gains}retained {shown(result.retained_change)}; {result.significant_drops} significant drops; {again}"
        f"largest shift of an answer {shown(result.bias)}; {result.minutes.value:.0f} minutes"
    )
    return rows
