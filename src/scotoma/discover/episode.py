"""What one step of discovery came to: its turns, what the explorer asked beside them, and the figures of both.

turn = Turn(proposals, observations, rewards, terms, picked, kl, training, lost, words)
Episode.of(Explored(), [turn], level=None).figures["failure_rate"]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from scotoma.core import Observation, Tags, Verdict
from scotoma.discover.curriculum import complexity
from scotoma.discover.novelty import Novelty
from scotoma.discover.outage import Passage
from scotoma.grpo.rollout import Rollout


@dataclass(frozen=True)
class Proposal:
    """A proposed question: who proposed it, V_Q and truth before anybody was asked, its tags, its novelty, and how
    typical it is of the reference set (0 where that is not paid).
    """

    rollout: Rollout
    verdict: Verdict
    tags: Tags
    novelty: Novelty
    typicality: float

    @property
    def eligible(self) -> bool:
        """Whether it may be put to the candidate: valid, and about what was wished."""
        wish = self.rollout.prompt.meta["wish"]
        return bool(self.verdict.valid) and (
            wish is None or "type" not in self.tags or self.tags["type"] == wish
        )


@dataclass(frozen=True)
class Turn:
    """One turn of the questioner, from what it proposed to what it learned.

    Attributes:
        proposals: all of them, asked or not.
        observations: of those that were asked, in the order of asking.
        rewards: R_Q of every proposal; None where nobody could judge it.
        terms: each term of the reward for the proposals that might have been asked, for the learning curves.
        picked: questions by the rule that picked them, where a surrogate did.
        kl: of the questioner's update, in nats; None where nothing was learned.
        training: the update's diagnostics, for the learning curves (`grpo.report.StepReport.diagnostics`).
        lost: proposals that never came, by error.
        words: what a server last said of each error.
    """

    proposals: Sequence[Proposal]
    observations: Sequence[Observation]
    rewards: Sequence[float | None]
    terms: Mapping[str, Sequence[float]]
    picked: Counter[str]
    kl: float | None
    training: Mapping[str, float]
    lost: Counter[str]
    words: Mapping[str, str]

    @property
    def validity(self) -> list[bool]:
        """V_Q of the proposals about which somebody could decide."""
        return [p.verdict.valid for p in self.proposals if p.verdict.valid is not None]

    @property
    def unjudged(self) -> Counter[str]:
        """Proposals that were lost, or that nobody could judge, by error."""
        verdicts = [p.verdict for p in self.proposals if p.verdict.valid is None]
        return self.lost + Counter(v.error or v.reason or "undecided" for v in verdicts)

    @property
    def invalid(self) -> Counter[str]:
        """Invalid proposals, by the reason that whoever ruled gave."""
        return Counter(p.verdict.reason or "unnamed" for p in self.proposals if p.verdict.valid is False)

    @property
    def beside(self) -> int:
        """Valid proposals that were not about what was wished."""
        return sum(bool(p.verdict.valid) and not p.eligible for p in self.proposals)


@dataclass(frozen=True)
class Explored:
    """What the explorer asked in a step. `ruled` counts the questions that somebody judged, `unjudged` the others, by
    error, with `words`, what a server last said of each.
    """

    observations: Sequence[Observation] = ()
    ruled: int = 0
    unjudged: Counter[str] = field(default_factory=Counter)
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def passage(self) -> Passage:
        """What got past the servers."""
        return Passage.of(self.observations, self.ruled, self.unjudged, self.words)


@dataclass(frozen=True)
class Episode:
    """What one step found, and its figures for the learning curve."""

    observations: tuple[Observation, ...]
    figures: dict[str, float]
    unjudged: Counter[str]
    """Proposals that were lost or that nobody could judge, by error: neither paid nor asked."""
    invalid: Counter[str]
    """Proposals that were judged invalid, by reason, as whoever ruled named it."""
    proposed: int
    """Proposals whose validity was decided."""
    beside: int = 0
    """Valid proposals that were not about what was wished."""
    passages: dict[str, Passage] = field(default_factory=dict)
    """By who asked, what got past the servers."""

    @classmethod
    def of(cls, explored: Explored | None, turns: Sequence[Turn], level: float | None) -> Episode:
        """A step with or without an explorer, and the questioner's turns (none: it looked at nothing). `level` is the
        curriculum's, where there is one.
        """
        asked = [observation for turn in turns for observation in turn.observations]
        found = [*(explored.observations if explored else ()), *asked]
        validity = [valid for turn in turns for valid in turn.validity]
        unjudged = sum((turn.unjudged for turn in turns), Counter[str]())
        passages: dict[str, Passage] = {}
        if explored is not None:
            passages["explorer"] = explored.passage
        if turns:
            words = {error: said for turn in turns for error, said in turn.words.items()}
            passages["questioner"] = Passage.of(asked, len(validity), unjudged, words)
        return cls(
            observations=tuple(found),
            figures=_figures(found, validity, turns, level),
            unjudged=(explored.unjudged if explored else Counter[str]()) + unjudged,
            invalid=sum((turn.invalid for turn in turns), Counter[str]()),
            proposed=len(validity),
            beside=sum(turn.beside for turn in turns),
            passages=passages,
        )


def _figures(
    found: Sequence[Observation], validity: Sequence[bool], turns: Sequence[Turn], level: float | None
) -> dict[str, float]:
    answered = [o for o in found if o.answered]
    picked = sum((turn.picked for turn in turns), Counter[str]())
    terms: dict[str, list[float]] = {}
    training: dict[str, list[float]] = {}
    for turn in turns:
        for term, values in turn.terms.items():
            terms.setdefault(term, []).extend(values)
        for name, value in turn.training.items():
            training.setdefault(name, []).append(value)
    return {
        "reward": _mean([value for turn in turns for value in turn.rewards if value is not None]),
        "valid_rate": _mean(validity),
        "failure_rate": _mean([o.outcome == "failure" for o in answered]),
        "kl": _mean([turn.kl for turn in turns if turn.kl is not None]),
        "complexity": _mean([complexity(o.tags) for o in answered]),
        **{term: fmean(values) for term, values in terms.items() if values},
        **{name: fmean(values) for name, values in training.items()},
        **({"random_share": picked["random"] / picked.total()} if picked else {}),
        **({"level": level} if level is not None else {}),
    }


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0
