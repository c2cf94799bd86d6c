"""Blind: a question that is answered rightly without looking teaches not to look.

A fair yes/no question is answered rightly half of the time by anybody; that is no fault. Only an answer that follows
from the words, with a probability of at least `confidence`, is.

    check = Blind(Elsewhere(facts_of_other_pictures), Habits.learn(zip(questions, answers)))
    check.reason(draft)                  # "blind" for "are there fewer things than stars ?", "no"
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from scotoma.core import ChatModel, Facts
from scotoma.generate.checks.check import Check, Draft
from scotoma.generate.checks.sampling import sampled
from scotoma.verify.rules import match

LONGEST = 4
"""Words in a row that are looked at together."""

BLIND_SAMPLES = 5
"""Answers that a model is asked for without the picture."""

BLIND_TEMPERATURE = 0.7
"""At which they are drawn."""

_Z = 1.96


@dataclass(frozen=True)
class Guess:
    """An answer without the picture, and the probability in [0, 1] that it is right, as far as the guesser knows."""

    answer: str
    confidence: float


class BlindAnswerer(Protocol):
    """Answers questions without seeing a picture."""

    def guess(self, draft: Draft) -> Guess | None:
        """The likeliest answer; None where there is none to give. Must not look at the draft's picture, facts or
        answer.
        """
        ...


class Blind(Check):
    """Rejects what any of the blind answerers gets right with at least this confidence, in [0, 1]."""

    name = "blind"

    def __init__(self, *answerers: BlindAnswerer, confidence: float = 0.9) -> None:
        self._answerers = answerers
        self._confidence = confidence

    def reason(self, draft: Draft) -> str | None:
        """`blind`."""
        return self.name if any(self._known_to(answerer, draft) for answerer in self._answerers) else None

    def _known_to(self, answerer: BlindAnswerer, draft: Draft) -> bool:
        guess = answerer.guess(draft)
        if guess is None or guess.confidence < self._confidence or draft.answer is None:
            return False
        return match(guess.answer, draft.answer) == "correct"


class Elsewhere:
    """Asks other pictures: a question whose answer is the same wherever it can be asked needs none of them.

    Only where pictures have facts. "Are there fewer things than stars ?" is "no" on all; "is there a small purple star
    ?" is "no" on most, and one that says "yes" clears it. The confidence is the lower end of Wilson's 95 % interval of
    the answer's share, all pictures having it: 35 of them make .9. A question that can be asked of fewer is passed.

    Args:
        others: facts of random pictures, in any order; some 1,000, so that rare things occur among them.
    """

    def __init__(self, others: Sequence[Facts]) -> None:
        self._others = others

    def guess(self, draft: Draft) -> Guess | None:
        """See `BlindAnswerer`; looks no further once a second answer was seen."""
        first, n = None, 0
        for facts in self._others:
            answer = facts.examine(draft.question).answer
            if answer is None:
                continue
            if first not in (None, answer):
                return None
            first, n = answer, n + 1
        return None if first is None else Guess(first, _lower(n, n))


class Habits:
    """How often each answer goes with each run of one to `LONGEST` words: all that a text-only learner of one feature
    knows.

    In a sound data set no single feature of the text says much of the answer (Gardner et al. 2021, "Competency
    problems", arXiv 2104.08646). The confidence of a guess is the lower end of Wilson's 95 % interval of the answer's
    share among the questions with that run of words, at its greatest over the runs: 36 questions that all have one
    answer make .9.
    """

    def __init__(self, best: Mapping[str, Guess]) -> None:
        self._best = best

    @classmethod
    def learn(cls, pairs: Iterable[tuple[str, str]]) -> Habits:
        """From (question, answer): uniform samples, and the set that is to be checked."""
        totals: Counter[str] = Counter()
        counts: Counter[tuple[str, str]] = Counter()
        for question, answer in pairs:
            runs = _runs(question)
            totals.update(runs)
            counts.update((run, answer) for run in runs)
        best: dict[str, Guess] = {}
        for (run, answer), count in counts.items():
            confidence = _lower(count, totals[run])
            if run not in best or confidence > best[run].confidence:
                best[run] = Guess(answer, confidence)
        return cls(best)

    def guess(self, draft: Draft) -> Guess | None:
        """See `BlindAnswerer`."""
        known = [self._best[run] for run in _runs(draft.question) if run in self._best]
        return max(known, key=lambda guess: guess.confidence, default=None)


class BlindModel:
    """A model that is asked without the picture, several times; its confidence is the share of its commonest answer.

    Calls that fail say nothing of the question. Where there are two answers only there is no guess: a model that always
    says no is sure and right half of the time, and would leave the questions with a yes alone.
    """

    def __init__(self, model: ChatModel, samples: int = BLIND_SAMPLES) -> None:
        self._model = model
        self._samples = samples

    def guess(self, draft: Draft) -> Guess | None:
        """See `BlindAnswerer`.

        Raises:
            Outage: half of the calls or more were not answered.
        """
        if len(draft.options) == 2:
            return None
        said = sampled(self._model, draft, self._samples, BLIND_TEMPERATURE, blind=True)
        agreeing = {text: sum(match(other, text) == "correct" for other in said) for text in said}
        answer = max(agreeing, key=lambda text: agreeing[text])
        if "correct" in (match(answer, "yes"), match(answer, "no")):
            return None
        return Guess(answer, agreeing[answer] / len(said))


def _runs(question: str) -> tuple[str, ...]:
    words = ["^", *re.findall(r"[^\W_]+", question.lower()), "$"]
    runs = (words[i : i + n] for n in range(1, LONGEST + 1) for i in range(len(words) - n + 1))
    return tuple(dict.fromkeys(" ".join(run) for run in runs))


def _lower(successes: int, n: int) -> float:
    """The lower end of Wilson's interval, without SciPy: there are tens of thousands of them."""
    share = successes / n
    spread = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    return (share + _Z**2 / (2 * n) - spread) / (1 + _Z**2 / n)
