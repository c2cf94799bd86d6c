"""The data and the protocols that every room shares. Imports nothing of ours and no torch.

>>> from scotoma.core import Predicate, Rate
"""

from scotoma.core.calibration import Calibration, Discernment
from scotoma.core.chat import ChatModel, FaultKind, Reply, ReplyError, Request, Sampling, Turn
from scotoma.core.diagnosis import AttributedFailure, Attribution, ErrorKind, ModeDiagnosis
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
    ComposedWorld,
    ContrastWorld,
    EditableWorld,
    Examination,
    Facts,
    ImageRecord,
    ImageSource,
    ReducibleWorld,
    RetouchableWorld,
    Split,
    TwiceAnsweredWorld,
    Variant,
    World,
)
from scotoma.core.invalidity import INVALIDITIES, Invalidity, invalidity
from scotoma.core.mode import PROVED, FailureMode
from scotoma.core.observation import Claim, Observation, Outcome, SampledAnswer, Verdict, Verifier
from scotoma.core.predicate import Condition, Predicate, Tag, Tags, skills_of
from scotoma.core.qualification import Checks, Example, Shrunk
from scotoma.core.rate import Rate
from scotoma.core.sample import Sample
from scotoma.core.taxon import Taxon
from scotoma.core.tool import Tool

__all__ = [
    "INVALIDITIES",
    "PROVED",
    "SPLITS",
    "AttributedFailure",
    "Attribution",
    "BudgetError",
    "Calibration",
    "ChatModel",
    "Checks",
    "Claim",
    "ComposedWorld",
    "Condition",
    "ConfigError",
    "ContrastWorld",
    "Discernment",
    "EditableWorld",
    "ErrorKind",
    "Examination",
    "Example",
    "Facts",
    "FailureMode",
    "FaultKind",
    "ImageError",
    "ImageRecord",
    "ImageSource",
    "Interrupted",
    "Invalidity",
    "LogError",
    "ModeDiagnosis",
    "ModelError",
    "Observation",
    "Outcome",
    "Predicate",
    "Rate",
    "ReducibleWorld",
    "Reply",
    "ReplyError",
    "Request",
    "RetouchableWorld",
    "RunError",
    "RunLocked",
    "RunVersion",
    "Sample",
    "SampledAnswer",
    "Sampling",
    "ScotomaError",
    "Shrunk",
    "SpecError",
    "Split",
    "StorageError",
    "Tag",
    "Tags",
    "Taxon",
    "Tool",
    "Turn",
    "TwiceAnsweredWorld",
    "Variant",
    "Verdict",
    "Verifier",
    "World",
    "invalidity",
    "skills_of",
]
