"""The reading order of verifiers: facts → rules → judge → consensus; each claim is decided by the first that can.

    verifier = VerifierChain(FactsVerifier(), JudgeVerifier(model))
    verifier.judge(claims)      # an image with facts never costs a judge's call about its question

What a link finds out goes on to the next: where facts know the truth but rules cannot read the answer, a judge only
compares the two. `Verdict.decided_by` names who decided last.
"""

from __future__ import annotations

from collections.abc import Sequence

from scotoma.core import Claim, Verdict, Verifier


class VerifierChain:
    """Several verifiers as one (`core.Verifier`), asked in order, each only about what is still open."""

    def __init__(self, *links: Verifier) -> None:
        if not links:
            raise ValueError("a chain needs at least one verifier")
        self.links = links

    def judge(self, items: Sequence[Claim], errors: Sequence[str | None] | None = None) -> list[Verdict]:
        """One verdict per claim, in order; see `core.Verifier`."""
        struck = list(errors) if errors is not None else [None] * len(items)
        verdicts = [
            _blank(verdict) if _open(verdict, item) and not _has_words(item.question) else verdict
            for verdict, item in zip(self.links[0].judge(items, struck), items, strict=True)
        ]
        for link in self.links[1:]:
            left = [i for i, verdict in enumerate(verdicts) if _open(verdict, items[i])]
            if not left:
                break
            claims = [_informed(items[i], verdicts[i]) for i in left]
            for i, verdict in zip(left, link.judge(claims, [struck[i] for i in left]), strict=True):
                verdicts[i] = verdict
        return verdicts


def _has_words(question: str) -> bool:
    return any(character.isalnum() for character in question)


def _blank(verdict: Verdict) -> Verdict:
    """Nothing was asked: no judge is needed to say so, and none may call it valid."""
    return verdict.model_copy(update={"valid": False, "reason": "malformed", "decided_by": "rules"})


def _open(verdict: Verdict, claim: Claim) -> bool:
    """Whether something is still to be decided: validity, or an answer that is there to be judged."""
    if verdict.error is not None:
        return False
    return verdict.valid is None or (
        bool(verdict.valid) and claim.answer is not None and verdict.correct is None
    )


def _informed(claim: Claim, verdict: Verdict) -> Claim:
    """The claim with the truth that is known by now, so that a valid question is not examined again."""
    return claim if verdict.truth is None else claim.model_copy(update={"truth": verdict.truth})
