"""One OpenAI-compatible server: one attempt at a time, in the fields that it takes, and what its failures mean.

Built on aiohttp alone: with the official `openai` client on top of it a request takes three times the processor time.
How often and when to ask again is decided where all requests are seen (`scotoma.models.endpoint`).

    server = Server("gpt-5-mini", "https://api.openai.com/v1", key_env="OPENAI_API_KEY", timeout=120)
    reading = await server.attempt(request, urls)  # a Completion, or the Fault that it is
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import Iterator, Sequence

import aiohttp

from scotoma.core import ModelError, Request
from scotoma.models.completions import Completion, Dialect, Structured, read_completion, request_body
from scotoma.models.faults import LONGEST_WAIT, Fault, fault_of_status
from scotoma.models.options import NO_KEY
from scotoma.models.session import CONNECT_SECONDS, open_session, read_key, read_proxy


class Server:
    """A model on a server. Belongs to one event loop; what it learns (dialect, pauses, signs of life) serves all."""

    def __init__(
        self,
        model: str,
        base_url: str,
        key_env: str,
        timeout: float,
        thinking_tokens: int = 0,
        structured: Structured = "off",
    ) -> None:
        """`timeout`: seconds for one whole attempt, however slowly the reply drips.

        Raises:
            ModelError: the key that a hosted server needs is not in the environment, or the proxy there is not HTTP's.
        """
        self.base_url = base_url
        self.dialect = Dialect()
        self._model = model
        self._timeout = timeout
        self._thinking_tokens = thinking_tokens
        self._structured = structured
        self._secret = read_key(key_env, base_url)
        self._proxy = read_proxy(base_url)
        self._session: aiohttp.ClientSession | None = None
        self._heard_at: float | None = None
        self._not_before = 0.0

    async def attempt(self, request: Request, urls: Sequence[str]) -> Completion | Fault:
        """Ask once; again at once where the server refuses a field that it can be asked without.

        Raises:
            ModelError: what went wrong would go wrong with every request.
        """
        while True:
            dialect = self.dialect
            reading = await self._post(
                request_body(self._model, request, urls, dialect, self._thinking_tokens, self._structured)
            )
            if not (isinstance(reading, Fault) and reading.kind == "refused"):
                return reading
            if self.dialect == dialect:  # else another request has learned it meanwhile
                learned = dialect.learn(reading.message)
                if learned is None:
                    return reading
                self.dialect = learned

    async def check_alive(self, since: float) -> None:
        """Tell one request's trouble from a server that is gone: if nothing was heard `since`, knock once.

        Raises:
            ModelError: nobody answers.
        """
        if self._heard_at is not None and self._heard_at >= since:
            return
        seconds = min(self._timeout, CONNECT_SECONDS)
        try:
            async with (
                asyncio.timeout(seconds),
                self._connections().get(f"{self.base_url}/models", allow_redirects=False),
            ):
                pass  # any status is a sign of life
        except TimeoutError:
            raise self._unreachable(f"no answer within {seconds:g} s") from None
        except Exception as error:  # as in `_post`
            raise self._unreachable(self._without_secret(_root(error))) from None
        self._heard_at = time.monotonic()

    async def patience(self) -> None:
        """Wait as long as the server has asked everybody to."""
        while (seconds := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(seconds)

    def slow_down(self, wait: float) -> None:
        """The server asks for `wait` seconds of peace.

        Raises:
            ModelError: that is too long to sit and wait.
        """
        if wait > LONGEST_WAIT:
            raise ModelError(
                f"{self.base_url} takes no more requests for {wait:,.0f} s",
                hint="run the same command again then: what was answered is in the cache",
            )
        self._not_before = max(self._not_before, time.monotonic() + wait)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _connections(self) -> aiohttp.ClientSession:
        """Made when first wanted, because it belongs to the event loop on which it is made."""
        if self._session is None:
            self._session = open_session(self._secret, self._proxy, self._timeout)
        return self._session

    async def _post(self, body: bytes) -> Completion | Fault:
        try:
            # Followed, a redirect would turn most POSTs into GETs, and lead to a server that nobody named.
            async with (
                asyncio.timeout(self._timeout) as limit,
                self._connections().post(
                    f"{self.base_url}/chat/completions", data=body, allow_redirects=False
                ) as response,
            ):
                text = await response.text(errors="replace")
        except Exception as error:  # transports raise more than aiohttp translates; all of it is the line's
            if limit.expired():
                said = f"no answer within {self._timeout:g} s"
                return Fault("timeout", said, transient=True, overload=True, silent=True)
            said = self._without_secret(_root(error))
            if self._heard_at is None and any(map(_means_nobody, _causes(error))):
                raise self._unreachable(said) from None
            return Fault("crashed", f"the connection broke: {said}", transient=True, silent=True)
        self._heard_at = time.monotonic()
        if response.status < 300:
            return read_completion(text)
        if response.status < 400 and (where := response.headers.get("Location")):
            raise self._moved(where.partition("?")[0], response.status)
        said = self._without_secret(_said(text) or response.reason or "no reason given")
        return fault_of_status(response.status, said, response.headers)

    def _unreachable(self, said: str) -> ModelError:
        return ModelError(
            f"nobody answers at {self.base_url}: {said}",
            hint="start the server, or check the address after the @ of the model spec",
        )

    def _moved(self, where: str, status: int) -> ModelError:
        return ModelError(
            f"{self.base_url} redirects to {self._without_secret(where)} ({status}), where no request follows",
            hint="if the model is served there, write that server's base URL after the @ of the model spec",
        )

    def _without_secret(self, text: str) -> str:
        return text if self._secret == NO_KEY else text.replace(self._secret, "…")


def _said(text: str) -> str:
    """The server's own words, with its error code, which often says more."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()
    body = (document.get("error") or document) if isinstance(document, dict) else document
    if not isinstance(body, dict):
        return str(body or "")
    words = next((body[name] for name in ("message", "detail", "error") if body.get(name)), body)
    code = body.get("code")
    return f"{code}: {words}" if isinstance(code, str) and code else str(words)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what lies beneath it."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _root(error: BaseException) -> str:
    """What lies at the bottom, in words, on one line."""
    said = [words for cause in _causes(error) if (words := " ".join(_words(cause).split()))]
    return said[-1] if said else type(error).__name__


def _words(error: BaseException) -> str:
    # Written out, these two are a status (of aiohttp's own making) and a URL (that of a proxy with its password).
    if isinstance(error, aiohttp.http.HttpProcessingError | aiohttp.ClientResponseError):
        return error.message
    return str(error)


def _means_nobody(error: BaseException) -> bool:
    """Whether nothing that is sent there can ever arrive."""
    return isinstance(
        error,
        ConnectionRefusedError
        | socket.gaierror
        | aiohttp.ClientConnectorDNSError
        | ssl.SSLCertVerificationError
        | aiohttp.InvalidURL,
    )
