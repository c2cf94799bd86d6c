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
from collections.abc import Collection, Mapping, Sequence
from itertools import chain

from scotoma.verify import formulas, quantities
from scotoma.verify.bare import (
    MARKUP,
    OPEN,
    REFUSAL,
    Match,
    contains,
    denies,
    normalise,
    without_thinking,
    without_wrapping,
)
from scotoma.verify.choices import match_option

_YES, _NO = {"yes", "yeah", "yep", "true", "correct"}, {"no", "nope", "false", "incorrect"}
_COMPARED, _ADDED = frozenset("<>≤≥≠"), frozenset("+#")
"""Signs that make another answer of the same words: "< 5" and "> 5", "C++" and "C"."""
_BETWEEN = re.compile(r"(?<=\d)\s?([/:*×·÷^])\s?(?=\d)")
"""What makes 2/3, 2:3, 2 * 3 and "2, 3" another answer."""
_SEPARATOR = re.compile(r"(?:[;\n&]|,(?!\d{3}(?!\d))|\band\b)(?![^()\[\]]{0,99}[)\]])", re.IGNORECASE)
_WRAPPED = re.compile(r"[\s$]*[\[({](?P<inner>[^\[\](){}]*)[\])}][\s.$]*")
_PLACE = re.compile(r"[\s$]*\(\s*[-−]?\d+(?:\.\d+)?(?:\s*[,;]\s*[-−]?\d+(?:\.\d+)?)+\s*\)[\s.$]*")
"""Coordinates, which have an order."""
_SHORT = 3
_ITEM = 4
_COUNTED = rf"(?:\d+|{'|'.join(quantities.WORDS)})"
_NOBODY = re.compile(
    r"\b(?:no[- ]one|nobody"
    rf"|none(?:\s+of\s+(?:(?:all|the|these|those|its|their|my|your|our)\s+)*{_COUNTED})?)\b",
    re.IGNORECASE,
)
"""A count of 0 in words: "none of the 5" is not 5, and "no one" is not 1."""
_NO_SUCH = re.compile(
    r"no\s+(?!(?:idea|clue|doubt|way|answer|information|matter|problem|question)\b)\w", re.IGNORECASE
)
_BOUND = re.compile(
    r"\b(?:more|less|\w+er)\s+than\b|\b(?:at\s+(?:least|most)|up\s+to|almost|nearly)\b"
    rf"|\b(?:over|under|above|below|beyond|exceed\w*|(?:mini|maxi)mum(?:\s+of)?)\s+{_COUNTED}\b"
    rf"|\b{_COUNTED}\s+(?:more|less|fewer)\b|\d\s*\+(?!\s*[\w.])",
    re.IGNORECASE,
)
"""A number that only bounds the one that is meant: "at least 3", "3+"."""
_GLUED = re.compile(r"\d(?!(?:st|nd|rd|th)\b)[a-z]|\d\s[bkm]\b|[a-z][-‑–−]\d", re.IGNORECASE)
"""12B, 1e3, 3D, F-16: another number than the digits, or none."""
_IDIOM = re.compile(
    r"\b(?:no|without(?:\s+(?:a|any))?)\s+(?:doubt|question|problem|wonder|matter)\b(?:\s+(?:about|that)\b)?[\s,.:;]*",
    re.IGNORECASE,
)
_NO_ANSWER = re.compile(r"\W*no\s+(?:idea|clue|answer|information|way\s+(?:to|of))\b", re.IGNORECASE)
_SAID_NO = re.compile(
    r"(?:(?:^|[,.;:!?\n—–])|\banswer(?:\s*:|\s+(?:is|would\s+be|should\s+be|must\s+be)\b)):?[\s\"'*(]{0,9}"
    r"(?P<no>no)\b(?=[\"'*)]*\s*(?:$|[,.;:!?\n—–]))|\b(?P<last>no)[\"'*).!\s]*$",
    re.IGNORECASE,
)
"""A "no" that is an answer, not the start of "no star"."""
_ASIDE = re.compile(r"[,.;:!?\n—–]|\b(?:so|but|therefore|hence|thus)\b", re.IGNORECASE)


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
        return match_option(answer, truth, options)
    if said and said == right and _is_plain(answer) and _is_plain(truth):
        return "correct"
    raw, spoken, meant = without_thinking(answer).strip(), without_wrapping(answer), without_wrapping(truth)
    # "+", "♥": what is all signs has no words to compare.
    if (raw and raw == without_thinking(truth).strip()) or spoken.rstrip(" .!") == meant.rstrip(" .!") != "":
        return "correct"
    if not said:
        return "incorrect" if closed or not raw else "undecided"
    words, target = said.split(), right.split()
    if _signs(spoken, _COMPARED) != _signs(meant, _COMPARED):
        return "undecided"
    if not denies(words) and not _BOUND.search(spoken) and (measured := quantities.compare(spoken, meant)):
        return measured
    if said == right:
        other = _number(right) is None and _signs(spoken, _ADDED) != _signs(meant, _ADDED)
        bounded = (_BOUND.search(spoken) is None) != (_BOUND.search(meant) is None)
        split = _between(spoken) != _between(meant)
        return "undecided" if other or bounded or split else "correct"
    if worth := formulas.compare(spoken, meant):
        return worth
    if target and _turned(words) == target:
        return "correct"
    if right in ("yes", "no"):
        return _match_polar(spoken, right, one_word=len(answer.split()) == 1, closed=closed)
    if _number(right) is not None:
        return _match_number(spoken, right, closed)
    if _PLACE.fullmatch(meant) and not denies(words) and (placed := _match_places(spoken, meant)):
        return placed
    if len(items := _items(meant)) > 1 and (listed := _match_list(_items(spoken), items, closed)):
        ordered = listed == "correct" and (_PLACE.fullmatch(meant) or _PLACE.fullmatch(spoken))
        return "undecided" if ordered else listed
    mentioned = {other for other in map(normalise, alternatives) if other and contains(words, other.split())}
    if len(mentioned) == 1 and not denies(words):
        return "correct" if right in mentioned else "incorrect"
    if closed and len(words) <= _SHORT and not contains(words, target):
        return "incorrect"
    return "undecided"


