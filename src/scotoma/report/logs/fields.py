"""The fields of a log's row as typed values, whatever the row holds: texts, scores, options, categories, pictures.

Nothing here raises: a value that cannot be what is asked for is None or empty.

>>> score_of("exact_match", 1.0), score_of("hit", "1"), score_of("gpt_score", 7)
(1.0, 1.0, None)
>>> columns_of({"l2-category": "Spatial", "prediction": "B"}, ())
{'l2_category': 'Spatial'}
"""

from __future__ import annotations

import ast
import base64
import binascii
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from scotoma.core import Tag
from scotoma.report.logs.record import Row, Wanted

_RIGHT = {"c", "true", "yes", "correct", "right", "1", "1.0"}
_WRONG = {"i", "false", "no", "incorrect", "wrong", "0", "0.0", "n"}
# Metrics whose value in [0, 1] is the share of the question that was answered rightly.
_SHARES = re.compile(
    r"(?:^|_)(?:exact_match|em|acc|accuracy|correct|correctness|is_correct|hit|match|anls|relaxed|vqa|pass|pass_rate)(?:_|$)"
)
# "correct_answer" and "match_type" tell what is right or how it was found, not whether the answer was.
_NO_METRIC = re.compile(r"(?:^|_)(?:answers?|options?|choices?|ids?|types?)(?:_|$)")
# Under these names other scales are usual too: only 0 and 1 are clear.
_MAYBE = re.compile(r"(?:^|_)(?:score|reward|eval_score|res|result|verdict)(?:_|$)")

# The allow-list matters: a column that tells the outcome ("log", "extracted") would be found as a perfect failure mode.
_CATEGORY = re.compile(
    r"(?:^|_)(?:categor(?:y|ies)|class|type|topics?|subject|sub_?field|sub_?domain|domain|discipline|field|skills?"
    r"|capabilit(?:y|ies)|abilit(?:y|ies)|task|sub_?task|split|subset|source|dataset|benchmark|difficulty|level"
    r"|language|lang|scenario|scene|modality|style|kind|aspect|dimension|tags?|genre|reasoning)$"
)
_MEANS_OUTCOME = re.compile(
    r"answer(?!_type)|predict|error|result|judg|score|correct|eval|fail|wrong|mistake"
)
_LONGEST_VALUE = 60

_FAILED = re.compile(
    r"\s*[\[(<*]*(?:failed to obtain answer"
    r"|(?:an? )?(?:api|http|server|connection|request|timeout)[ _-]?(?:call )?(?:error|failed|failure|timed out)"
    r"|error(?: code)?\s*[:#]?\s*[45]\d\d\b|error\s*[:\]]|traceback \(most recent call|rate[ _-]?limit"
    r"|(?:the )?request (?:was )?(?:failed|timed out)|cuda (?:error|out of memory)"
    r"|internal server error|too many requests|service unavailable)",
    re.IGNORECASE,
)
_LONGEST_FAILURE = 600


def written_out(value: Any) -> Any:
    """The list or dictionary that a text writes in Python's way, as tables hold them; any other value as it is."""
    if isinstance(value, str) and value[:1] in ("[", "{") and len(value) < 10_000:
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            return ast.literal_eval(value)
    return value


def text_of(value: Any) -> str | None:
    """The value as text that can be stored; None for nothing (null, NaN) and for what is no single value."""
    match value:
        case None | dict() | list() | tuple() | bytes():
            return None
        case str():
            # JSON may hold half a surrogate pair, which no file can.
            return value.encode("utf-8", "replace").decode()
        case float() if math.isnan(value):
            return None
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case int() if abs(value) >= 10**100:
            return f"{'-' if value < 0 else ''}10^{value.bit_length() * 301 // 1000} or so"
    return str(value)


def first_text(row: Row, names: Iterable[str]) -> str | None:
    """The first of these fields that holds text which is not blank."""
    texts = (text_of(row.get(name)) for name in names)
    return next((text for text in texts if text is not None and text.strip()), None)


def leaf_of(value: Any) -> str | None:
    """The first text in nested lists: `[["yes"]]` → `yes`."""
    return text_of(_leaf(value))


def _leaf(value: Any) -> Any:
    for _ in range(8):
        if not isinstance(value, list | tuple) or not value:
            break
        value = value[0]
    return value


