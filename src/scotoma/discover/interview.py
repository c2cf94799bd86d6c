"""Putting questions to a candidate and having the answers judged: every observation in a run is made here.

interview = Interview(candidate, FactsVerifier())
observations = interview.ask([Asked("test/base/0", record, "is there a star ?")], phase="test/base")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scotoma.core import (
    ChatModel,
    Claim,
    ImageRecord,
    Observation,
    Request,
    Sampling,
    Tag,
    Verdict,
    Verifier,
)
from scotoma.discover.settings import AnswerSettings
from scotoma.discover.tagging import Tagger

_PROMPTS = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "prompts" / "answer"), undefined=StrictUndefined
)


def put(question: str, answers: AnswerSettings) -> str:
    """The text that a question is put with.

    >>> put("is there a star ?", AnswerSettings())
    'is there a star ?'
    """
    return _PROMPTS.get_template(f"{answers.prompt}.jinja").render(question=question)


@dataclass(frozen=True)
class Asked:
    """One question for the candidate. `selection` is the probability with which it was picked, (0, 1]; `verdict` is
    what is known of its validity already, so that nobody judges it twice.
    """

    key: str
    image: ImageRecord
    question: str
    asked_by: str = "template"
    turn: int = 0
    step: int = 0
    selection: float = 1.0
    verdict: Verdict | None = None


class Interview:
    """A candidate, the verifier that judges it, and the tagger that says what it was asked about."""

    def __init__(
        self,
        candidate: ChatModel,
        verifier: Verifier,
        answers: AnswerSettings | None = None,
        tagger: Tagger | None = None,
    ) -> None:
        self.candidate = candidate
        self.verifier = verifier
        self.answers = answers or AnswerSettings()
        self.tagger = tagger or Tagger()

    def ask(self, asked: Sequence[Asked], phase: str) -> list[Observation]:
        """One observation per question, in order. Invalid questions are recorded, not put to the candidate.

        An error in place of an answer is an infrastructure error of that one question.
        """
        claims = [Claim(image=item.image, question=item.question) for item in asked]
        verdicts = self._validity(asked, claims)
        valid = [i for i, verdict in enumerate(verdicts) if verdict.valid]
        replies = self.candidate.answer(
            [self._request(asked[i], Sampling(max_tokens=self.answers.max_tokens)) for i in valid]
        )
        answers = {i: reply.text for i, reply in zip(valid, replies, strict=True) if reply.error is None}
        answered = [
            claims[i].model_copy(update={"answer": text, "truth": verdicts[i].truth})
            for i, text in answers.items()
        ]
        judged = dict(zip(answers, self.verifier.judge(answered), strict=True))
        for i, reply in zip(valid, replies, strict=True):
            if reply.error is not None:
                judged[i] = verdicts[i].model_copy(update={"error": reply.error.kind})
        final = [judged.get(i, verdict) for i, verdict in enumerate(verdicts)]
        return [
            self._observation(item, phase, answers.get(i, ""), final[i], tags)
            for (i, item), tags in zip(enumerate(asked), self.tagger.tags(claims, final), strict=True)
        ]

    def _validity(self, asked: Sequence[Asked], claims: Sequence[Claim]) -> list[Verdict]:
        new = [i for i, item in enumerate(asked) if item.verdict is None]
        judged = dict(zip(new, self.verifier.judge([claims[i] for i in new]), strict=True))
        return [item.verdict or judged[i] for i, item in enumerate(asked)]

    def pass_rates(self, asked: Sequence[Asked], k: int, temperature: float = 1.0) -> list[float | None]:
        """The share of k sampled answers that are right, per question; None where infrastructure failed."""
        drawn = [item for item in asked for _ in range(k)]
        replies = self.candidate.answer(
            [
                self._request(item, Sampling(temperature, max_tokens=self.answers.max_tokens, seed=n % k))
                for n, item in enumerate(drawn)
            ]
        )
        known = [item.verdict.truth if item.verdict is not None else None for item in drawn]
        claims = [
            Claim(image=item.image, question=item.question, answer=reply.text, truth=truth)
            for item, reply, truth in zip(drawn, replies, known, strict=True)
        ]
        verdicts = self.verifier.judge(
            claims, [reply.error.kind if reply.error else None for reply in replies]
        )
        rates: list[float | None] = []
        for i in range(len(asked)):
            scores = [
                v.correct for v in verdicts[i * k : i * k + k] if v.error is None and v.correct is not None
            ]
            rates.append(sum(scores) / len(scores) if scores else None)
        return rates

    def _request(self, item: Asked, sampling: Sampling) -> Request:
        return Request((item.image,), put(item.question, self.answers), sampling=sampling)

    def _observation(
        self, item: Asked, phase: str, answer: str, verdict: Verdict, tags: dict[str, Tag]
    ) -> Observation:
        return Observation(
            key=item.key,
            phase=phase,
            image_id=item.image.id,
            question=item.question,
            answer=answer,
            verdict=verdict,
            tags=tags,
            asked_by=item.asked_by,
            candidate=self.candidate.name,
            turn=item.turn,
            step=item.step,
            selection=item.selection,
        )
