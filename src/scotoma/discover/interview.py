"""Putting questions to a candidate and having the answers judged: every observation in a run is made here.

interview = Interview(candidate, FactsVerifier())
observations = interview.ask([Asked("test/base/0", record, "is there a star ?")], phase="test/base")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scotoma.core import (
    ChatModel,
    Claim,
    ImageRecord,
    Observation,
    Request,
    SampledAnswer,
    Sampling,
    Tag,
    Tags,
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
    what is known of its validity already, and `tags` of what it is about, so that nobody judges or tags it twice.
    """

    key: str
    image: ImageRecord
    question: str
    asked_by: str = "template"
    turn: int = 0
    step: int = 0
    selection: float = 1.0
    verdict: Verdict | None = None
    tags: Tags | None = None


@dataclass(frozen=True)
class _Answer:
    """One answer to one question, judged; the verdict holds the error where there is none."""

    seed: int
    text: str
    verdict: Verdict

    @property
    def correct(self) -> float | None:
        """1 or 0; None where infrastructure failed."""
        return self.verdict.correct if self.verdict.error is None else None


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

    def ask(self, asked: Sequence[Asked], phase: str, samples: int = 1) -> list[Observation]:
        """One observation per question, in order. Invalid questions are recorded, not put to the candidate.

        One answer is greedy. Of several, drawn at temperature 1 with the seeds 0, 1 …, C_Q is the mean. An error in
        place of an answer is an infrastructure error, and one of the question where it struck every answer.
        """
        verdicts = self._validity(asked)
        valid = [i for i, verdict in enumerate(verdicts) if verdict.valid]
        answers = self._answers(
            [asked[i] for i in valid],
            [verdicts[i] for i in valid],
            samples,
            temperature=0.0 if samples == 1 else 1.0,
        )
        given = dict(zip(valid, answers, strict=True))
        concluded = [_conclude(verdict, given.get(i, [])) for i, verdict in enumerate(verdicts)]
        tags = self._tags(asked, [each.verdict for each in concluded])
        return [
            self._observation(item, phase, concluded[i], given.get(i, []), tags[i])
            for i, item in enumerate(asked)
        ]

    def pass_rates(self, asked: Sequence[Asked], k: int) -> list[float | None]:
        """The share of k answers, drawn at temperature 1, that are right, per question; None where infrastructure
        failed.
        """
        known = [item.verdict or Verdict() for item in asked]
        return [_mean(answers) for answers in self._answers(asked, known, k, temperature=1.0)]

    def _validity(self, asked: Sequence[Asked]) -> list[Verdict]:
        new = [i for i, item in enumerate(asked) if item.verdict is None]
        claims = [Claim(image=asked[i].image, question=asked[i].question) for i in new]
        judged = dict(zip(new, self.verifier.judge(claims), strict=True))
        return [item.verdict or judged[i] for i, item in enumerate(asked)]

    def _tags(self, asked: Sequence[Asked], verdicts: Sequence[Verdict]) -> list[dict[str, Tag]]:
        new = [i for i, item in enumerate(asked) if item.tags is None]
        claims = [Claim(image=asked[i].image, question=asked[i].question) for i in new]
        told = dict(zip(new, self.tagger.tags(claims, [verdicts[i] for i in new]), strict=True))
        return [told[i] if item.tags is None else dict(item.tags) for i, item in enumerate(asked)]

    def _answers(
        self, asked: Sequence[Asked], known: Sequence[Verdict], k: int, temperature: float
    ) -> list[list[_Answer]]:
        """k answers to each question, judged with what is known of it."""
        drawn = [
            (item, verdict, seed) for item, verdict in zip(asked, known, strict=True) for seed in range(k)
        ]
        replies = self.candidate.answer(
            [
                Request(
                    (item.image,),
                    put(item.question, self.answers),
                    sampling=Sampling(temperature, max_tokens=self.answers.max_tokens, seed=seed),
                )
                for item, _, seed in drawn
            ]
        )
        judged = iter(
            self.verifier.judge(
                [
                    Claim(image=item.image, question=item.question, answer=reply.text, truth=verdict.truth)
                    for (item, verdict, _), reply in zip(drawn, replies, strict=True)
                    if reply.error is None
                ]
            )
        )
        answers = [
            _Answer(
                seed,
                reply.text,
                next(judged)
                if reply.error is None
                else verdict.model_copy(update={"error": reply.error.kind, "reason": reply.error.message}),
            )
            for (_, verdict, seed), reply in zip(drawn, replies, strict=True)
        ]
        return [answers[i : i + k] for i in range(0, len(answers), k)]

    def _observation(
        self, item: Asked, phase: str, shown: _Answer, answers: Sequence[_Answer], tags: dict[str, Tag]
    ) -> Observation:
        return Observation(
            key=item.key,
            phase=phase,
            image_id=item.image.id,
            question=item.question,
            answer=shown.text,
            verdict=shown.verdict,
            samples=tuple(
                SampledAnswer(seed=a.seed, text=a.text, correct=a.correct, error=a.verdict.error)
                for a in answers
                if len(answers) > 1
            ),
            tags=tags,
            asked_by=item.asked_by,
            candidate=self.candidate.name,
            turn=item.turn,
            step=item.step,
            selection=item.selection,
        )


def _mean(answers: Sequence[_Answer]) -> float | None:
    """C_Q: over the answers that came and could be judged."""
    scores = [answer.correct for answer in answers if answer.correct is not None]
    return fmean(scores) if scores else None


def _right(correct: float | None) -> bool | None:
    return None if correct is None else correct >= 0.5


def _conclude(verdict: Verdict, answers: Sequence[_Answer]) -> _Answer:
    """What is shown of several answers, the first that is as the outcome says, with C_Q; of none, their want."""
    if not answers:
        return _Answer(0, "", verdict)
    correct = _mean(answers)
    shown = next(a for a in answers if correct is None or _right(a.correct) == _right(correct))
    return _Answer(shown.seed, shown.text, shown.verdict.model_copy(update={"correct": correct}))