def truths_of(value: Any, *, alternatives: bool = False) -> tuple[str, ...]:
    """The reference answers, most frequent first.

    A list is one truth, unless it has a single item or the tool means `alternatives` by a list (also by one written as
    text) and its items are texts: three numbers are an answer of three numbers.
    """
    listed = written_out(value)
    if isinstance(listed, list | tuple) and (alternatives or not isinstance(value, str)):
        leaves = [(leaf, text) for leaf in map(_leaf, listed) if (text := text_of(leaf)) and text.strip()]
        if len(leaves) <= 1 or (alternatives and all(isinstance(leaf, str) for leaf, _ in leaves)):
            return tuple(text for text, _ in Counter(text for _, text in leaves).most_common())
    text = _written(value)
    return () if text is None or not text.strip() else (text,)


def list_as_written(value: Any) -> str:
    """The text that writes a list; empty for anything else."""
    return value if isinstance(value, str) and isinstance(written_out(value), list | tuple) else ""


def _written(value: Any) -> str | None:
    """The value as text, a list too."""
    if isinstance(value, list | tuple):
        with suppress(ValueError, RecursionError):
            return text_of(json.dumps(value, ensure_ascii=False, default=str))
        return None
    return text_of(value)


def score_of(name: str, value: Any) -> float | None:
    """C_Q in [0, 1] where the metric's name and value leave no doubt, else None."""
    key = clean_key(name)
    share = _SHARES.search(key) is not None
    if _NO_METRIC.search(key) or (not share and not _MAYBE.search(key)):
        return None
    if isinstance(value, str):
        said = value.strip().lower()
        value = 1.0 if said in _RIGHT else 0.0 if said in _WRONG else None
    if isinstance(value, bool):
        return float(value)
    # A comparison, for a whole number may be too large for a float.
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        return None
    return float(value) if share or value in (0, 1) else None


def above_one(value: Any) -> bool:
    """Whether this is a number above 1: a metric that has one somewhere is no share, and its 1 may be its worst.

    >>> above_one(4), above_one("7.5"), above_one(1.0), above_one(True), above_one("Yes")
    (True, True, False, False, False)
    """
    if isinstance(value, str):
        with suppress(ValueError):
            value = float(value)
    return isinstance(value, int | float) and value > 1


def options_of(value: Any) -> dict[str, str]:
    """Letter → text from a list of options, also one written as text; lettered in order."""
    if isinstance(value, dict):
        texts = {str(key): text for key, item in value.items() if (text := text_of(item)) is not None}
        return texts if all(re.fullmatch("[A-Za-z]", key) for key in texts) else {}
    value = written_out(value)
    listed = value if isinstance(value, list | tuple) and len(value) <= 26 else ()
    texts = {chr(65 + at): text for at, item in enumerate(listed) if (text := text_of(item)) is not None}
    # "A. a cat" and "(A) a cat" name their own letter.
    return {letter: re.sub(rf"^\(?{letter}[.):]\s*", "", text) for letter, text in texts.items()}


def columns_of(row: Row, wanted: Wanted) -> dict[str, Tag]:
    """The categories of a row under clean keys, and the columns that are wanted beside the usual ones."""
    found: dict[str, Tag] = {}
    for name, value in row.items():
        key = clean_key(str(name))
        taken = wanted is None or key in wanted
        if not taken and (not _CATEGORY.search(key) or _MEANS_OUTCOME.search(key)):
            continue
        tag = _tag(value)
        if tag is not None and key:
            found.setdefault(key, tag)
    return found


def clean_key(name: str) -> str:
    """A key that a predicate can hold: lower case, `l2-category` → `l2_category`."""
    return re.sub(r"\W+", "_", name.strip().lower()).strip("_")[:_LONGEST_VALUE]


def failure_in(answer: str) -> str | None:
    """The infrastructure error that a tool wrote in place of an answer, or None for a real answer."""
    if not answer.strip():
        # A model that is silent looks the same as a call that failed, and must not be blamed for it.
        return "empty_answer"
    return "api_error" if len(answer) <= _LONGEST_FAILURE and _FAILED.match(answer) else None


def picture_of(value: Any) -> bytes | None:
    """The bytes of a picture: as they are, in a struct with `bytes`, or as base64 with or without a data URL."""
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    if isinstance(value, dict):
        value = value.get("bytes") or value.get("url") or value.get("image")
    if isinstance(value, bytes):
        return value or None
    if not isinstance(value, str) or len(value) < 64:
        return None
    try:
        return base64.b64decode(value.partition("base64,")[2] or value, validate=True) or None
    except (binascii.Error, ValueError):
        return None


def _tag(value: Any) -> Tag | None:
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 10**9):
        return value
    if isinstance(value, list | tuple):
        texts = {text for item in value[:50] if (text := _short(item)) is not None}
        return tuple(sorted(texts)) or None
    return _short(value)


def _short(value: Any) -> str | None:
    text = text_of(value)
    text = None if text is None else " ".join(text.split())
    return text if text and len(text) <= _LONGEST_VALUE else None
