"""What qualifies a confirmed failure mode: how its failures behave when something changes, and how small they get.

Neither decides whether a mode is confirmed. They tell a person what the mode is: chance or conviction, a matter of
wording, an eye that does not see the change, or a picture too crowded.

>>> small = Example(image_id="ab", question="count the stars .", answer="1", truth="2", things=2, words=3)
>>> small.words
3
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from scotoma.core.rate import Rate


class Checks(BaseModel):
    """What becomes of a mode's failures when something changes. All rates are over questions of the `confirm` split
    that the candidate answered wrongly, clustered by image; null where nothing could be asked.
    """

    model_config = ConfigDict(frozen=True)

    resampled_failure: Rate | None = Field(
        default=None,
        description="answers sampled at temperature 1 that are wrong again: 1 is a stable failure",
    )
    paraphrase_failure: Rate | None = Field(
        default=None, description="the same questions in other words that are answered wrongly too"
    )
    paraphrase_agreement: Rate | None = Field(
        default=None, description="of these, the share with the same answer as before"
    )
    edit_followed: Rate | None = Field(
        default=None,
        description="answers that change when one thing in the picture is changed so that the true answer changes",
    )
    edit_control: Rate | None = Field(
        default=None,
        description="answers that change when one thing is changed and the true answer stays: what `edit_followed` "
        "is to be held against",
    )
    questions: int = Field(default=0, description="failures that were looked at again")
    queries: int = Field(default=0, description="candidate queries that this took")
    skipped: dict[str, int] = Field(
        default_factory=dict, description="what could not be asked or was lost, by reason"
    )


class Example(BaseModel):
    """A question that the candidate answers wrongly. `things` counts what the picture shows, `words` the question's
    words.
    """

    model_config = ConfigDict(frozen=True)

    image_id: str
    question: str
    answer: str
    truth: str | None
    things: int
    words: int


class Shrunk(BaseModel):
    """A failure, and the smallest scene and question found that still fail."""

    model_config = ConfigDict(frozen=True)

    original: Example
    smallest: Example
    still_failing: bool | None = Field(
        description="whether the smallest failed once more when it was asked at the end; null where an error kept it"
        " from being asked"
    )
    minimal: bool = Field(
        description="whether no smaller step fails: false where queries ran out, or were lost to errors, before that"
        " was known"
    )
    queries: int = Field(description="candidate queries that this took")
