"""Does an answer say the same as the truth? Decided by rules where rules can decide, and `undecided` where not.

Models wrap answers in thinking, boxes, sentences, articles and number words. None of that is an error, so it is taken
off first; then numbers, units, formulas and lists are compared by what they mean. What stays open after that is for a
judge, never a silent "wrong".

>>> match("<think>two … no, three</think> The answer is \\\\boxed{three}.", "3")
'correct'
>>> match("No, there is no star.", "yes")
'incorrect'
>>> match("It looks reddish to me", "red")
'undecided'
>>> match("30 mm", "3 cm"), match("blue, red", "red and blue"), match(r"\\frac{1}{2}", "50 %")
('correct', 'correct', 'correct')
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Literal

from scotoma.verify import formulas, quantities

Match = Literal["correct", "incorrect", "undecided"]

_DIGITS = {word: str(number) for number, word in enumerate(quantities.WORDS)}
_SPELLING = {"color": "colour", "colors": "colours", "gray": "grey", "center": "centre"}
_ARTICLES = {"a", "an", "the"}
_YES, _NO = {"yes", "yeah", "yep", "true", "correct"}, {"no", "nope", "false", "incorrect"}
_DENIALS = {
    "not",
    "no",
    "never",
    "neither",
    "nor",
    "or",
    "none",
    "cannot",
    "can't",
    "isn't",
    "aren't",
    "doesn't",
}
_THINKING = re.compile(r"^(?:(?!<think>).)*</think>|<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)
"""Chat templates may open the thinking in the prompt: then a reply holds the closing tag alone."""
_MARKUP = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_COMPARED, _ADDED = frozenset("<>≤≥≠"), frozenset("+#")
"""Signs that make another answer of the same words: "< 5" and "> 5", "C++" and "C"."""
_LEAD = re.compile(
    r"^(?:(?:so|therefore|thus|hence)\b[ ,]*)?(?:"
    r"(?:(?:my|the) )?(?:(?:final|correct) )?answer\s*(?:is\b|:|=)[\s:=]*"
    r"|(?:it(?: is|'s)|this is|that is|they are|there(?: is| are|'s)|i(?: can)? see"
    r"|(?:the|its) (?:colou?r|shape|size|digit|number|letter|text|word|sign|count|total) (?:is|says|reads))\b[\s:,]*)",
    re.IGNORECASE,
)
_OPTION = re.compile(r"^(?:option |choice )?\(?([a-z])\)?(?:[.:)\s]|$)", re.IGNORECASE)
_A_WORD = re.compile(
    r"^[AI]\s+(?!because\b|since\b|as\b|is\b|it\b|the\b|this\b|that\b|there\b|which\b|and\b)\w", re.IGNORECASE
)
"""An article or a pronoun rather than the letter of an option: none of the words here follows those."""
_SEPARATOR = re.compile(r"[;\n&]|,(?!\d{3}(?!\d))|\band\b", re.IGNORECASE)
_SHORT = 3
_ITEM = 4


def match(
    answer: str,
    truth: str,
    *,
    options: Mapping[str, str] | None = None,
    alternatives: Collection[str] = (),
    closed: bool = True,
) -> Match:
    """Compare a free-text answer with the truth.

    Args:
        answer: what the model wrote, thinking and all. Nothing at all is `incorrect`.
        truth: the right answer, short.
        options: letter → text of a multiple-choice question; `truth` may then be the letter or the text.
        alternatives: every answer the question could have (for instance all colours), if they are known; a longer
            answer that mentions exactly one of them is taken to mean it.
        closed: whether answers come from a closed vocabulary, as a world's do: then a short answer in other words is
            `incorrect`. In open language it may be a synonym ("couch", "sofa"), and stays `undecided`.
    """
    said, right = normalise(answer), normalise(truth)
    if options:
        return _match_option(answer, truth, options)
    if said and said == right and _is_plain(answer) and _is_plain(truth):
        return "correct"
    raw, spoken, meant = _undone(answer).strip(), _without_clothes(answer), _without_clothes(truth)
    # "+", "♥": what is all signs has no words to compare.
    if (raw and raw == _undone(truth).strip()) or spoken.rstrip(" .!") == meant.rstrip(" .!") != "":
        return "correct"
    if not said:
        return "incorrect" if closed or not raw else "undecided"
    words, target = said.split(), right.split()
    if _signs(spoken, _COMPARED) != _signs(meant, _COMPARED):
        return "undecided"
    if not _DENIALS & set(words) and (measured := quantities.compare(spoken, meant)):
        return measured
    if said == right:
        other = _number(right) is None and _signs(spoken, _ADDED) != _signs(meant, _ADDED)
        return "undecided" if other else "correct"
    if worth := formulas.compare(spoken, meant):
        return worth
    if right in ("yes", "no"):
        return _match_polar(words, right, one_word=len(answer.split()) == 1, closed=closed)
    if _number(right) is not None:
        return _match_number(words, right, closed)
    if len(items := _items(meant)) > 1 and (listed := _match_list(_items(spoken), items)):
        return listed
    mentioned = {other for other in map(normalise, alternatives) if other and _contains(words, other.split())}
    if len(mentioned) == 1 and not _DENIALS & set(words):
        return "correct" if right in mentioned else "incorrect"
    if closed and len(words) <= _SHORT and not _contains(words, target):
        return "incorrect"
    return "undecided"


@lru_cache(maxsize=4096)
def normalise(text: str) -> str:
    """The bare answer: no thinking, box, lead-in, case, punctuation or article; number words up to 99 as digits.

    Idempotent. An opened but never closed `<think>` leaves nothing: the model did not get to an answer.
    """
    text = _undone(text)
    while (barer := _bare(text)) != text:
        text = barer
    return text


def _is_plain(text: str) -> bool:
    """A single word or whole number: most answers are, and no sign can have got lost from one."""
    return text.isalpha() or text.isdecimal()


def _without_clothes(text: str) -> str:
    """Without thinking, box and lead-in, but with its signs: what numbers, units and formulas are read from."""
    return _strip_lead(_undone(text))


def _undone(text: str) -> str:
    """Without thinking and box."""
    return _unbox(_THINKING.sub(" ", text))


def _signs(text: str, of: frozenset[str]) -> frozenset[str]:
    return of & set(_MARKUP.sub("", text))


def _bare(text: str) -> str:
    text = quantities.spelt(_strip_lead(text).lower())
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    words = re.findall(r"-?\d+(?:\.\d+)?|[^\W_]+(?:'[^\W_]+)*|[%°$€£]", text)
    words = [_SPELLING.get(word, _DIGITS.get(word, _without_zeros(word))) for word in words]
    # An article that stands alone is no article but the letter on a sign.
    return " ".join([word for word in words if word not in _ARTICLES] or words)


def _strip_lead(text: str) -> str:
    text = text.replace("’", "'").strip().strip("*_`\"' ")
    shorter = _LEAD.sub("", text, count=1)
    return shorter if shorter.strip(" .!?") else text


def _match_polar(words: list[str], right: str, one_word: bool, closed: bool) -> Match:
    said = {"yes" for word in words[:1] if word in _YES} | {"no" for word in words[:1] if word in _NO}
    if not said and len(words) > 1:
        said = {"yes" for word in words if word in ("yes", "yeah")} | {
            "no" for word in words if word == "nope"
        }
    if len(said) == 1:
        return "correct" if said == {right} else "incorrect"
    # "red" is no answer to a yes/no question, but "there is a star" may well be one, and so may "absolutely".
    return "incorrect" if one_word and closed else "undecided"


def _match_number(words: list[str], right: str, closed: bool) -> Match:
    if quantities.UNREAD & set(words):  # "two hundred" is not 2
        return "undecided"
    found = {number for word in words if (number := _number(word)) is not None}
    # "no circles" is a count of 0; a bare "no" answers another question.
    if not found and (words[0] in ("none", "nothing", "nobody") or (words[0] == "no" and len(words) > 1)):
        found = {0.0}
    if len(found) == 1 and not {"not", "or"} & set(words):
        return "correct" if found == {_number(right)} else "incorrect"
    # Without a digit there may be a number word that nobody read: "several", "umpteen".
    return "undecided" if found or len(words) > _SHORT or not closed else "incorrect"


def _items(text: str) -> list[str]:
    """The members of a list, bare; a single one where the text is none."""
    parts = [bare for part in _SEPARATOR.split(text.strip("[](){} ")) if (bare := normalise(part))]
    return parts if all(len(part.split()) <= _ITEM for part in parts) else [normalise(text)]


def _match_list(said: list[str], right: list[str]) -> Match | None:
    """Lists and sets, in any order. None where the answer is prose, or a part of it ("Paris" for "Paris, France")."""
    if sorted(" ".join(said).split()) == sorted(" ".join(right).split()):
        return "correct"
    if any(_DENIALS & set(item.split()) for item in said):
        return None
    left = list(right)
    strange = []
    for item in said:
        fits = next((other for other in left if match(item, other) == "correct"), None)
        if fits is None:
            strange.append(item)
        else:
            left.remove(fits)
    if not left and not strange:
        return "correct"
    if len(said) == 1 or any(match(item, other) == "undecided" for item in strange for other in left):
        return None
    return "incorrect"


def _match_option(answer: str, truth: str, options: Mapping[str, str]) -> Match:
    texts = {letter.strip("() .").upper(): normalise(text) for letter, text in options.items()}
    letter = truth.strip("() .").upper()
    right = (
        letter
        if letter in texts
        else next((k for k, text in texts.items() if text == normalise(truth)), None)
    )
    if right is None:
        return "undecided"
    bare = _without_clothes(answer)
    said = normalise(bare)
    if not said:
        return "incorrect"
    same_text = [key for key, text in texts.items() if text == said]
    if same_text:
        return "correct" if right in same_text else "incorrect"
    marked = _OPTION.match(bare)
    if marked and marked[1].upper() in texts and not _A_WORD.match(bare):
        return "correct" if marked[1].upper() == right else "incorrect"
    mentioned = [key for key, text in texts.items() if text and _contains(said.split(), text.split())]
    if len(mentioned) == 1 and not _DENIALS & set(said.split()):
        return "correct" if mentioned == [right] else "incorrect"
    return "undecided"


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


def _number(word: str) -> float | None:
    return float(word) if re.fullmatch(r"-?\d+(?:\.\d+)?", word) else None


def _contains(words: list[str], part: list[str]) -> bool:
    return any(words[start : start + len(part)] == part for start in range(len(words) - len(part) + 1))
