"""Tags for what is right to answer, where the truth of a question in free text is known: `answer` and `count`.

The commonest failures of a vision-language model are of the answer and not of the question: it says yes too often, or
miscounts from four on. A world's exact tags say the right answer; of any other question these rules do where it is one
of few: yes or no, an option, a whole number. Other answers (a name, a sentence) are no tag: each would be its own.

The truth is a judge's or a log's, never the candidate's answer, so a mode such as `answer=no` is not true by itself.

>>> answer_tags("Is there a red cup?", "No.", skills=("existence",))
{'answer': 'no'}
>>> answer_tags("How many cups are there?", "four", skills=("counting",))
{'count': 4}
>>> answer_tags("Is the cup red or blue?", "Blue", skills=("colour",))
{'answer': 'blue'}
"""

from __future__ import annotations

import re
from collections.abc import Collection

from scotoma.core import Tag

POLAR = ("yes", "no", "true", "false")
"""The answers to a question that is to be affirmed or denied."""

_NUMBERS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_WORDS = {"none": 0, **{word: number for number, word in enumerate(_NUMBERS)}}
_COUNT = re.compile(r"\d{1,4}")
_SHORT = re.compile(r"[^\W_]+(?:[ -][^\W_]+){0,2}")
"""What may be an option that the question names: up to three words."""


def answer_tags(
    question: str, truth: str | None, skills: Collection[str], letters: Collection[str] = ()
) -> dict[str, Tag]:
    """`answer`, `count`, or nothing where the truth is unknown or one of many.

    Args:
        question: the sentence that asks.
        truth: the right answer.
        skills: what the question needs; only `counting` ones have a `count`.
        letters: of the options, in capitals, where it is multiple choice.
    """
    answer = "" if truth is None else truth.strip(" .()").lower()
    if answer in POLAR:
        return {"answer": answer}
    if answer.upper() in letters:
        return {"answer": answer.upper()}
    if "counting" in skills and (_COUNT.fullmatch(answer) or answer in _WORDS):
        return {"count": _WORDS[answer] if answer in _WORDS else int(answer)}
    return {"answer": answer} if _offered(question.lower(), answer) else {}


def _offered(question: str, answer: str) -> bool:
    """Whether the question names this answer as one of its own: "red, green or blue"."""
    if not _SHORT.fullmatch(answer):
        return False
    this = re.escape(answer)
    return bool(
        re.search(rf"(?<!\w){this}(?:,(?: \w+){{1,3}})*,? or\b|\bor (?:(?:an?|the) )?{this}(?!\w)", question)
    )
