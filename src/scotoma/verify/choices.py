"""Multiple choice: which option does an answer decide for, by its letter or by its text?

An answer may weigh several options before it names one, deny one, or take one back: then nobody decides here.

>>> match_option("The answer is B, because there is no cat.", "B", {"A": "a cat", "B": "a dog"})
'correct'
>>> match_option("B or C", "B", {"A": "a cat", "B": "a dog", "C": "a cow"})
'undecided'
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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

_OPTION = re.compile(r"^(?:option |choice )?\(?([a-z])\)?(?:[.:)\s]|$)", re.IGNORECASE)
_A_WORD = re.compile(
    r"^[AI]\s+(?!because\b|since\b|as\b|is\b|it\b|the\b|this\b|that\b|there\b|which\b|and\b)\w", re.IGNORECASE
)
"""An article or a pronoun rather than the letter of an option: none of the words here follows those."""
_CHOSEN = re.compile(
    r"\b(?:answer|option|choice)\s*(?::|=|\s(?:is|would be|should be|must be)\b)[\s:=*_\"'`]{0,9}"
    r"(?:(?:option|choice)\s+)?[\s(*_\"'`]{0,9}(?P<letter>[a-z])(?!\**[\w'+/^=-])",
    re.IGNORECASE,
)
_LETTER = re.compile(r"(?<![\w'’+/^=-])[a-z](?![\w'’+/^=-])", re.IGNORECASE)
_SENTENCE = re.compile(r"[.!?](?=\s|$)|\n|\b(?:because|since)\b", re.IGNORECASE)
"""Where a decision ends and its reasons begin."""
_CORRECTION = re.compile(
    r"\bno\s*[,.!:;]|\b(?:wait|actually|sorry|correction|rather|instead|wrong|incorrect|mistake\w*)\b"
    r"|\b(?:not|\w+n't)\s+(?:correct|right|it|that|so|true)\b",
    re.IGNORECASE,
)
_MEANING = r"+*/^√π<>=≤≥≠±×÷·#|%°$€£²³~−-"
"""Signs that could make other answers of the same words; written as in a class of characters."""
_MEANINGLESS = re.compile(
    r"(?<=[^\W\d_]{2})\s?-\s?(?=[^\W\d_])|(?<=[^\W\d_])\s?-\s?(?=[^\W\d_]{2})"  # T-shirt, but not a-b
    r"|^\s*[-*•]\s+|(?<![\w)])\*{1,3}(?=\S)|(?<=\S)\*{1,3}(?![\w(])"  # lists and emphasis
)


def match_option(answer: str, truth: str, options: Mapping[str, str]) -> Match:
    """Compare an answer with the right option: `options` are letter → text, `truth` a letter or a text."""
    texts = {letter.strip("() .").upper(): text for letter, text in options.items()}
    right = truth.strip("() .").upper()
    if right not in texts:
        same = _same_text(truth, texts)
        if len(same) != 1:
            return "undecided"
        right = same[0]
    if not _squeezed(answer):
        return "incorrect"
    same = _same_text(answer, texts)
    told = _chosen(answer, texts)
    if same and told and told not in same:
        return "undecided"  # an option whose text is the letter of another one
    if not same and told is None:
        same = _mentioned(answer, texts)
        if _letters(without_thinking(answer), texts) - set(same):
            return "undecided"
    # Two options of one text are both right.
    alike = same if same and len({_squeezed(texts[key]) for key in same}) == 1 else []
    meant = alike or ([told] if told and not same else [])
    return "undecided" if not meant else "correct" if right in meant else "incorrect"


def _same_text(answer: str, texts: Mapping[str, str]) -> list[str]:
    """The options that an answer repeats: sign by sign, or else in the same words with no other sign."""
    exact = [key for key, text in texts.items() if _squeezed(text) == _squeezed(answer)]
    said, signs = normalise(answer), _meaning(answer)
    return exact or [
        key for key, text in texts.items() if said and normalise(text) == said and _meaning(text) == signs
    ]


def _mentioned(answer: str, texts: Mapping[str, str]) -> list[str]:
    """The option of which an answer has the words, and where signs are about, exactly those; none if it may deny it."""
    words = normalise(answer).split()
    if denies(words):
        return []
    if any(_meaning(text) for text in (answer, *texts.values())):
        found = [key for key, text in texts.items() if _has(_cleaned(answer), _cleaned(text))]
    else:
        bare = {key: normalise(text).split() for key, text in texts.items()}
        found = [key for key, own in bare.items() if own and contains(words, own)]
    return found if len(found) == 1 else []


def _has(text: str, part: str) -> bool:
    """Whether a text has a part as it is written, not "3/2" in "√3/2" or "5" in "5.5"."""
    before, after = rf"(?<![\w.{_MEANING}])(?<![{_MEANING}]\s)", rf"(?![\w{_MEANING}]|\s[{_MEANING}]|\.\d)"
    return bool(part) and re.search(before + re.escape(part) + after, text) is not None


def _chosen(answer: str, texts: Mapping[str, str]) -> str | None:
    """The letter that an answer decides for; None where it weighs several, or denies the one it names."""
    text = without_thinking(answer)
    for found in reversed(list(_CHOSEN.finditer(text))):
        letter, after = found["letter"].upper(), text[found.end() :]
        if letter not in texts or _A_WORD.match(text[found.start("letter") :]):
            continue
        clause = re.split(r"[.!?,;:\n]", text[: found.start()])[-1].lower().split()
        unsure = denies(clause) or bool(OPEN & set(clause))
        return letter if not unsure and _stays(letter, after, texts) else None
    bare = without_wrapping(answer)
    marked = _OPTION.match(bare)
    if not marked or marked[1].upper() not in texts or _A_WORD.match(bare):
        return None
    letter = marked[1].upper()
    return letter if _stays(letter, bare[marked.end() :], texts) else None


def _stays(letter: str, after: str, texts: Mapping[str, str]) -> bool:
    """Whether an answer that has named an option neither names another nor takes it back. Reasons may deny things."""
    first, *reasons = _SENTENCE.split(_without_text(after, texts[letter]), maxsplit=1)
    if first.strip(" :)*_") and not {letter} >= set(_same_text(first, texts)):
        return False  # "B. red" where red is A
    taken_back = any(_CORRECTION.search(reason) or REFUSAL.search(reason) for reason in reasons)
    return not (taken_back or denies(normalise(first).split()) or _letters(after, texts) - {letter})


def _letters(text: str, texts: Mapping[str, str]) -> set[str]:
    """The options that a text names by their letters."""
    found = (match for match in _LETTER.finditer(text) if not _A_WORD.match(text[match.start() :]))
    return {match[0].upper() for match in found} & set(texts)


def _without_text(after: str, text: str) -> str:
    """What follows a letter, without the text of its option: that may deny something itself."""
    told = after.lstrip(" .:)*_-—\"'`(")
    own = text.strip(" .")
    return told[len(own) :] if own and told.casefold().startswith(own.casefold()) else after


def _squeezed(text: str) -> str:
    """A text with all its signs, but without clothes, case and spaces."""
    return "".join(without_wrapping(text).casefold().split()).strip("$").rstrip(".!") or text.strip()


def _cleaned(text: str) -> str:
    """A text with its signs, but without those that mean nothing: hyphens, emphasis, markup."""
    bare = _MEANINGLESS.sub(" ", MARKUP.sub("", without_wrapping(text)).strip("$ "))
    return " ".join(bare.casefold().split()).rstrip(" .!")


def _meaning(text: str) -> list[str]:
    return sorted(re.findall(f"[{_MEANING}]", _cleaned(text)))
