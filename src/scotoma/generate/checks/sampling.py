"""What a model says to a draft when it is asked several times, with the picture or without.

    said = sampled(model, draft, samples=9, temperature=1.0)               # ["3", "3", "2", …]
    said = sampled(model, draft, samples=5, temperature=0.7, blind=True)

Calls that fail are left out; where half of them did, too little is known, and that is no rejection.
"""

from __future__ import annotations

from collections.abc import Callable

from scotoma.core import ChatModel, Request, Sampling
from scotoma.generate.checks.check import Draft
from scotoma.generate.handover import Outage


def sampled(
    model: ChatModel,
    draft: Draft,
    samples: int,
    temperature: float,
    blind: bool = False,
    put: Callable[[str], str] = str,
    max_tokens: int = Sampling().max_tokens,
) -> list[str]:
    """Up to `samples` answers, more than half of them; `blind`: the picture is not shown. `put` words the question.

    Raises:
        Outage: half of the calls or more were not answered.
    """
    text = put(draft.question + (f" ({' / '.join(draft.options)})" if draft.options else ""))
    images = () if blind else (draft.image,)
    replies = model.answer(
        [
            Request(
                images=images, text=text, sampling=Sampling(temperature, max_tokens=max_tokens, seed=seed)
            )
            for seed in range(samples)
        ]
    )
    said = [reply.text for reply in replies if reply.error is None]
    if 2 * len(said) <= len(replies):
        raise Outage.of([reply for reply in replies if reply.error is not None])
    return said
