"""What the benchmark of the checks measured, as tables for people.

console.print(chain_table(result), table(result))
"""

from __future__ import annotations

from rich.table import Table

from scotoma.bench.quality import BAR, QualityBenchmark


def chain_table(result: QualityBenchmark) -> Table:
    """What the chains catch that the commands run, and whether they meet the bar."""
    shown = Table(title="Known errors, put through the chains as shipped")
    shown.add_column("error")
    for name in result.chains:
        shown.add_column(_words(name), justify="right")
    chains = result.chains.values()
    for kind in result.kinds:
        shown.add_row(_words(kind), *(chain.caught[kind].percent() for chain in chains))
    shown.add_section()
    shown.add_row("clean ones rejected", *(chain.false_rejections.percent() for chain in chains))
    lines = [f"bar: 95 % of {', '.join(map(_words, BAR))} caught, at most 2 % of the clean rejected"]
    for name, chain in result.chains.items():
        missed = f" ({', '.join(map(_words, chain.missed))})" if chain.missed else ""
        lines.append(f"{_words(name)}: {'met' if chain.bar else 'missed'}{missed}")
    lines.append("the validator of generate llm sees perfectly here; yours does not")
    shown.caption = "\n".join(lines)
    return shown


def table(result: QualityBenchmark) -> Table:
    """What each check catches, together with all others and alone."""
    shown = Table(title="The same, by all checks together and each alone")
    for column in ("error", "check"):
        shown.add_column(column)
    for column in ("caught by any", "by this check alone", "clean ones it rejects"):
        shown.add_column(column, justify="right")
    for kind, found in result.kinds.items():
        shown.add_row(
            _words(kind),
            found.check,
            found.caught.percent(),
            found.caught_alone.percent(),
            result.false_rejections[found.check].percent(),
        )
    shown.add_section()
    for batch in result.batches:
        shown.add_row(
            f"{batch.rate:.0%} errors", "all", batch.caught.percent(), "", batch.false_rejections.percent()
        )
    lines = [f"{result.samples} clean samples in every batch · {result.seconds:.0f} s"]
    for name, varied in result.diversity.items():
        vendi = "" if varied.vendi is None else f", Vendi {varied.vendi:.1f}"
        lines.append(
            f"diversity of {varied.n} {name}: {varied.combinations} combinations, {varied.skills} of skills,"
            f" self-similarity {varied.self_similarity:.3f}{vendi}"
        )
    shown.caption = "\n".join(lines)
    return shown


def _words(name: str) -> str:
    return name.replace("_", " ")
