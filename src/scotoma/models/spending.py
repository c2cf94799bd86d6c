"""What an endpoint has cost so far, and the hard stop before it costs more than was allowed.

A request is admitted only if it would fit the budget together with all that are under way, each reckoned as the dearest
one yet seen. So the stop comes before the money is gone, not after; only the very first requests go out unreckoned,
because nobody knows yet what an image costs there.

    spending = Spending(Budget(max_usd=5, price_in=0.25, price_out=2))
    spending.admits(max_tokens=32)
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import Field, model_validator

from scotoma.store.configuration import Settings


class Budget(Settings):
    """Limits of one opened model; None: no limit. Prices are US dollars for a million tokens."""

    max_usd: float | None = Field(default=None, gt=0)
    max_tokens_total: int | None = Field(default=None, gt=0)
    price_in: float | None = Field(default=None, ge=0)
    price_out: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _dollars_need_prices(self) -> Budget:
        if self.max_usd is not None and (self.price_in is None or self.price_out is None):
            raise ValueError("max_usd needs price_in and price_out (US dollars for a million tokens)")
        return self

    def usd(self, tokens_in: int, tokens_out: int) -> float:
        """The price of these tokens; 0 without prices."""
        return (tokens_in * (self.price_in or 0.0) + tokens_out * (self.price_out or 0.0)) / 1e6


class Spending:
    """Requests, tokens and dollars of one opened model, this process only; replies from the cache are none of it.
    Requests `under_way` have not settled yet, and may leave something over.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.requests = 0
        self.tokens_in = 0
        self.tokens_out = 0
        self.under_way = 0
        self._longest_prompt = 0
        self._reserved_out = 0
        self._settled = asyncio.Event()

    @property
    def usd(self) -> float:
        """US dollars spent; 0 where no prices are known."""
        return self.budget.usd(self.tokens_in, self.tokens_out)

    def admits(self, max_tokens: int) -> bool:
        """Whether one more request, completed with up to `max_tokens`, is sure to stay within the budget."""
        # By what is known now: those that went out before the first reply are reckoned from then on.
        tokens_in = self.tokens_in + (self.under_way + 1) * self._longest_prompt
        tokens_out = self.tokens_out + self._reserved_out + max_tokens
        most = self.budget.max_tokens_total
        if most is not None and tokens_in + tokens_out > most:
            return False
        dollars = self.budget.max_usd
        return dollars is None or self.budget.usd(tokens_in, tokens_out) <= dollars

    async def room(self, max_tokens: int) -> bool:
        """Wait until one more request is admitted: those under way may leave something over. False where none is
        under way any more, so that it never will be.
        """
        while not self.admits(max_tokens):
            if not self.under_way:
                return False
            self._settled.clear()
            await self._settled.wait()
        return True

    @contextmanager
    def reserve(self, max_tokens: int) -> Iterator[Charge]:
        """Set aside what a request may cost while it is under way; what it did cost goes into the `Charge`."""
        self._reserved_out += max_tokens
        self.under_way += 1
        charge = Charge(self._longest_prompt, max_tokens)
        try:
            yield charge
        finally:
            self.under_way -= 1
            self._reserved_out -= max_tokens
            self.requests += 1
            self.tokens_in += charge.tokens_in
            self.tokens_out += charge.tokens_out
            self._longest_prompt = max(self._longest_prompt, charge.tokens_in)
            self._settled.set()

    def describe(self) -> str:
        """What was spent, for people."""
        tokens = f"{self.tokens_in + self.tokens_out:,} tokens in {self.requests:,} requests"
        return f"{tokens}, ${self.usd:.2f}" if self.budget.price_in is not None else tokens


class Charge:
    """What one request cost; nothing until `settle` is told otherwise."""

    def __init__(self, reserved_in: int, reserved_out: int) -> None:
        self._reserved = (reserved_in, reserved_out)
        self.tokens_in = 0
        self.tokens_out = 0

    def settle(self, tokens: tuple[int, int] | None, answered: bool) -> None:
        """`tokens` (in, out) as the server counted them. An answer without a count is reckoned at all that was set
        aside, a request without an answer at nothing: whether the server charges for it cannot be known.
        """
        if tokens is not None or answered:
            self.tokens_in, self.tokens_out = tokens or self._reserved
