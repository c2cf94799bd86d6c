"""Error kinds: whether a wrong answer is one of seeing, counting, relating, reading, reasoning or of not listening.

A composed question is wrong for one of two reasons: a part of it is wrong, or its parts are right and joining them is
not. So the parts are asked too (how many circles? how many stars? are there more circles than stars?) and the answers
decide. A question without parts errs in what it asks for. (Ours; DPE, arXiv 2602.22859, has a model guess the kind.)

>>> from scotoma.core import Verdict
>>> failure = Observation(
...     key="1", phase="discover", image_id="ab12", question="are there more stars than circles ?", answer="no",
...     verdict=Verdict(valid=True, truth="yes", correct=0.0), tags={"skill": ("comparison",)},
... )
>>> parts = [Part(f"count the {noun} .", skills=("counting",), correct=True) for noun in ("stars", "circles")]
>>> attribute(failure, parts).kind
'reasoning'
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scotoma.core import Attribution, ErrorKind, Observation, skills_of

_KINDS: dict[str, ErrorKind] = {
    **dict.fromkeys(("comparison", "negation", "calculation", "reason"), "reasoning"),
    **dict.fromkeys(("horizontal", "vertical", "position"), "relation"),
    "counting": "counting",
    "reading": "reading",
}
"""Skills by the kind of error that they fail in, of the worlds and of the wording; every other one is perception."""

_FIRST: tuple[ErrorKind, ...] = ("reasoning", "relation", "counting", "reading", "perception")
"""Of several skills that a question adds to its parts, the one that comes last in answering it."""

_EXAMPLES = 3

_WRAPPED = re.compile(r"\\boxed\{([^{}]*)\}")
_CLOTHES = re.compile(r"[*_`\"“”#]")
_LEAD = re.compile(
    r"(?:(?:so|therefore|thus|hence)\b[ ,]*)?(?:(?:my|the) )?(?:(?:final|correct) )?answer\s*(?:is\b|:|=)[\s:=]*"
)
_SENTENCE_END = re.compile(r"[.!?\n]")
_DECISION = re.compile(r"(?:yes|no|true|false)\b")
_EVADED = "idea|clue|way|image|picture|information"
"""What answers nothing where it is missing: "there is no way to tell"."""
_TOO_LITTLE = (
    r"(?:(?:have|see|contain|show) )?(?:enough|sufficient|any (?:idea|clue|way|information))"
    r"|clear|possible|certain|sure|know|tell|say|provide|see how"
)
"""What follows a "not" that evades the question."""
_DECIDED = re.compile(
    rf"\b(?:yes(?! or\b)|(?<!or )no(?! (?:{_EVADED})\b)|true|false|none of|there (?:is|are)(?! not?\b))\b"
    rf"|\b(?:is|are|do|does)(?:n't| not)\b(?! (?:{_TOO_LITTLE})\b)"
)
"""Anywhere in the first sentence of the reply to a yes/no question: "there is no star" decides it, rightly or not, as
"there isn't a star" and "I don't see one" do."""
_NO_SUCH = re.compile(
    rf"\bno (?!(?:{_EVADED}|it|there|they|this|that)\b)\w|\b(?:nothing|nobody)\b|(?:\bnot|n't)(?: see)? any\b"
)
"""In the reply to "how many" it is a count of none, where a bare "no" answers another question."""
_COUNTS = (
    "none|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozen|hundred"
    "|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty(?:-[a-z]+)?"
)
_ONLY_NUMBER = re.compile(rf"(?:a )?(?:{_COUNTS})|[-+]?\d[\d.,/]*")
_NUMBER = re.compile(rf"\d|\b(?:{_COUNTS})\b")
"""Anywhere in the reply to "how many": "there are three stars" answers it, rightly or not."""


@dataclass(frozen=True)
class Part:
    """A simpler question that a question is made of, about the same picture; `correct` None: nobody could tell."""

    question: str
    skills: tuple[str, ...]
    correct: bool | None


def attribute(failure: Observation, parts: Sequence[Part] | None = ()) -> Attribution:
    """The kind of error that a failure is; `parts` is None where nobody could take the question apart.

    In this order: an answer that is not of the asked kind (a colour to "how many") is one of instruction; a part that
    is answered wrongly gives its own kind; with all parts right it is the kind of what the question adds to them.
    """
    truth = failure.verdict.truth or ""
    skills = skills_of(failure.tags)
    # Of several wrong parts the simplest: the others may be wrong because of it.
    known = parts or ()
    wrong = min((part for part in known if part.correct is False), key=lambda p: len(p.skills), default=None)
    right = [part for part in known if part.correct]
    kind: ErrorKind
    asked = _form(truth, skills)
    if asked != (given := _form(failure.answer, skills, asked)):
        kind, evidence = "instruction", f"{asked} was asked for, {given} came"
    elif wrong is not None:
        kind, evidence = kind_of(wrong.skills), f"a part is wrong too: {wrong.question}"
    elif right and len(right) == len(known):
        shown = {skill for part in right for skill in part.skills}
        added = tuple(skill for skill in skills if skill not in shown) or skills
        kind = kind_of(added)
        evidence = f"every part is right: {'; '.join(part.question for part in right)}"
    elif parts is None:
        kind, evidence = kind_of(skills), "by its skills alone: nothing simpler was asked"
    else:
        kind, evidence = kind_of(skills), "one step, or nothing simpler could be asked"
    return Attribution(
        image_id=failure.image_id,
        question=failure.question,
        answer=failure.answer,
        truth=truth,
        kind=kind,
        evidence=evidence,
    )


def kind_of(skills: Sequence[str]) -> ErrorKind:
    """The kind in which a question that needs these skills fails."""
    needed = {_KINDS.get(skill, "perception") for skill in skills}
    return next((kind for kind in _FIRST if kind in needed), "perception")


def tally(attributions: Iterable[Attribution]) -> dict[ErrorKind, int]:
    """How many failures are of each kind, most first."""
    return dict(Counter(found.kind for found in attributions).most_common())


def examples(attributions: Sequence[Attribution]) -> tuple[Attribution, ...]:
    """One failure of each kind, of the commonest ones."""
    first: dict[ErrorKind, Attribution] = {}
    for found in attributions:
        first.setdefault(found.kind, found)
    return tuple(first[kind] for kind in tally(attributions))[:_EXAMPLES]


def _form(text: str, skills: Sequence[str], asked: str = "") -> str:
    """What kind of answer this is. What is read may be a number as well as a word; and where a word was `asked` for,
    "the red one" is no number, but "3" is.
    """
    said = _bare(text)
    if not said:
        return "nothing"
    if asked == "yes or no":
        decided = _DECIDED.search(_SENTENCE_END.split(said, maxsplit=1)[0])
    elif "reading" in skills:  # "no parking" is read, and decides nothing
        decided = _DECISION.fullmatch(said.rstrip(" .!"))
    else:
        decided = None if asked and _NO_SUCH.match(said) else _DECISION.match(said)
    if decided:
        return "yes or no"
    number = _ONLY_NUMBER.fullmatch(said.rstrip(" .!")) if asked == "a word" else _NUMBER.search(said)
    if asked == "a number":
        number = number or _NO_SUCH.search(said)
    return "a number" if number and "reading" not in skills else "a word"


def _bare(text: str) -> str:
    """In lower case, without thinking, box, markdown, quotes and "the answer is"; what is nothing else is kept."""
    said = _WRAPPED.sub(r"\1", text.rpartition("</think>")[2]).replace("’", "'").strip().lower()
    bare = _CLOTHES.sub("", said).strip(" '")
    lead = _LEAD.match(bare)
    return (bare[lead.end() :] if lead else bare) or bare or said
