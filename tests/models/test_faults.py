"""What a failure means is decided from what the server says, and nothing it says is a traceback."""

from __future__ import annotations

import email.utils
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scotoma.core import ModelError
from scotoma.models.completions import Completion, read_completion
from scotoma.models.faults import (
    FIRST_WAIT,
    LONGEST_BACKOFF,
    Fault,
    backoff,
    fault_of_status,
    seconds_to_wait,
)

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "content", "usage", "error", "code", "finish_reason", "text", "type"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def read(text: str) -> Completion | Fault | ModelError:
    try:
        return read_completion(text)
    except ModelError as error:
        return error


@given(documents)
def test_any_json_is_a_completion_or_a_fault(document: Any) -> None:
    assert isinstance(read(json.dumps(document)), Completion | Fault | ModelError)


@given(st.text(max_size=200))
def test_any_text_is_a_completion_or_a_fault(text: str) -> None:
    assert isinstance(read(text), Completion | Fault | ModelError)


@given(st.integers(0, 200))
def test_a_reply_cut_off_anywhere_is_unparsable_and_worth_asking_again(cut: int) -> None:
    text = json.dumps({"choices": [{"message": {"content": "a long answer " * 10}, "finish_reason": "stop"}]})
    reading = read(text[: min(cut, len(text) - 1)])
    assert isinstance(reading, Fault)
    assert (reading.kind, reading.transient) == ("unparsable", True)


def test_deep_nesting_is_unparsable() -> None:
    reading = read("[" * 200_000)
    assert isinstance(reading, Fault)
    assert reading.kind == "unparsable"


@given(st.integers(0, 10**6), st.integers(0, 2 * 10**9))
def test_retry_after_is_seconds_or_a_date(seconds: int, now: int) -> None:
    assert seconds_to_wait(str(seconds), now) == seconds
    date = email.utils.formatdate(now + seconds, usegmt=True)
    assert seconds_to_wait(date, now) == seconds
    assert seconds_to_wait(date, now + seconds + 5) == 0


@given(st.text(max_size=40))
def test_a_retry_after_that_says_nothing_is_no_wait(text: str) -> None:
    assert seconds_to_wait(text, 0.0) >= 0
    assert seconds_to_wait(None, 0.0) == 0


@given(st.integers(0, 5000))
def test_back_off_doubles_to_a_minute_with_jitter(attempt: int) -> None:
    span = min(FIRST_WAIT * 2.0 ** min(attempt, 40), LONGEST_BACKOFF)
    assert span / 2 <= backoff(attempt) <= span


@pytest.mark.parametrize(
    ("status", "message", "kind", "transient", "overload"),
    [
        (429, "", "rate_limit", True, True),
        (500, "", "crashed", True, True),
        (529, "overloaded", "crashed", True, True),
        (504, "", "timeout", True, True),
        (408, "", "timeout", True, False),
        (400, "context_length_exceeded: …", "too_long", False, False),
        (400, "The prompt is longer than max_model_len of 4096", "too_long", False, False),
        (413, "", "too_long", False, False),
        (400, "Invalid image: cannot identify image file", "bad_image", False, False),
        (400, "no", "refused", False, False),
        (451, "", "refused", False, False),
    ],
)
def test_every_status_has_its_meaning(
    status: int, message: str, kind: str, transient: bool, overload: bool
) -> None:
    fault = fault_of_status(status, message)
    assert (fault.kind, fault.transient, fault.overload) == (kind, transient, overload)


@pytest.mark.parametrize(
    ("status", "message"),
    [(401, ""), (403, ""), (404, ""), (402, ""), (429, "insufficient_quota: …"), (400, "model_not_found: x")],
)
def test_what_is_the_same_for_all_stops_all(status: int, message: str) -> None:
    with pytest.raises(ModelError) as stopped:
        fault_of_status(status, message)
    assert stopped.value.hint


def reply(content: str | None, finish: str, **usage: Any) -> str:
    choice = {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": content}}
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 64, **usage}})


def test_tokens_that_went_into_hidden_thinking_are_no_answer() -> None:
    hidden = reply("", "length", completion_tokens_details={"reasoning_tokens": 64})
    found = read_completion(hidden)
    assert isinstance(found, Fault)
    assert found.kind == "too_long"


@pytest.mark.parametrize("content", ["", None])
def test_silence_is_an_answer_and_an_empty_text_that_took_many_tokens_is_none(content: str | None) -> None:
    silent = read_completion(reply(content, "stop", completion_tokens=1))
    assert isinstance(silent, Completion)
    assert silent.text == ""
    lost = read_completion(reply(content, "stop", completion_tokens=3))
    assert isinstance(lost, Fault)
    assert (lost.kind, lost.transient, lost.tokens) == ("unparsable", True, (9, 3))
    assert isinstance(read_completion(reply("\n\n\n", "stop", completion_tokens=3)), Completion)


@pytest.mark.parametrize(
    "finish",
    [
        "content_filter",
        "content_filter: PROHIBITED_CONTENT",
        "SAFETY",
        "RECITATION",
        "PROHIBITED_CONTENT",
        "BLOCKLIST",
    ],
)
def test_what_a_filter_withheld_is_no_answer(finish: str) -> None:
    found = read_completion(reply("the beginning of", finish))
    assert isinstance(found, Fault)
    assert (found.kind, found.transient) == ("refused", False)
    bare = read_completion(json.dumps({"choices": [{"finish_reason": finish}]}))
    assert isinstance(bare, Fault)
    assert bare.kind == "refused"


@pytest.mark.parametrize(("finish", "content"), [("error", ""), ("abort", "the st"), ("error", None)])
def test_what_the_server_broke_off_is_no_answer(finish: str, content: str | None) -> None:
    found = read_completion(reply(content, finish))
    assert isinstance(found, Fault)
    assert (found.kind, found.transient) == ("crashed", True)


def test_an_upstream_error_in_the_choice_is_told() -> None:
    choice = {
        "finish_reason": "stop",
        "error": {"code": 502, "message": "provider"},
        "message": {"content": ""},
    }
    found = read_completion(json.dumps({"choices": [choice]}))
    assert isinstance(found, Fault)
    assert found.message == "provider"


def test_half_an_emoji_can_be_kept() -> None:
    found = read_completion(reply("red \ud83d", "stop"))
    assert isinstance(found, Completion)
    assert found.text.encode() == b"red ?"


def test_a_flagged_request_is_refused_and_the_run_goes_on() -> None:
    assert fault_of_status(403, "Your input was flagged by moderation").kind == "refused"
    with pytest.raises(ModelError, match="refuses access"):
        fault_of_status(403, "invalid api key")