def _is_plain(text: str) -> bool:
    """A single word or whole number: most answers are, and no sign can have got lost from one."""
    return text.isalpha() or text.isdecimal()


def _signs(text: str, of: frozenset[str]) -> frozenset[str]:
    return of & set(MARKUP.sub("", text))


def _between(text: str) -> list[str]:
    return ["*" if sign in "×·" else sign for sign in _BETWEEN.findall(text)]


def _match_polar(spoken: str, right: str, one_word: bool, closed: bool) -> Match:
    text = _IDIOM.sub(" ", spoken).strip()
    words = normalise(text).split()
    first = words[0] if words else ""
    # "True." is an answer; "true or false" and "correct me if I am wrong" are none.
    alone = (
        first in ("yes", "yeah", "yep", "no", "nope")
        or re.match(r"\W*\w+\s*(?:$|[^\w\s/'-])", text) is not None
    )
    begins = "yes" if alone and first in _YES else "no" if alone and first in _NO else None
    refused = REFUSAL.search(text) is not None
    said_no = _SAID_NO.search(text)
    yes = begins == "yes" or bool({"yes", "yeah"} & set(words))
    no = begins == "no" or "nope" in words or said_no is not None
    if yes and no:
        return "undecided"
    if yes or no:
        if begins is None:
            before = words
            if said_no:  # "I see none, so no" denies something else: what counts is "I would not say no"
                before = normalise(
                    _ASIDE.split(text[: said_no.start("no" if said_no["no"] else "last")])[-1]
                ).split()
            if refused or denies(before) or OPEN & set(words):
                return "undecided"
        elif no and (_NO_ANSWER.match(text) or refused):
            return "undecided"
        return "correct" if right == ("yes" if yes else "no") else "incorrect"
    # "red" is no answer to a yes/no question, but "there is a star" may well be one, and so may "absolutely".
    return "incorrect" if one_word and closed else "undecided"


