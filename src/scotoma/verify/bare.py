"""An answer without its clothes: thinking, boxes, lead-ins, articles and number words are no part of what it says.

All that compares answers (`rules`, `choices`) reads them through here, and so do checks that count them.

>>> normalise("<think>two … no, three</think> The answer is \\\\boxed{three}.")
'3'
>>> without_wrapping("So the answer is: **> 5**"), denies(["it", "isn't", "red"])
('> 5', True)
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Literal

from scotoma.verify import quantities

Match = Literal["correct", "incorrect", "undecided"]
"""What rules make of an answer; what they leave undecided is for a judge."""

_DIGITS = {word: str(number) for number, word in enumerate(quantities.WORDS)}
_SPELLING = {"color": "colour", "colors": "colours", "gray": "grey", "center": "centre"}
_ARTICLES = {"a", "an", "the"}
_DENIALS = frozenset(
    {
        "not", "no", "never", "neither", "nor", "or", "none", "nothing", "nobody", "cannot", "cant", "dont",
        "doesnt", "isnt", "arent", "wasnt", "didnt", "without", "unable", "unsure", "unclear", "uncertain",
        "unlikely", "impossible", "hardly", "barely", "doubt", "except", "instead", "than", "wrong",
        "incorrect", "false",
    }
)  # fmt: skip
"""Words after which an answer may say the opposite of what it mentions; with them go all that end in "n't"."""
_ANYTHING_BUT = re.compile(r"\b(?:(?:anything|everything|all) but|far from)\b")
THINKING = re.compile(
    r"^(?:(?!<think(?:ing)?>).)*</think(?:ing)?>|<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
"""Opened in the prompt, by the chat template, thinking has a closing tag alone; cut off, it has none."""
MARKUP = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_AROUND = "*_`\"' "
"""Quotes, and the marks of what stands out."""
_LEAD = re.compile(
    r"^(?:(?:so|therefore|thus|hence)\b[ ,]*)?(?:"
    r"(?:(?:my|the) )?(?:(?:final|correct) )?answer\s*(?:is\b|:|=)[\s:=]*"
    r"|(?:it(?: is|'s)|this is|that is|they are|there(?: is| are|'s)|i(?: can)? see"
    r"|(?:the|its) (?:colou?r|shape|size|digit|number|letter|text|word|sign|count|total) (?:is|says|reads))\b[\s:,]*)",
    re.IGNORECASE,
)
REFUSAL = re.compile(
    r"\b(?:\w+n't|not|cannot|unable|hard|difficult|impossible|never|no[- ]one|nobody|no)\W+(?:\w+\W+){0,2}?"
    r"(?:tell|determined?|knows?|known|say|answer|judge|decide|confirm|verify|sure|certain|clear|idea|clue)\b",
    re.IGNORECASE,
)
"""What somebody says who does not answer: "I cannot tell", "nobody knows"."""
OPEN = {"if", "whether", "unless", "says", "reads", "written", "word"}
"""Words after which a "yes" may be a condition or a quotation."""


@lru_cache(maxsize=4096)
def normalise(text: str) -> str:
    """The bare answer: no thinking, box, lead-in, case, punctuation or article; number words up to 99 as digits.

    Idempotent. An opened but never closed `<think>` leaves nothing: the model did not get to an answer.
    """
    text = without_thinking(text)
    # A model that got into a loop says "the answer is" a thousand times: they come off before the rest is read.
    while (shorter := _strip_lead(text)) != text:
        text = shorter
    while (barer := _bare(text)) != text:
        text = barer
    return text


def without_wrapping(text: str) -> str:
    """Without thinking, box and lead-in, but with its signs: what numbers, units and formulas are read from."""
    return _strip_lead(without_thinking(text))


def without_thinking(text: str) -> str:
    """Without thinking and box."""
    return _unbox(THINKING.sub(" ", text))


def _bare(text: str) -> str:
    text = quantities.spelt(_strip_lead(text).lower())
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    words = re.findall(r"-?\d+(?:\.\d+)?|[^\W_]+(?:'[^\W_]+)*|[%°$€£]", text)
    words = [_SPELLING.get(word, _DIGITS.get(word, _without_zeros(word))) for word in words]
    # An article that stands alone is no article but the letter on a sign.
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def _strip_lead(text: str) -> str:
    text = text.replace("’", "'").strip().strip(_AROUND)
    # What stands out may be the answer alone, behind its lead-in.
    shorter = _LEAD.sub("", text, count=1).lstrip(_AROUND)
    return shorter if shorter.strip(" .!?") else text


def denies(words: Collection[str]) -> bool:
    """Whether words may say the opposite of what they mention."""
    return (
        any(word in _DENIALS or word.endswith("n't") for word in words)
        or _ANYTHING_BUT.search(" ".join(words)) is not None
    )


def _unbox(text: str) -> str:
    """The content of the last `\\boxed{…}`, braces balanced; the text itself when there is none."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return text
    depth, begin = 1, start + len("\\boxed{")
    for position in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[begin:position]
    return text[begin:]


def _without_zeros(word: str) -> str:
    """3.0 → 3; anything else as it is."""
    return word[: word.index(".")] if re.fullmatch(r"-?\d+\.0+", word) else word


def contains(words: list[str], part: list[str]) -> bool:
    """Whether the part's words stand among the words, one after the other."""
    return any(words[start : start + len(part)] == part for start in range(len(words) - len(part) + 1))
