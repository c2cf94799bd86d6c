"""The figures of the discovery benchmark, for people: methods, the curve of naming, what each part does.

Console().print(table(measure(Path("runs/bench/discovery"))))
"""

from __future__ import annotations

from rich.table import Table

from scotoma.bench.methods import METHODS
from scotoma.bench.study import DiscoveryBenchmark
from scotoma.diagnose.average import shown


def table(result: DiscoveryBenchmark) -> Table:
    """The figures for people."""
    rows = Table(
        title=f"Discovery: planted blind spots found with {result.queries:,} questions", title_justify="left"
    )
    for column in ("method", "recall", "all", "precision", "queries to 80 %", "got there", "fail", "s"):
        of_method = column == "method"
        rows.add_column(column, justify="left" if of_method else "right", no_wrap=of_method)
    for name, method in result.methods.items():
        rows.add_row(
            name,
            shown(method.recall),
            f"{method.recall_all.value:.2f}",
            shown(method.precision),
            shown(method.queries_to_80, 0),
            f"{100 * method.reached_80.value:.0f} %",
            f"{100 * method.failure_rate.value:.0f} %",
            f"{method.seconds.value:.0f}",
        )
    ratios = [
        f"{name} needs {shown(ratio)} times our queries" for name, ratio in result.queries_ratio.items()
    ]
    gained = [f"our recall less that of {name}: {shown(gain)}" for name, gain in result.recall_gain.items()]
    left_out = f" ({result.left_out} more without a sharp region)" if result.left_out else ""
    rows.caption = (
        f"{result.sets} planted sets{left_out} × {result.seeds} seeds, {len(result.planted)} regions, of which "
        f"{sum(not region.sharp for region in result.planted)} spilled over and count only under “all” · "
        "95 % intervals · " + "; ".join([*ratios, *gained])
    )
    return rows


def curve_table(result: DiscoveryBenchmark) -> Table:
    """How the regions come to be named, for people."""
    rows = Table(title="Share of the sharp regions named after so many queries", title_justify="left")
    rows.add_column("method", no_wrap=True)
    for count in next(iter(result.methods.values())).curve:
        rows.add_column(f"{count:,}", justify="right")
    for name, method in result.methods.items():
        rows.add_row(name, *(shown(share) for share in method.curve.values()))
    return rows


def effects_table(result: DiscoveryBenchmark) -> Table | None:
    """Every method against the one it leaves something out of, for people; None where there is no such pair."""
    if not result.effects:
        return None
    rows = Table(title="What each method changes, run by run", title_justify="left")
    rows.add_column("method", no_wrap=True)
    rows.add_column("what it is")
    rows.add_column("against", no_wrap=True)
    for column in ("failing", "effective combinations", "recall"):
        rows.add_column(column, justify="right")
    for name, effect in result.effects.items():
        rows.add_row(
            name,
            METHODS[name].about,
            effect.against,
            shown(effect.failure_rate),
            shown(effect.effective_combinations, 1),
            shown(effect.recall),
        )
    return rows
