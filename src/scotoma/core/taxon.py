"""A node of the taxonomy: a set of questions with its place in the hierarchy, how many there are and how many fail.

>>> from scotoma.core import Rate
>>> rate = Rate(value=0.4, low=0.23, high=0.59, n=25)
>>> Taxon(path=("counting", "colour+counting"), questions=25, failures=10, failure_rate=rate).depth
2
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from scotoma.core.rate import Rate


class Taxon(BaseModel):
    """`path` leads from the widest set to this one, so that a flat list of them, parents first, is the whole tree.

    The rate is that of the uniform questions in the set, which nothing selected; where there are none, of all of them,
    each weighed by one over the probability with which it was picked among what was proposed. So it need not be
    `failures` / `questions`.
    """

    model_config = ConfigDict(frozen=True)

    path: tuple[str, ...] = Field(min_length=1, description="from the widest set of questions to this one")
    questions: int = Field(description="valid questions that were answered")
    failures: int = Field(description="of these, answered wrongly")
    failure_rate: Rate = Field(
        description="clustered by image; of `uniform` questions, or where they are 0 corrected for selection"
    )
    uniform: int = Field(
        default=0,
        description="of the questions, those that nothing selected; above 0 the rate is theirs alone",
    )

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path[-1]

    @property
    def depth(self) -> int:
        """1 for the widest."""
        return len(self.path)
