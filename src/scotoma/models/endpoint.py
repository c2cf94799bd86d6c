"""A model behind any OpenAI-compatible server: vLLM, SGLang, `transformers serve`, or a hosted one.

Many requests at once, as many as the server bears; patience with what passes; one typed error per item that stays
unanswered; and a stop, with what to do about it, where all items would fail alike or the budget would be overrun.
Replies are kept in a cache as they come, so that nothing is paid for twice.

    model = EndpointModel("Qwen/Qwen2.5-VL-7B-Instruct", "http://localhost:8000/v1")
    model.answer([Request(images=(record,), text="what colour is the star ?")])[0].text
    model.spending.describe()  # "81 tokens in 1 requests"

The key comes from the environment and goes nowhere but to the server: not into names, caches, ledgers or messages.
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

from scotoma.core import BudgetError, ImageError, Reply, ReplyError, Request, ScotomaError, StorageError
from scotoma.models.background import BackgroundLoop
from scotoma.models.completions import Completion
from scotoma.models.concurrency import AdaptiveLimit, Outcome, Slots
from scotoma.models.data_url import DataURLs
from scotoma.models.faults import Fault, backoff
from scotoma.models.options import EndpointOptions
from scotoma.models.server import Server
from scotoma.models.spec import server_of
from scotoma.models.spending import Spending
from scotoma.store.responses import ResponseCache, default_cache, response_key

_LOG = logging.getLogger(__name__)

_SAID_EVERY = 60.0
"""Seconds between two words about a server that has to be asked again: patience must not look like a hang."""

_TIMEOUT_RETRIES = 2
"""A request that ran into the timeout thrice will again, and each time costs the whole timeout."""


class EndpointModel:
    """Implements `core.ChatModel`. Usable from plain code and from several threads; connections outlive a call."""

    def __init__(
        self, model: str, base_url: str | None = None, options: EndpointOptions | None = None
    ) -> None:
        """`base_url` is OPENAI_BASE_URL, else OpenAI's own, where it is not given.

        Raises:
            ModelError: the key that a hosted server needs is not in the environment.
            StorageError: the response cache cannot be used.
        """
        options = options or EndpointOptions()
        self.base_url = server_of(base_url)
        self.name = f"openai:{model}@{self.base_url}"
        self.spending = Spending(options)
        self._model = model
        self._options = options
        self._server = Server(
            model,
            self.base_url,
            options.key_env,
            options.timeout,
            options.thinking_tokens,
            options.structured,
        )
        self._cache = _open_cache(options.cache)
        self._cache_failure: StorageError | None = None
        self._slots = Slots(AdaptiveLimit(options.concurrency))
        self._said = -_SAID_EVERY
        self._loop = BackgroundLoop("scotoma-endpoint")
        self._close = weakref.finalize(self, _close, self._loop, self._server, self._cache)

    @property
    def concurrency(self) -> int:
        """How many requests the server is sent at once, as things stand."""
        return self._slots.limit.value

    @property
    def left_out(self) -> frozenset[str]:
        """Sampling fields that the server refuses and is no longer sent (`temperature`, `seed` …)."""
        return self._server.dialect.left_out

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        """One reply per request, in order. Equal requests are asked once. A reply's `latency` is that of the attempt
        which brought it; from the cache, what it was then.

        Raises:
            ModelError: the server cannot be reached, knows no such model, or refuses the key.
            BudgetError: the next request might overrun the budget. What was paid for is in the cache.
            StorageError: the cache cannot be read, or could not be written during an earlier call.
        """
        if self._cache_failure is not None:
            raise self._cache_failure
        keys = [self._key(request) for request in requests]
        replies = self._cache.get(list(dict.fromkeys(keys))) if self._cache is not None else {}
        unknown = {key: request for key, request in zip(keys, requests, strict=True) if key not in replies}
        if unknown:
            replies |= self._loop.run(self._ask_all(unknown))
        return [replies[key] for key in keys]

    def close(self) -> None:
        """Close connections and cache; happens by itself when the model goes out of use."""
        self._close()

    def _key(self, request: Request) -> str:
        told: dict[str, str | int] = {}
        if self._options.thinking_tokens:
            told["thinking_tokens"] = self._options.thinking_tokens
        if self._options.structured != "off" and request.reply_schema is not None:
            told["reply_schema"] = request.reply_schema
        return response_key(self._model, self.base_url, request, told)

    async def _ask_all(self, asked: Mapping[str, Request]) -> dict[str, Reply]:
        urls = DataURLs(record for request in asked.values() for record in request.images)
        replies: dict[str, Reply] = {}

        async def ask(key: str, request: Request) -> None:
            replies[key] = await self._ask(key, request, urls)
            urls.release(request.images)

        try:
            async with asyncio.TaskGroup() as group:
                for key, request in asked.items():
                    group.create_task(ask(key, request))
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        return replies

    async def _ask(self, key: str, request: Request, urls: DataURLs) -> Reply:
        """One request on its way: attempts, until there is a reply or no hope of one."""
        began = time.monotonic()
        attempt = 0
        while True:
            epoch = await self._slots.enter(retry=attempt > 0)
            outcome = Outcome.NEUTRAL
            try:
                await self._server.patience()
                began = time.monotonic()
                reading = await self._attempt(key, request, urls)
                outcome = _outcome(reading, first=attempt == 0)
            finally:
                self._slots.leave(epoch, outcome)
            if isinstance(reading, Reply):
                return reading
            if not reading.transient or attempt >= self._retries(reading):
                if reading.silent:
                    await self._server.check_alive(since=began)
                return Reply(error=ReplyError(reading.kind, reading.message))
            self._say(reading)
            if reading.wait:
                self._server.slow_down(reading.wait)
            await asyncio.sleep(backoff(attempt))
            attempt += 1

    def _say(self, fault: Fault) -> None:
        if time.monotonic() - self._said >= _SAID_EVERY:
            self._said = time.monotonic()
            _LOG.warning("%s: %s; it is asked again", self.name, fault.message)

    async def _attempt(self, key: str, request: Request, urls: DataURLs) -> Reply | Fault:
        try:
            encoded = [await urls.get(record) for record in request.images]
        except ImageError as error:
            return Fault("bad_image", str(error))
        most = self._most_tokens(request)
        if not await self.spending.room(most):
            raise BudgetError(
                f"the budget of {self.name} holds no further request: {self.spending.describe()}",
                hint="what was answered is in the cache: raise max_usd or max_tokens_total and run it again",
            )
        started = time.perf_counter()
        with self.spending.reserve(most) as charge:
            reading = await self._server.attempt(request, encoded)
            charge.settle(reading.tokens, answered=isinstance(reading, Completion))
        if isinstance(reading, Fault):
            return reading
        tokens_in, tokens_out = reading.tokens or (0, 0)
        reply = Reply(reading.text, tokens_in, tokens_out, time.perf_counter() - started)
        self._keep(key, reply)
        return reply

    def _keep(self, key: str, reply: Reply) -> None:
        """Into the cache. A reply that cannot be written is handed over all the same, and stops the next call."""
        if self._cache is not None and self._cache_failure is None:
            try:
                self._cache.put(key, self.name, reply)
            except StorageError as error:
                self._cache_failure = error

    def _most_tokens(self, request: Request) -> int:
        return request.sampling.max_tokens + self._options.thinking_tokens

    def _retries(self, fault: Fault) -> int:
        most = self._options.retries
        return min(most, _TIMEOUT_RETRIES) if fault.kind == "timeout" else most


def _outcome(reading: Reply | Fault, first: bool) -> Outcome:
    """A 500 that one request meets again and again says something of the request; 429 is always about load."""
    if isinstance(reading, Reply):
        return Outcome.SUCCESS
    return (
        Outcome.OVERLOAD if reading.overload and (first or reading.kind == "rate_limit") else Outcome.NEUTRAL
    )


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    """What to raise for all: a mistake of ours before an error with a hint."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [failures]
    while pending:
        failure = pending.pop()
        if isinstance(failure, BaseExceptionGroup):
            pending += failure.exceptions
        else:
            leaves.append(failure)
    return next((leaf for leaf in leaves if not isinstance(leaf, ScotomaError)), leaves[0])


def _open_cache(where: str) -> ResponseCache | None:
    if where == "off":
        return None
    return ResponseCache.open(default_cache() if where == "on" else Path(where).expanduser())


def _close(loop: BackgroundLoop, server: Server, cache: ResponseCache | None) -> None:
    try:
        loop.close(server.close())
    finally:
        if cache is not None:
            cache.close()
