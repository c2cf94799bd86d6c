"""The sentence a person reads instead of a predicate.

>>> from scotoma.core import Predicate
>>> describe(Predicate.parse("skill=counting and colour=blue and count>=3"))
'counting questions about blue things when the answer is 3 or more'
"""

from __future__ import annotations

import re
from collections import defaultdict

from scotoma.core import Condition, Predicate
from scotoma.diagnose.conditions import FORM, reading_order

_SLOT = re.compile(r"\{\w+\}")
_NOUN_PARTS = ("size", "colour", "shape")
_ANSWER_KIND = {"yes/no": "yes or no", "number": "a number", "option": "an option", "words": "in words"}


def describe(predicate: Predicate) -> str:
    """A sentence fragment for any predicate; keys without a phrase of their own read "with KEY VALUE"."""
    by_key: dict[str, list[Condition]] = defaultdict(list)
    for condition in predicate.conditions:
        by_key[condition.key].append(condition)
    parts = [_head(by_key)]
    if thing := _thing(by_key):
        parts.append(f"about {thing}")
    # A question's length stands beside the questions, or it would be read of the answer.
    parts += [
        _clause(key, by_key[key]) for key in sorted(by_key, key=lambda k: (k not in FORM, reading_order(k)))
    ]
    return " ".join(parts)


def _head(by_key: dict[str, list[Condition]]) -> str:
    words = []
    if negated := by_key.pop("negated", None):
        words.append("negated" if negated[0].value is True else "affirmative")
    # Only counting questions have a count, so the search drops the skill as idle; a person still wants to read it.
    implied = ["counting"] if "count" in by_key and not {"skill", "skills", "type"} & set(by_key) else []
    skills = [_amount(condition) for condition in by_key.pop("skill", [])] or implied
    if skills:
        words.append(" and ".join(skills))
    if combinations := by_key.pop("skills", None):
        words.append(_amount(combinations[0]))
    if kinds := by_key.pop("type", None):
        words.append(f"“{_amount(kinds[0])}”")
    return " ".join([*words, "questions"]) if words else "questions"


def _thing(by_key: dict[str, list[Condition]]) -> str:
    """`large blue circles`; empty when the predicate names no attribute of a thing."""
    named = {key: by_key.pop(key, []) for key in _NOUN_PARTS}
    if not any(named.values()):
        return ""
    adjectives = [" and ".join(map(_amount, named[key])) for key in ("size", "colour") if named[key]]
    nouns = " and ".join(_many(_amount(condition)) for condition in named["shape"]) or "things"
    return " ".join([*adjectives, nouns])


def _clause(key: str, conditions: list[Condition]) -> str:
    amount = " and ".join(map(_amount, conditions))
    value, name = conditions[0].value, key.replace("_", " ")
    match key:
        case "answer":
            return f"when the answer is {amount if amount.isdigit() else f'“{amount}”'}"
        case "count":
            return f"when the answer is {amount}"
        case "asks":
            return f"that ask “{amount}”"
        case "answer_kind":
            return f"whose answer is {_ANSWER_KIND.get(amount, amount)}"
        case "object":
            return f"about {' and '.join(f'“{_amount(condition)}”' for condition in conditions)}"
        case "attribute":
            return f"that name something “{amount}”"
        case "topic":
            return f"on the topic “{amount}”"
        case "words":
            return f"of {amount} {_counted('word', conditions)}"
        case "wording":
            return f"worded “{_SLOT.sub('…', amount)}”"
        case "operation":
            return f"of the kind “{amount}”"
        case "composed":
            return "that compose several skills" if value is True else "of a single skill"
        case "digit":
            return f"about the sign “{amount}”"
        case "landmark":
            return "without a landmark" if value == "none" else f"with a {amount} as landmark"
        case "relation":
            return f"with the relation “{amount}”"
        case "complexity":
            return f"that need {amount} {_counted('skill', conditions)}"
        case "attributes":
            return f"that name {amount} {_counted('attribute', conditions)}"
        case "things" | "signs":
            return f"in scenes with {amount} {_counted(key[:-1], conditions)}"
        case "background":
            return f"on a background of {amount}" if amount.endswith("s") else f"on a {amount} background"
        case "occluded":
            return "where something is partly hidden" if value is True else "where nothing is hidden"
        case "orientation" | "brightness":
            return f"on {amount} pictures"
        case "pixels":
            return f"on {amount} pictures (by pixels)"
        case "contrast" | "detail":
            return f"on pictures of {amount} {key}"
        case "colourfulness":
            return f"on pictures of {amount} colours"
        case "greyscale":
            return "on greyscale pictures" if value is True else "on colour pictures"
        case "folder":
            return f"on pictures of the folder “{amount}”"
        case "label":
            return f"on pictures of the class “{amount}”"
    if isinstance(value, bool):
        return f"that are {name}" if value else f"that are not {name}"
    return f"with {name} {amount}"


def _amount(condition: Condition) -> str:
    value = condition.value
    text = " or ".join(value) if isinstance(value, tuple) else str(value)
    return {">=": f"{text} or more", "<=": f"{text} or fewer", "!=": f"not {text}"}.get(condition.op, text)


def _many(noun: str) -> str:
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def _counted(noun: str, conditions: list[Condition]) -> str:
    last = conditions[-1]
    return noun if last.value == 1 and last.op == "=" else _many(noun)
