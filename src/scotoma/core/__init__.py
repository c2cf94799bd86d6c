"""The data and the protocols that every room shares. Imports nothing of ours and no torch.

>>> from scotoma.core import Predicate, Rate
"""

from scotoma.core.calibration import Calibration, Discernment
from scotoma.core.chat import ChatModel, Reply, ReplyError, Request, Sampling, Turn
from scotoma.core.errors import (
    BudgetError,
    ConfigError,
    ImageError,
    Interrupted,
    LogError,
    ModelError,
    RunError,
    RunLocked,
    RunVersion,
    ScotomaError,
    SpecError,
    StorageError,
)
from scotoma.core.image import (
    SPLITS,
    EditableWorld,
    Examination,
    Facts,
    ImageRecord,
    ImageSource,
    Split,
    World,
)
from scotoma.core.mode import FailureMode
from scotoma.core.observation import Claim, Observation, Outcome, Verdict, Verifier
from scotoma.core.predicate import Condition, Predicate, Tag, Tags
from scotoma.core.rate import Rate
from scotoma.core.sample import Sample
from scotoma.core.taxon import Taxon
from scotoma.core.tool import Tool

__all__ = [
    "SPLITS",
    "BudgetError",
    "Calibration",
    "ChatModel",
    "Claim",
    "Condition",
    "ConfigError",
    "Discernment",
    "EditableWorld",
    "Examination",
    "Facts",
    "FailureMode",
    "ImageError",
    "ImageRecord",
    "ImageSource",
    "Interrupted",
    "LogError",
    "ModelError",
    "Observation",
    "Outcome",
    "Predicate",
    "Rate",
    "Reply",
    "ReplyError",
    "Request",
    "RunError",
    "RunLocked",
    "RunVersion",
    "Sample",
    "Sampling",
    "ScotomaError",
    "SpecError",
    "Split",
    "StorageError",
    "Tag",
    "Tags",
    "Taxon",
    "Tool",
    "Turn",
    "Verdict",
    "Verifier",
    "World",
]
