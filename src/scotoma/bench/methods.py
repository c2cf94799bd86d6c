"""Ways of asking that the benchmark of discovery compares, each under the same budget of candidate queries.

All but the first are one `DiscoverSettings`: the paper's method (arXiv 2604.04733) is ours with the surrogate off, and
every other leaves out one thing.

>>> METHODS["paper"].settings.surrogate
False
"""

from __future__ import annotations

from dataclasses import dataclass

from scotoma.discover.reward import RewardTerms
from scotoma.discover.settings import DiscoverSettings

OURS = DiscoverSettings()
_PAPER = OURS.model_copy(update={"surrogate": False, "reward": RewardTerms()})


@dataclass(frozen=True)
class Method:
    """`settings` None: uniform template questions, about images of their own, and nothing learns."""

    about: str
    settings: DiscoverSettings | None


METHODS: dict[str, Method] = {
    "scotoma": Method("over-generation, a surrogate's choice, RL under KL", OURS),
    "uniform": Method("uniform template questions", None),
    "paper": Method("RL with novelty, no surrogate (arXiv 2604.04733)", _PAPER),
    "frozen": Method(
        "the warm-started questioner, without RL", _PAPER.model_copy(update={"reinforce": False})
    ),
    "surrogate": Method(
        "over-generation and the surrogate's choice, without RL", OURS.model_copy(update={"reinforce": False})
    ),
    "no-novelty": Method(
        "the paper's RL without its novelty terms",
        _PAPER.model_copy(update={"reward": RewardTerms(emb=False, ifreq=False)}),
    ),
    "no-curriculum": Method(
        "the paper's RL without progressive complexity", _PAPER.model_copy(update={"curriculum": "off"})
    ),
    "no-history": Method(
        "the paper's RL that never sees an answer", _PAPER.model_copy(update={"turns": 1, "images": 24})
    ),
}
