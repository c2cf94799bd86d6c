"""A verified training sample: image, question, answer, where it came from and which checks it passed.

>>> Sample(id="s1", image_id="ab", question="how many stars ?", answer="2", purpose="mode", mode_id="m1").checks
()
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from scotoma.core.predicate import Tag


class Sample(BaseModel):
    """`purpose` is `mode` (in the failure mode `mode_id`), `contrast` (alike, but for the answer that the mode names),
    `retention` or `uniform`; `rehearsal` is what the candidate knows already, and no sample of any arm's.

    `provenance` says how the sample was made (which scene it was edited from, by which operation); `checks` lists the
    quality checks it passed, in order.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    image_id: str
    question: str
    answer: str
    purpose: str
    mode_id: str | None = None
    tags: dict[str, Tag] = Field(default_factory=dict)
    provenance: dict[str, str] = Field(default_factory=dict)
    checks: tuple[str, ...] = ()
