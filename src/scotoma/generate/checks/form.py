"""Form: a question and an answer that can be read at all.

>>> from scotoma.core import ImageRecord
>>> picture = ImageRecord(id="ab12", source="mine")
>>> Form().reason(Draft(picture, "what is it ?", "cat", options=("dog", "cow")))
'not_an_option'
"""

from __future__ import annotations

import re

from scotoma.generate.checks.check import Check, Draft

_WORD = re.compile(r"[^\W_]")
_STOPS = " \t\n.,;:!?…'\"`*_"
"""What is no answer alone; "+" or "♥" may be one."""
_LEFTOVER = re.compile(r"\{\w*\}|\[\w+\]|<\w+>|```|(?:\bas an ai\b)", re.IGNORECASE)
"""What a template or a model leaves behind when it fails: an unfilled slot, markup, an excuse."""


class Form(Check):
    """Rejects what is empty, too long, garbled, or not among its own options.

    Args:
        longest_question: in characters, ≥ 1.
        longest_answer: in characters, ≥ 1; rewards compare short answers.
    """

    name = "form"

    def __init__(self, longest_question: int = 400, longest_answer: int = 80) -> None:
        self._longest_question = longest_question
        self._longest_answer = longest_answer

    def reason(self, draft: Draft) -> str | None:
        """`empty_question`, `empty_answer`, `long_question`, `long_answer`, `unparsable` or `not_an_option`."""
        answer = draft.answer or ""
        if not _WORD.search(draft.question):
            return "empty_question"
        if draft.answer is not None and not answer.strip(_STOPS):
            return "empty_answer"
        if len(draft.question) > self._longest_question:
            return "long_question"
        if len(answer) > self._longest_answer:
            return "long_answer"
        if _LEFTOVER.search(draft.question) or _LEFTOVER.search(answer):
            return "unparsable"
        if draft.options and answer.casefold() not in {option.casefold() for option in draft.options}:
            return "not_an_option"
        return None
