"""Several judges, or several samples of one, as one verifier: what a clear majority says counts.

A tie, a majority below the wanted share, or judges that call a question valid but answer it differently decide nothing:
`valid=None, reason="no_consensus"`, which no rate counts.

    judge = ConsensusVerifier([JudgeVerifier(first), JudgeVerifier(second), JudgeVerifier(third)], agreement=0.6)
    judge.judge(claims)
    judge.agreement.unanimous, judge.agreement.ruled
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from scotoma.core import Claim, Verdict, Verifier
from scotoma.verify.bare import Match
from scotoma.verify.rules import match

NO_CONSENSUS = "no_consensus"


@dataclass
class Agreement:
    """How often the judges agreed: rulings taken, and of these unanimous."""

    ruled: int = 0
    unanimous: int = 0


class ConsensusVerifier:
    """A majority of verifiers (`core.Verifier`).

    Args:
        members: the judges.
        agreement: the share of those that ruled which must agree, (0, 1]; always more than half.
    """

    def __init__(self, members: Sequence[Verifier], *, agreement: float = 0.6) -> None:
        if not members or not 0 < agreement <= 1:
            raise ValueError("a consensus needs members, and an agreement in (0, 1]")
        self.members = tuple(members)
        self.share = agreement
        self.agreement = Agreement()

    def judge(self, items: Sequence[Claim], errors: Sequence[str | None] | None = None) -> list[Verdict]:
        """One verdict per claim, in order; see `core.Verifier`."""
        struck = list(errors) if errors is not None else [None] * len(items)
        verdicts = [
            Verdict(valid=None if claim.truth is None else True, truth=claim.truth, error=error)
            for claim, error in zip(items, struck, strict=True)
        ]
        sound = [i for i, error in enumerate(struck) if error is None]
        unknown = [i for i in sound if items[i].truth is None]
        for i, verdict in zip(unknown, self._examine([items[i] for i in unknown]), strict=True):
            verdicts[i] = verdict
        answered = [i for i in sound if verdicts[i].valid and items[i].answer is not None]
        answers = [items[i].model_copy(update={"truth": verdicts[i].truth}) for i in answered]
        for i, ballot in zip(answered, self._ballots(answers), strict=True):
            verdicts[i] = self._correctness(verdicts[i], ballot)
        return verdicts

    def _ballots(self, claims: Sequence[Claim]) -> list[tuple[Verdict, ...]]:
        """What the members say, claim by claim."""
        return list(zip(*(member.judge(claims) for member in self.members), strict=True)) if claims else []

    def _examine(self, claims: Sequence[Claim]) -> list[Verdict]:
        """Validity and truth. Where rules cannot tell whether two truths are the same, the judges compare them."""
        questions = [claim.model_copy(update={"answer": None}) for claim in claims]
        ballots = self._ballots(questions)
        leading = [_leading_truth(ballot) for ballot in ballots]
        compared = [
            question.model_copy(update={"truth": truth, "answer": other})
            for question, ballot, truth in zip(questions, ballots, leading, strict=True)
            for other in dict.fromkeys(vote.truth for vote in ballot if vote.valid)
            if truth is not None and other is not None and _compared(other, truth) == "undecided"
        ]
        alike = {
            (claim.image.id, claim.question, claim.answer)
            for claim, votes in zip(compared, self._ballots(compared), strict=True)
            if 2 * sum(vote.correct == 1.0 for vote in votes) > len(votes)
        }
        verdicts = []
        for question, ballot, truth in zip(questions, ballots, leading, strict=True):
            camp = [
                vote
                for vote in ballot
                if vote.valid
                and truth is not None
                and vote.truth is not None
                and (
                    _compared(vote.truth, truth) == "correct"
                    or (question.image.id, question.question, vote.truth) in alike
                )
            ]
            verdicts.append(self._validity(ballot, truth, len(camp)))
        return verdicts

    def _validity(self, ballot: Sequence[Verdict], truth: str | None, camp: int) -> Verdict:
        """What the votes come to, when `camp` of them call the question valid and give the leading truth."""
        ruled = [vote for vote in ballot if vote.error is None and vote.valid is not None]
        if lost := _no_quorum(ballot, ruled):
            return lost
        invalid = [vote for vote in ruled if not vote.valid]
        if self._enough(len(invalid), len(ruled)):
            self._count(len(invalid) == len(ruled))
            [(reason, _)] = Counter(vote.reason for vote in invalid).most_common(1)
            return Verdict(valid=False, reason=reason, decided_by="consensus")
        if not self._enough(camp, len(ruled)):
            self._count(False)
            return Verdict(reason=NO_CONSENSUS, decided_by="consensus")
        self._count(camp == len(ruled))
        return Verdict(valid=True, truth=truth, decided_by="consensus")

    def _correctness(self, verdict: Verdict, ballot: Sequence[Verdict]) -> Verdict:
        ruled = [vote for vote in ballot if vote.error is None and vote.correct is not None]
        if lost := _no_quorum(ballot, ruled):
            return lost.model_copy(update={"valid": True, "truth": verdict.truth})
        if all(vote.decided_by == "rules" for vote in ruled):
            return verdict.model_copy(update={"correct": ruled[0].correct, "decided_by": "rules"})
        right = sum(vote.correct == 1.0 for vote in ruled)
        winner = max(right, len(ruled) - right)
        if not self._enough(winner, len(ruled)):
            self._count(False)
            return verdict.model_copy(
                update={"valid": None, "reason": NO_CONSENSUS, "decided_by": "consensus"}
            )
        self._count(winner == len(ruled))
        return verdict.model_copy(update={"correct": float(winner == right), "decided_by": "consensus"})

    def _enough(self, votes: int, ruled: int) -> bool:
        return votes >= self.share * ruled and 2 * votes > ruled

    def _count(self, unanimous: bool) -> None:
        self.agreement.ruled += 1
        self.agreement.unanimous += unanimous


def rulings(verifier: Verifier) -> Counter[str]:
    """How often a consensus, alone or in a chain, has ruled so far: `ruled`, and of these `unanimous`; empty where
    no consensus decides.
    """
    counts: Counter[str] = Counter()
    for link in getattr(verifier, "links", (verifier,)):
        if isinstance(link, ConsensusVerifier):
            counts.update(asdict(link.agreement))
    return counts


def _no_quorum(ballot: Sequence[Verdict], ruled: Sequence[Verdict]) -> Verdict | None:
    """Where half of the judges or more did not rule at all, the first error stands for all."""
    if 2 * len(ruled) > len(ballot):
        return None
    lost = next((vote for vote in ballot if vote.error is not None), Verdict(error="judge:undecided"))
    return Verdict(error=lost.error, reason=lost.reason)


def _leading_truth(ballot: Sequence[Verdict]) -> str | None:
    """The truth that most votes agree with, as far as rules can tell; the first of equals."""
    truths = [vote.truth for vote in ballot if vote.valid and vote.truth is not None]
    return max(
        truths, key=lambda truth: sum(_compared(other, truth) == "correct" for other in truths), default=None
    )


def _compared(one: str, other: str) -> Match:
    """Whether two truths say the same; which of them is the answer makes no difference."""
    found = {match(one, other, closed=False), match(other, one, closed=False)}
    return "correct" if "correct" in found else "undecided" if "undecided" in found else "incorrect"