def _turned(words: Sequence[str]) -> list[str]:
    """A pair of words before what they say something of, the other way round: "black and white cat" is as black as it
    is white. Two things with a word each ("red circle and blue square") are no such pair; nothing else has one.
    """
    if len(words) < 4 or words[1] != "and" or not (words[0] + words[2]).isalpha():
        return []
    return [words[2], "and", words[0], *words[3:]]


def _match_number(spoken: str, right: str, closed: bool) -> Match:
    text = _NOBODY.sub(" 0 ", quantities.spelt(spoken))
    words = normalise(text).split()
    # "two hundred" is not 2, and "over 2" may be any number.
    if quantities.is_unread(words) or _BOUND.search(text) or _GLUED.search(MARKUP.sub("", text)):
        return "undecided"
    found = {number for word in words if (number := _number(word)) is not None}
    nothing = not found and (words[:1] == ["nothing"] or _NO_SUCH.match(text) is not None)
    # "no circles" is a count of 0; a bare "no" answers another question, and so does the one of "No, there are 3".
    if nothing:
        found = {0.0}
    denied = denies(words[1:] if nothing or re.match(r"no\b(?!\s*\w)", text, re.IGNORECASE) else words)
    refused = found == {0.0} and REFUSAL.search(spoken) is not None
    if len(found) == 1 and not denied and not refused:
        return "correct" if found == {_number(right)} else "incorrect"
    if found or len(words) > _SHORT or not closed:
        return "undecided"
    # Without a digit there may be a number word that nobody read: "several", "umpteen"; or "there aren't any".
    denied = denied or (words[:1] == ["no"] and len(words) > 1)
    return "undecided" if denied and _number(right) == 0 else "incorrect"


def _items(text: str) -> list[str]:
    """The members of a list; a single one where the text is none."""
    inside = _WRAPPED.fullmatch(text)
    parts = [
        part.strip() for part in _SEPARATOR.split(inside["inner"] if inside else text) if normalise(part)
    ]
    return parts if all(len(normalise(part).split()) <= _ITEM for part in parts) else [text]


def _match_places(spoken: str, meant: str) -> Match | None:
    """Coordinates: (5, 3) is another place than (3, 5). None where the answer has not one place of as many numbers."""
    said, right = (
        {
            tuple(float(number.replace("−", "-")) for number in re.findall(r"[-−]?[\d.]*\d", place))
            for place in _PLACE.findall(text)
        }
        for text in (spoken, meant)
    )
    if len(said) != 1 or {len(place) for place in said} != {len(place) for place in right}:
        return None
    return "correct" if said == right else "incorrect"


def _match_list(said: list[str], right: list[str], closed: bool) -> Match | None:
    """Lists and sets, in any order. None where the answer is prose, or a part of it ("Paris" for "Paris, France")."""
    ours, theirs = ([normalise(item).split() for item in items] for items in (said, right))
    if len(said) == 1 and all(len(words) == 1 and words[0].isalpha() for words in theirs):
        # "red blue": words that belong to no other word need nothing between them.
        return "correct" if sorted(ours[0]) == sorted(chain(*theirs)) else None
    if any(denies(words) for words in ours):
        return None
    left = list(right)
    strange = []
    for item in said:
        fits = next((other for other in left if match(item, other, closed=closed) == "correct"), None)
        if fits is None:
            strange.append(item)
        else:
            left.remove(fits)
    if not left and not strange:
        return "correct"
    if sorted(chain(*ours)) == sorted(chain(*theirs)):
        return "undecided"  # "2 red, 1 blue" and "2 blue, 1 red", but also "circle red, square blue"
    doubts = (match(item, other, closed=closed) == "undecided" for item in strange for other in left)
    return None if len(said) == 1 or any(doubts) else "incorrect"


def _number(word: str) -> float | None:
    return float(word) if re.fullmatch(r"-?\d+(?:\.\d+)?", word) else None
