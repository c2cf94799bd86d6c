"""What went wrong with one attempt, and what follows from it: ask again, give up on the item, or stop altogether.

    fault = fault_of_status(429, "slow down", {"retry-after": "3"})
    fault.transient, fault.overload, fault.wait  # True, True, 3.0

What will fail for every item (a wrong key, an unknown model, an empty account) is raised once, as a `ModelError`, and
not counted thousands of times.
"""

from __future__ import annotations

import email.utils
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from scotoma.core import ModelError
from scotoma.core.chat import FaultKind

LONGEST_WAIT = 300.0
"""Seconds. A server that asks for more patience than this is not waited for."""

FIRST_WAIT, LONGEST_BACKOFF = 0.5, 60.0
"""Seconds: the first wait before asking again, and the longest that it doubles to."""

_FLAGGED = re.compile(r"moderat|flagged|content.?(?:policy|filter)", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model_not_found|model.{0,200}(not found|does not exist)|server is pinned to", re.IGNORECASE
)
_TOO_LONG = re.compile(
    r"context.{0,12}(length|window|size)|maximum.{0,20}(length|tokens)|max_model_len|too (long|many tokens|large)"
    r"|reduce the (length|size)|exceeds? the .{0,30}(limit|length|tokens)",
    re.IGNORECASE,
)
_BAD_IMAGE = re.compile(
    r"(invalid|unsupported|cannot|could not|failed|unable|corrupt|truncated).{0,60}image"
    r"|image.{0,60}(invalid|unsupported|cannot|could not|failed|corrupt|truncated)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Fault:
    """A failed attempt. `transient`: may go better if asked again; `overload`: the server says it is too much;
    `wait`: seconds before which it wants no new attempt; `tokens`: (in, out) that it charged all the same; `silent`:
    the server said nothing at all.
    """

    kind: FaultKind
    message: str
    transient: bool = False
    overload: bool = False
    wait: float = 0.0
    tokens: tuple[int, int] | None = None
    silent: bool = False


def fault_of_status(status: int, message: str, headers: Mapping[str, str] | None = None) -> Fault:
    """What an HTTP status other than 200 means.

    Raises:
        ModelError: it will be the same for every request.
    """
    wait = seconds_to_wait((headers or {}).get("retry-after"), time.time())
    if status == 403 and _FLAGGED.search(message):
        return Fault("refused", message)  # one request's content, as gateways tell it; not the key
    if status in (401, 403):
        raise ModelError(
            f"the endpoint refuses access ({status}): {message}",
            hint="the key comes from the variable OPENAI_API_KEY, or the one that ?key_env=NAME names",
        )
    if status == 404 or (status in (400, 422) and _NO_MODEL.search(message)):
        raise ModelError(
            f"the endpoint knows no such model or address ({status}): {message}",
            hint="check the model's name; a base URL usually ends in /v1",
        )
    if status == 402 or (status == 429 and "insufficient_quota" in message):
        raise ModelError(
            f"the endpoint's account is empty ({status}): {message}",
            hint="top it up and run the same command again: what was answered is in the cache",
        )
    if status == 429:
        return Fault("rate_limit", message, transient=True, overload=True, wait=wait)
    if status in (408, 504):
        return Fault("timeout", message, transient=True, overload=status == 504, wait=wait)
    if status >= 500:
        return Fault("crashed", f"{status}: {message}", transient=True, overload=True, wait=wait)
    if status in (409, 425):
        return Fault("crashed", f"{status}: {message}", transient=True, wait=wait)
    if status == 413 or _TOO_LONG.search(message):
        return Fault("too_long", message)
    if _BAD_IMAGE.search(message):
        return Fault("bad_image", message)
    return Fault("refused", f"{status}: {message}")


def seconds_to_wait(retry_after: str | None, now: float) -> float:
    """The seconds in a Retry-After header, a number or an HTTP date (RFC 9110, 10.2.3); 0 if it says nothing."""
    if retry_after is None:
        return 0.0
    text = retry_after.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError, TypeError):
        return 0.0


def backoff(attempt: int) -> float:
    """Seconds before the attempt after number `attempt` (from 0): exponential from half a second to a minute, jittered
    so that those who failed together do not come back together.
    """
    span = min(FIRST_WAIT * 2.0 ** min(attempt, 30), LONGEST_BACKOFF)
    return span * random.uniform(0.5, 1.0)
