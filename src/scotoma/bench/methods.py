"""Ways of asking that the benchmark of discovery compares, each under the same budget of candidate queries.

All but `uniform` are one `DiscoverSettings`. Three are whole: ours, our harvest, and the paper's method (arXiv
2604.04733): no surrogate, so every valid proposal is asked and paid, and novelty by sentence embeddings. Every other
leaves one thing out of one of them, `against`.

>>> METHODS["paper"].settings.surrogate
False
"""

from __future__ import annotations

from dataclasses import dataclass

from scotoma.diagnose.subgroups import ModeSearch
from scotoma.discover.reward import RewardTerms
from scotoma.discover.settings import DiscoverSettings

OURS = DiscoverSettings(
    explore=1.0, lead_share=0.5, queries=100, search=ModeSearch(max_modes=40, most_trust=3)
)
"""Set for finding many modes, not for many failures: the defaults harvest."""

_HARVEST = DiscoverSettings()
_PAPER = _HARVEST.model_copy(
    update={
        "surrogate": False,
        "reward": RewardTerms(surrogate=False),
        "embedder": "minilm",
        # Two turns of 3 × 2 groups of 8 are the 96 queries: nothing is proposed that is not asked, or half of the
        # rewards were missing.
        "images": 3,
        "wishes_per_image": 2,
    }
)


@dataclass(frozen=True)
class Method:
    """`settings` None: uniform template questions, about images of their own, and nothing learns. `against`: the method
    whose figures say what this one changes."""

    about: str
    settings: DiscoverSettings | None
    against: str = "paper"


METHODS: dict[str, Method] = {
    "scotoma": Method("the explorer alone: half blindly, half after odd failures; nothing is trained", OURS),
    "half": Method(
        "the explorer and the trained questioner, half each",
        OURS.model_copy(update={"explore": 0.5}),
        "scotoma",
    ),
    "no-leads": Method("the explorer without leads", OURS.model_copy(update={"lead_share": 0.0}), "scotoma"),
    "harvest": Method("our defaults: over-generation, a surrogate's choice, RL under KL", _HARVEST),
    "harvest-frozen": Method(
        "our harvest without RL", _HARVEST.model_copy(update={"reinforce": False}), "harvest"
    ),
    "harvest-by-chance": Method(
        "our harvest whose surrogate pays, but picks nothing: as without over-generation",
        _HARVEST.model_copy(update={"random_share": 1.0}),
        "harvest",
    ),
    "harvest-no-chance": Method(
        "our harvest without a random share", _HARVEST.model_copy(update={"random_share": 0.0}), "harvest"
    ),
    "harvest-unpaid": Method(
        "our harvest whose surrogate picks, but pays nothing",
        _HARVEST.model_copy(update={"reward": RewardTerms(surrogate=False)}),
        "harvest",
    ),
    "harvest-no-kl": Method("our harvest without KL", _HARVEST.model_copy(update={"beta": 0.0}), "harvest"),
    "uniform": Method("uniform template questions", None),
    "paper": Method("RL with novelty, no surrogate (arXiv 2604.04733)", _PAPER),
    "frozen": Method(
        "the warm-started questioner, without RL", _PAPER.model_copy(update={"reinforce": False})
    ),
    "no-novelty": Method(
        "the paper's RL without its novelty terms",
        _PAPER.model_copy(update={"reward": RewardTerms(surrogate=False, emb=False, ifreq=False)}),
    ),
    "no-emb": Method(
        "the paper's RL without semantic novelty",
        _PAPER.model_copy(update={"reward": RewardTerms(surrogate=False, emb=False)}),
    ),
    "no-ifreq": Method(
        "the paper's RL without inverse frequency",
        _PAPER.model_copy(update={"reward": RewardTerms(surrogate=False, ifreq=False)}),
    ),
    "no-curriculum": Method(
        "the paper's RL without progressive complexity", _PAPER.model_copy(update={"curriculum": "off"})
    ),
    "no-history": Method(
        "the paper's RL that never sees an answer", _PAPER.model_copy(update={"history": 0})
    ),
}
