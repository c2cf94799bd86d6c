"""A budget that is set aside before a request is sent cannot be overrun by it."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from hypothesis import given
from hypothesis import strategies as st

from scotoma.models.options import EndpointOptions
from scotoma.models.spending import Budget, Spending
from scotoma.store.header import SPENDING


@given(
    most=st.integers(1, 5000),
    prompts=st.lists(st.integers(0, 100), min_size=1, max_size=60),
    longest=st.integers(1, 50),
    at_once=st.integers(1, 8),
)
def test_tokens_never_exceed_the_budget_once_a_prompt_is_known(
    most: int, prompts: list[int], longest: int, at_once: int
) -> None:
    spending = Spending(Budget(max_tokens_total=most))
    # The dearest prompt comes first, alone: from then on nothing is unknown.
    with spending.reserve(longest) as charge:
        charge.settle((max(prompts), longest), answered=True)
    first = spending.tokens_in + spending.tokens_out
    for start in range(0, len(prompts), at_once):
        with ExitStack() as under_way:
            for prompt in prompts[start : start + at_once]:
                if spending.admits(longest):
                    under_way.enter_context(spending.reserve(longest)).settle(
                        (prompt, longest), answered=True
                    )
        assert spending.under_way == 0
        assert spending.tokens_in + spending.tokens_out <= max(most, first)


def test_an_answer_without_a_count_is_reckoned_at_what_was_set_aside() -> None:
    spending = Spending(Budget())
    with spending.reserve(20) as charge:
        charge.settle((100, 5), answered=True)
    with spending.reserve(20) as charge:
        charge.settle(None, answered=True)
    with spending.reserve(20) as charge:
        charge.settle(None, answered=False)
    assert (spending.requests, spending.tokens_in, spending.tokens_out) == (3, 200, 25)


def test_a_request_that_was_stopped_gives_back_what_was_set_aside() -> None:
    spending = Spending(Budget(max_usd=1.0, price_in=0, price_out=1e5))
    try:
        with spending.reserve(10):
            assert not spending.admits(1)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert spending.admits(10)
    assert spending.usd == 0


def test_room_is_waited_for_while_a_request_is_under_way_and_denied_when_none_is() -> None:
    async def spend() -> list[bool]:
        spending = Spending(Budget(max_tokens_total=100))

        async def one(cost: int) -> bool:
            if not await spending.room(80):
                return False
            with spending.reserve(80) as charge:
                await asyncio.sleep(0.01)
                charge.settle((0, cost), answered=True)
            return True

        return await asyncio.gather(one(10), one(10), one(10))

    # 80 set aside, 10 spent: the second fits into the 90 that are left, the third into 80; a fourth would not.
    assert asyncio.run(spend()) == [True, True, True]
    tight = Spending(Budget(max_tokens_total=50))
    assert asyncio.run(tight.room(80)) is False


def test_every_option_of_an_endpoint_either_changes_answers_or_may_change_in_a_run() -> None:
    """A new one must be sorted into either, or a run that stopped at its budget could not go on with more of it."""
    assert set(SPENDING) == set(EndpointOptions.model_fields) - {"thinking_tokens", "structured"}
