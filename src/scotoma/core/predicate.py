"""Tags say what a question is about; a predicate is a conjunction of conditions on tags, and so a set of questions.

Failure modes, planted regions and regression suites are all named by predicates, so that membership of a new
question is decided by its tags and by nobody's opinion.

>>> where = Predicate.parse("skill=counting and colour=blue and count>=3")
>>> where.matches({"skill": ("counting",), "colour": ("blue",), "count": 4})
True
>>> where.matches({"skill": ("counting",), "colour": ("blue",), "count": 2})
False
>>> str(where)
'skill=counting and colour=blue and count>=3'

Text with an "and", a bar or a quote in it is written in double quotes, as in JSON:
`wording="is {the} and {that} red ?"`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from scotoma.core.errors import ConfigError

Tag = bool | int | str | tuple[str, ...]
"""One fact about a question: a scalar, or a tuple of strings read as a set (skills it needs, colours it names)."""

Tags = Mapping[str, Tag]


def skills_of(tags: Tags) -> tuple[str, ...]:
    """The skills that a question needs, as the tag `skill` has them: one, several or none."""
    skills = tags.get("skill", ())
    return skills if isinstance(skills, tuple) else (str(skills),)


Operator = Literal["=", "!=", ">=", "<=", "in"]

Scalar = bool | int | str
Value = Scalar | tuple[str, ...]
"""What a tag is compared with; a tuple holds the options of `in`."""

ANY = "any question"
"""How the empty predicate is written."""

_OPTION = r'(?:"(?:[^"\\]|\\.)*"|[^"|]+?)'
_CONDITION = re.compile(
    rf"\s*(?P<key>\w+)\s*(?P<op>!=|>=|<=|=|\bin\b)\s*(?P<value>{_OPTION}(?:\|{_OPTION})*)\s*(?:\sand\s|$)"
)
_BARE = re.compile(r'(?!and(?: |$))[^\s"|]+(?: (?!and(?: |$))[^\s"|]+)*')
"""Text that reads back without quotes."""


class Condition(BaseModel):
    """`key op value`. On a set-valued tag `=` means "contains". A question without the tag satisfies only `!=`.

    Text that looks like a whole number or a truth value is that number or truth value, so that a condition is the
    same whether it was built from a tag ("7", read off a sign) or read from its written form (digit=7).
    """

    model_config = ConfigDict(frozen=True)

    key: str = Field(pattern=r"^\w+$")
    op: Operator
    value: Value

    @field_validator("value")
    @classmethod
    def _canonical(cls, value: Value) -> Value:
        return scalar_of(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _options_belong_to_in(self) -> Condition:
        if isinstance(self.value, tuple) != (self.op == "in") or self.value == ():
            raise ValueError("`in`, and only `in`, takes a tuple of options, at least one")
        return self

    def matches(self, tags: Tags) -> bool:
        """Whether a question with these tags satisfies the condition."""
        present = tags.get(self.key)
        if isinstance(self.value, tuple):
            return any(_equals(present, option) for option in self.value)
        if self.op in ("=", "!="):
            return _equals(present, self.value) == (self.op == "=")
        if present is None or isinstance(present, str | tuple) or isinstance(self.value, str):
            return False
        return present >= self.value if self.op == ">=" else present <= self.value

    def __str__(self) -> str:
        if isinstance(self.value, tuple):
            return f"{self.key} in {'|'.join(map(_written, self.value))}"
        return f"{self.key}{self.op}{_written(self.value)}"


class Predicate(BaseModel):
    """A conjunction of conditions. The empty predicate matches every question."""

    model_config = ConfigDict(frozen=True)

    conditions: tuple[Condition, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Predicate:
        """Read `key op value and key op value …`; operators `= != >= <= in` (options of `in` split by `|`).

        Raises:
            ConfigError: when a condition cannot be read.
        """
        conditions: list[Condition] = []
        text = "" if text.strip() == ANY else text.strip()
        at = 0
        while at < len(text):
            match = _CONDITION.match(text, at)
            options = _options(match["value"]) if match else ()
            if match is None or not options or (len(options) > 1 and match["op"] != "in"):
                raise ConfigError(
                    f"cannot read the condition {text[at:]!r}",
                    hint="write conditions like skill=counting, count>=3 or colour in red|blue, joined by 'and'",
                )
            value = options if match["op"] == "in" else options[0]
            conditions.append(
                Condition.model_validate({"key": match["key"], "op": match["op"], "value": value})
            )
            at = match.end()
        return cls(conditions=tuple(conditions))

    def matches(self, tags: Tags) -> bool:
        """Whether a question with these tags belongs to the set."""
        return all(condition.matches(tags) for condition in self.conditions)

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions)) or ANY


def scalar_of(text: str) -> Scalar:
    """What a written value says: a whole number, a truth value or the text itself."""
    if text in ("true", "false"):
        return text == "true"
    # Only the one way a number is written: "07" stays text.
    return int(text) if re.fullmatch(r"0|-?[1-9][0-9]{0,999}", text) else text


def _options(written: str) -> tuple[str, ...]:
    """The options of one written value; empty when one of them cannot be read."""
    options = []
    for option in re.findall(_OPTION + r"(?=\||$)", written):
        if option.startswith('"'):
            try:
                options.append(str(json.loads(option)))
            except ValueError:
                return ()
        elif _BARE.fullmatch(bare := " ".join(option.split())):
            options.append(bare)
        else:
            return ()
    return tuple(options)


def _written(value: Scalar) -> str:
    text = word_of(value)
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def word_of(value: Scalar) -> str:
    """How a value is written; values that are written alike are one for every condition."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _equals(present: Tag | None, value: Scalar) -> bool:
    if isinstance(present, tuple):
        return word_of(value) in present
    return present is not None and word_of(present) == word_of(value)
