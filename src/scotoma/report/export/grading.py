"""The grader that travels with an export: is an answer the truth? The standard library is all it needs.

The environments of other tools have no Scotoma in them, so this file is copied into every export that needs a reward
or a score. It agrees with `scotoma.verify.rules` on short answers (held by a test); what the rules leave undecided
counts as wrong here, since no judge is at hand.

>>> grade("<think>two … no, three</think> The answer is \\\\boxed{Three}.", "3")
1.0
>>> grade("No, there is no star.", "yes")
0.0
"""

from __future__ import annotations

import re

_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty"
)
_DIGITS = {word: str(number) for number, word in enumerate(_NUMBERS.split())}
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SPELT = re.compile(rf"\b({'|'.join(_TENS)})(?:[-\s]({'|'.join(_NUMBERS.split()[1:10])}))?\b")
_UNREAD = {
    "dozen",
    "dozens",
    "hundred",
    "hundreds",
    "thousand",
    "thousands",
    "million",
    "millions",
    "trillion",
    "half",
    "quarter",
    "quarters",
    "minus",
}
_DOUBTFUL = {
    "not",
    "or",
    "no",
    "none",
    "nobody",
    "nothing",
    "never",
    "cannot",
    "without",
    "than",
    "least",
    "most",
}
"""Words beside a number after which it may not be what is meant: "none of the 5", "more than 3"."""
_SPELLING = {"color": "colour", "colors": "colours", "gray": "grey", "center": "centre"}
_YES = {"yes": "yes", "yeah": "yes", "yep": "yes", "true": "yes", "no": "no", "nope": "no", "false": "no"}
_LEAD = re.compile(
    r"^(?:(?:so|therefore|thus|hence)\b[ ,]*)?(?:(?:(?:my|the) )?(?:(?:final|correct) )?answer\s*(?:is\b|:|=)[\s:=]*"
    r"|(?:it(?: is|'s)|this is|that is|they are|there(?: is| are|'s)|i(?: can)? see)\b[\s:,]*)",
    re.IGNORECASE,
)


def grade(answer: str, truth: str) -> float:
    """1.0 when the answer says the same as the truth, else 0.0. Thinking, boxes, case and articles do not count."""
    said, right = plain(answer), plain(truth)
    # "+": what is all signs has no words to compare.
    if _signed(answer) == _signed(truth) != "":
        return 1.0
    if not said or not right:
        return 0.0
    if said == right:
        return float(_signs(answer, right) == _signs(truth, right))
    words = said.split()
    if right in ("yes", "no"):
        return float(_YES.get(words[0]) == right)
    if _is_number(right):
        numbers = {float(word) for word in words if _is_number(word)}
        doubtful = (_DOUBTFUL | _UNREAD) & set(words) or any(word.endswith("n't") for word in words)
        return float(numbers == {float(right)} and not doubtful)
    if re.fullmatch(r"[a-j]", right):
        return float(re.match(rf"\W*{right}\W*(?:[.:)]\s|$)", _inner(answer).lower()) is not None)
    return 0.0


def plain(text: str) -> str:
    """The bare answer: lower case, digits for number words, no thinking, box, lead-in, punctuation or article."""
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", _LEAD.sub("", _inner(text), count=1).lower())
    text = _SPELT.sub(_two_digits, text)
    words = re.findall(r"-?\d+(?:\.\d+)?|[^\W_]+(?:'[^\W_]+)*|[%°$€£]", text)
    words = [_SPELLING.get(word, _DIGITS.get(word, re.sub(r"^(-?\d+)\.0+$", r"\1", word))) for word in words]
    # An article that stands alone is no article but the letter on a sign.
    return " ".join([word for word in words if word not in ("a", "an", "the")] or words)


def _signed(text: str) -> str:
    """Without lead-in and full stop, with every sign."""
    return _LEAD.sub("", _inner(text), count=1).strip("*_`\"' ").rstrip(" .!")


def _signs(text: str, right: str) -> set[str]:
    """Signs that make another answer of the same words: "< 5" and "> 5", "C++" and "C", but not "+5" and "5"."""
    told = "<>≤≥≠" if _is_number(right) else "<>≤≥≠+#"
    return set(told) & set(re.sub(r"</?[a-z][^<>]*>", "", _inner(text), flags=re.IGNORECASE))


def _two_digits(match: re.Match[str]) -> str:
    return str(10 * (_TENS.index(match[1]) + 2) + int(_DIGITS.get(match[2] or "zero", "0")))


def _inner(text: str) -> str:
    """What is left after the thinking, inside `<answer>` and the last box."""
    # A chat template may open the thinking in the prompt; then the closing tag stands alone.
    thinking = r"^(?:(?!<think>).)*</think>|<think>.*?(?:</think>|\Z)"
    text = re.sub(thinking, " ", text, flags=re.DOTALL | re.IGNORECASE)
    tagged = re.findall(r"<answer>(.*?)</answer>", text, flags=re.DOTALL | re.IGNORECASE)
    text = tagged[-1] if tagged else text
    start = text.rfind("\\boxed{")
    if start >= 0:
        depth, begin = 1, start + len("\\boxed{")
        for end in range(begin, len(text)):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            if depth == 0:
                return text[begin:end]
        return text[begin:]
    return text.replace("’", "'").strip().strip("*_`\"' ")


def _is_number(word: str) -> bool:
    return re.fullmatch(r"-?\d+(?:\.\d+)?", word) is not None
