"""The run directory: all that a command finds out, kept through `kill -9` and never written twice.

with Run.open("runs/demo", command="evolve", config=settings.model_dump()) as run:
    if run.ledger.done("discover/0") is None:
        run.ledger.finish("discover/0", {"seconds": 3.1}, observations=asked)

run = Run.read("runs/demo")     # no lock, nothing written: for reports and copied runs
"""

from scotoma.store.configuration import Settings, load_settings
from scotoma.store.header import RunHeader
from scotoma.store.ledger import Counts, CurvePoint, Ledger
from scotoma.store.pictures import Pictures
from scotoma.store.rows import ImageEntry, skill_combination
from scotoma.store.run import Run
from scotoma.store.summary import (
    SUMMARY_SCHEMA,
    ArmSummary,
    ComparisonSummary,
    DiscoverySummary,
    ImportSummary,
    ModeAccuracy,
    ModeSummary,
    RoundSummary,
    ShrunkSummary,
    Summary,
    TaxonomySummary,
)

__all__ = [
    "SUMMARY_SCHEMA",
    "ArmSummary",
    "ComparisonSummary",
    "Counts",
    "CurvePoint",
    "DiscoverySummary",
    "ImageEntry",
    "ImportSummary",
    "Ledger",
    "ModeAccuracy",
    "ModeSummary",
    "Pictures",
    "RoundSummary",
    "Run",
    "RunHeader",
    "Settings",
    "ShrunkSummary",
    "Summary",
    "TaxonomySummary",
    "load_settings",
    "skill_combination",
]
