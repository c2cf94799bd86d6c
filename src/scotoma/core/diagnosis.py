"""What a diagnosis says of one failure mode: how often the candidate passes, and what kind of error it makes.

>>> found = Attribution(image_id="ab", question="count the stars .", answer="1", truth="2", kind="counting",
...     evidence="a single step of counting")
>>> found.kind
'counting'
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scotoma.core.rate import Rate

ErrorKind = Literal["perception", "counting", "relation", "reading", "reasoning", "instruction"]
"""`instruction`: not even the kind of answer that was asked for. `reasoning`: the parts are right, their joining is
wrong (comparing, excluding). The others say which ability a wrong part, or a question without parts, needs."""


class Attribution(BaseModel):
    """One failure and the kind of error that it is; `evidence` says how that is known."""

    model_config = ConfigDict(frozen=True)

    image_id: str
    question: str
    answer: str
    truth: str
    kind: ErrorKind
    evidence: str


class AttributedFailure(Attribution):
    """The same with the failed question's key and the mode that it was asked for, as a run keeps every one of them."""

    key: str
    mode_id: str


class ModeDiagnosis(BaseModel):
    """One failure mode as one policy is found before a round, on the `confirm` split: nothing of it is trained on."""

    model_config = ConfigDict(frozen=True)

    mode_id: str
    pass_rate: Rate | None = Field(
        default=None,
        description="share of k sampled answers that are right, clustered by image; null: nothing could be asked",
    )
    error_kinds: dict[ErrorKind, int] = Field(
        default_factory=dict, description="failures that were attributed, by kind, most first"
    )
    examples: tuple[Attribution, ...] = Field(
        default=(), description="one failure of each of the commonest kinds, with its evidence"
    )
