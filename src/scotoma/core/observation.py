"""One question that was put to a candidate, and everything that is known about it: the row everything is built on.

A failure is an observation whose question is valid and whose answer is wrong. An infrastructure error is neither
right nor wrong, and no rate ever counts it.

>>> observed = Observation(key="d/0/0", phase="discover", image_id="ab", question="is there a star ?", answer="no",
...                        verdict=Verdict(valid=True, correct=0.0, truth="yes", decided_by="facts"))
>>> observed.outcome
'failure'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from scotoma.core.image import ImageRecord
from scotoma.core.invalidity import Invalidity, invalidity
from scotoma.core.predicate import Tag

Outcome = Literal["correct", "failure", "invalid", "infrastructure"]


class Verdict(BaseModel):
    """What the verifier says of one (image, question, answer).

    `valid` is V_Q (None: nobody could decide), `reason` says why not, in the words of whoever ruled. `correct` is C_Q
    in [0, 1], the mean over sampled answers, None when the question is invalid or an infrastructure error struck:
    then `error` is its kind, and `reason` what the server said.
    `decided_by` is `facts`, `rules`, `judge`, `consensus`, or `log` where an imported log had decided.
    """

    model_config = ConfigDict(frozen=True)

    valid: bool | None = None
    reason: str | None = None
    correct: float | None = None
    truth: str | None = None
    decided_by: str = "nobody"
    error: str | None = None

    @property
    def invalidity(self) -> Invalidity | None:
        """Which of the five kinds of invalid question it is; None unless V_Q = 0."""
        return invalidity(self.reason) if self.valid is False else None

    def of_the_question(self) -> Verdict:
        """What is known of the question, without what was ruled on an answer: to ask it again with."""
        return self.model_copy(update={"correct": None, "error": None})


class SampledAnswer(BaseModel):
    """One of several answers that were drawn to one question: the `seed` it was drawn with, and 1 or 0 for right or
    wrong. `correct` is None where infrastructure failed; `error` then says how.
    """

    model_config = ConfigDict(frozen=True)

    seed: int
    text: str = ""
    correct: float | None = None
    error: str | None = None


class Observation(BaseModel):
    """One question put to the candidate. `key` is unique in a run and the same after a resume; `selection` is the
    probability with which the question was picked among those proposed (1 where nothing was selected), so that rates
    can be corrected. `samples` are the answers behind C_Q where several were drawn; `answer` is then the first of those
    that are as the outcome says.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    phase: str
    image_id: str
    question: str
    answer: str = ""
    verdict: Verdict
    tags: dict[str, Tag] = Field(default_factory=dict)
    asked_by: str = "template"
    candidate: str = "candidate"
    turn: int = 0
    step: int = 0
    selection: float = 1.0
    samples: tuple[SampledAnswer, ...] = ()

    @property
    def outcome(self) -> Outcome:
        """Which of the four kinds this is; they are never mixed."""
        if self.verdict.error is not None or self.verdict.valid is None:
            return "infrastructure"
        if not self.verdict.valid:
            return "invalid"
        if self.verdict.correct is None:
            return "infrastructure"
        return "correct" if self.verdict.correct >= 0.5 else "failure"

    @property
    def answered(self) -> bool:
        """Whether a valid question got an answer that was judged, right or wrong: all that rates count."""
        return self.outcome in ("correct", "failure")


class Claim(BaseModel):
    """What a verifier is asked to judge: a question about an image and, once there is one, the candidate's answer.

    `truth` is the right answer where somebody knows it already (an earlier verdict, a benchmark's reference): then
    only the answer is left to judge.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    image: ImageRecord
    question: str
    answer: str | None = None
    truth: str | None = None


class Verifier(Protocol):
    """Judges validity V_Q and correctness C_Q, in batches, in order."""

    def judge(self, items: Sequence[Claim], errors: Sequence[str | None] | None = None) -> list[Verdict]:
        """One verdict per claim. With `answer=None` only validity (and the truth) is told.

        `errors` holds, per claim, the infrastructure error that struck the answer, if any: only the caller knows
        whether an empty answer is a silent model (wrong) or a failed call (neither right nor wrong).
        """
        ...
