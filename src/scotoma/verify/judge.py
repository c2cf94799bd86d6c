"""A model as the verifier, where there are no facts: it rules on questions blind to the answers, then on the answers.

V_Q is one call per image and question, in which the judge also answers it itself. C_Q goes by rules first and costs a
second call only where they are undecided. A judge that fails or cannot be read is an infrastructure error
(`judge:timeout`, `judge:unparsable`), never a wrong answer.

    judge = JudgeVerifier(load_model("openai:qwen2.5-vl-72b@http://localhost:8000/v1"))
    [verdict] = judge.judge([Claim(image=record, question="how many cups are on the table?", answer="two")])
    verdict.valid, verdict.truth, verdict.correct, verdict.decided_by
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scotoma.core import ChatModel, Claim, ImageRecord, ReplyError, Request, Sampling, Verdict
from scotoma.verify.rules import match
from scotoma.verify.rulings import CorrectnessRuling, Ruling, ValidityRuling, read_ruling, schema_of

VERSIONS: Mapping[str, str] = {"validity": "validity-1", "correctness": "correctness-1"}
"""The prompts in use, by what they rule on. A changed prompt is a new file with the next number."""

GREEDY = Sampling(max_tokens=1024)
"""How a judge is asked unless told otherwise; the tokens leave room for thinking."""

_LONGEST = 4000
_PROMPTS = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "prompts"), undefined=StrictUndefined, autoescape=False
)


@dataclass(frozen=True)
class _Case:
    """One thing to rule on; equal cases get one call."""

    image_id: str
    question: str
    truth: str | None = None
    answer: str | None = None


@dataclass(frozen=True)
class _Lost:
    """The error that stands in a ruling's place, and what the server, or the judge who could not be read, said."""

    kind: str
    words: str


class JudgeVerifier:
    """Judges by asking a model (`core.Verifier`). What it ruled once it does not rule on again.

    Args:
        model: the judge; never the candidate itself.
        sampling: how it is asked; `temperature` 0 by default.
    """

    def __init__(self, model: ChatModel, *, sampling: Sampling = GREEDY) -> None:
        self.model = model
        self.sampling = sampling
        self._validity: dict[_Case, ValidityRuling] = {}
        self._correctness: dict[_Case, CorrectnessRuling] = {}

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name

    @property
    def versions(self) -> Mapping[str, str]:
        """The prompt versions, which belong to whatever is reported of this judge."""
        return VERSIONS

    def judge(self, items: Sequence[Claim], errors: Sequence[str | None] | None = None) -> list[Verdict]:
        """One verdict per claim, in order; see `core.Verifier`. A claim that carries its truth is valid already."""
        struck = errors if errors is not None else [None] * len(items)
        claims = list(zip(items, struck, strict=True))
        verdicts = self._examine(claims)
        undecided: list[int] = []
        for i, (claim, error) in enumerate(claims):
            truth = verdicts[i].truth
            if not verdicts[i].valid or truth is None or claim.answer is None or error is not None:
                continue
            found = match(claim.answer, truth, closed=False)
            if found == "undecided":
                undecided.append(i)
            else:
                verdicts[i] = _ruled(verdicts[i], found == "correct", "rules")
        cases = [
            _Case(items[i].image.id, items[i].question, verdicts[i].truth, items[i].answer) for i in undecided
        ]
        images = [items[i].image for i in undecided]
        rulings = self._consult("correctness", CorrectnessRuling, cases, images, self._correctness)
        for i, ruling in zip(undecided, rulings, strict=True):
            verdicts[i] = (
                verdicts[i].model_copy(update={"error": ruling.kind, "reason": ruling.words})
                if isinstance(ruling, _Lost)
                else _ruled(verdicts[i], ruling.correct, "judge")
            )
        return verdicts

    def _examine(self, claims: Sequence[tuple[Claim, str | None]]) -> list[Verdict]:
        """Validity and truth. Nothing is spent on a claim whose answer was lost anyway."""
        verdicts = [
            Verdict(valid=None if claim.truth is None else True, truth=claim.truth, error=error)
            for claim, error in claims
        ]
        asked = [i for i, (claim, error) in enumerate(claims) if claim.truth is None and error is None]
        cases = [_Case(claims[i][0].image.id, claims[i][0].question) for i in asked]
        images = [claims[i][0].image for i in asked]
        rulings = self._consult("validity", ValidityRuling, cases, images, self._validity)
        for i, ruling in zip(asked, rulings, strict=True):
            if isinstance(ruling, _Lost):
                verdicts[i] = Verdict(error=ruling.kind, reason=ruling.words)
            else:
                verdicts[i] = Verdict(
                    valid=ruling.valid,
                    reason=ruling.named_reason,
                    truth=ruling.answer if ruling.valid else None,
                    decided_by="judge",
                )
        return verdicts

    def _consult(
        self,
        about: str,
        kind: type[Ruling],
        cases: Sequence[_Case],
        images: Sequence[ImageRecord],
        known: dict[_Case, Ruling],
    ) -> list[Ruling | _Lost]:
        """One ruling per case, or the error that stands in its place; what is known already costs nothing."""
        new = {case: image for case, image in zip(cases, images, strict=True) if case not in known}
        template = _PROMPTS.get_template(f"{self.versions[about]}.jinja")
        requests = [
            Request(
                (image,),
                template.render(
                    question=_quoted(case.question), truth=_quoted(case.truth), answer=_quoted(case.answer)
                ),
                sampling=self.sampling,
                reply_schema=schema_of(kind),
            )
            for case, image in new.items()
        ]
        failed: dict[_Case, _Lost] = {}
        for case, reply in zip(new, self.model.answer(requests) if requests else [], strict=True):
            ruling = None if reply.error is not None else read_ruling(reply.text, kind)
            if ruling is not None:
                known[case] = ruling
            else:
                error = reply.error or ReplyError("unparsable", reply.text.strip() or "an empty reply")
                failed[case] = _Lost(f"judge:{error.kind}", error.message)
        return [known[case] if case in known else failed[case] for case in cases]


def _ruled(verdict: Verdict, correct: bool, by: str) -> Verdict:
    return verdict.model_copy(update={"correct": 1.0 if correct else 0.0, "decided_by": by})


def _quoted(text: str | None) -> str:
    """As a JSON string, so that no question or answer can leave its place in the prompt; of a long one the end."""
    legible = (text or "")[-_LONGEST:].encode("utf-8", "replace").decode("utf-8")
    return json.dumps(legible, ensure_ascii=False)
