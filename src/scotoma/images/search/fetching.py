"""Fetching from the web what a stranger has named: little, soon over, of one kind, and never from a private address.

Names are resolved once, every address they lead to is checked, and the connection goes to just those: a name that
resolves differently a moment later (DNS rebinding) gains nothing. A redirect is a new URL, checked like the first.
Proxies of the environment are not used: behind one nobody here could say where a connection goes.

    picture = fetch_picture("https://example.org/cups.jpg", Limits())
    picture.data, picture.attributes
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

import scotoma
from scotoma.core import ImageError, Tag
from scotoma.images.attributes import attributes
from scotoma.images.decoding import look
from scotoma.images.search.addresses import is_public

Refusal = Literal["address", "redirects", "type", "size", "time", "status", "unreachable", "unreadable"]
"""Why nothing was fetched. `address`: it is not public, or the URL is none that we open."""

_Place = tuple[Any, ...]
"""What `socket.getaddrinfo` says of one address."""

_CHUNK = 1 << 16


class Unfetchable(ImageError):
    """Nothing was fetched; `reason` is one of few, to be counted."""

    def __init__(self, reason: Refusal, message: str) -> None:
        super().__init__(message)
        self.reason: Refusal = reason


@dataclass(frozen=True)
class Limits:
    """Of one fetch: bytes of the body, pixels of the picture, seconds in all, and redirects that are followed.

    `permitted` says which addresses may be asked; tests let it permit their own.
    """

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    timeout: float = 20.0
    redirects: int = 3
    permitted: Callable[[str], bool] = field(default=is_public)


@dataclass(frozen=True)
class Picture:
    """The bytes as they came, whole and decodable, and what the picture is like."""

    data: bytes
    attributes: Mapping[str, Tag]


def fetch_picture(url: str, limits: Limits) -> Picture:
    """A picture, decoded to its end to see that it is one.

    Raises:
        Unfetchable: see `Refusal`.
    """
    data = fetch(url, limits, types=("image/",))
    seen = look(data, limits.max_pixels)
    if isinstance(seen, str):
        raise Unfetchable("size" if seen == "too large" else "unreadable", f"{url}: {seen}")
    return Picture(data, attributes(seen.thumbnail, seen.size))


def fetch(
    url: str,
    limits: Limits,
    *,
    types: Sequence[str],
    headers: Mapping[str, str] | None = None,
    document: Mapping[str, Any] | None = None,
) -> bytes:
    """The body of a GET, or of a POST of `document`, whose content type starts with one of `types`.

    `headers` go to the first host only, as they may hold a key; what is posted is never redirected.

    Raises:
        Unfetchable: see `Refusal`.
    """
    try:
        return asyncio.run(_fetch(URL(url), limits, tuple(types), dict(headers or {}), document))
    except TimeoutError as error:
        raise Unfetchable("time", f"{url} took more than {limits.timeout:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unfetchable("unreachable", f"{url}: {error or type(error).__name__}") from error


async def _fetch(
    url: URL,
    limits: Limits,
    types: tuple[str, ...],
    headers: dict[str, str],
    document: Mapping[str, Any] | None,
) -> bytes:
    async with asyncio.timeout(limits.timeout):
        for _ in range(limits.redirects + 1):
            answer = await _ask(url, limits, types, headers, document)
            if isinstance(answer, bytes):
                return answer
            if document is not None:
                raise Unfetchable("redirects", f"{url} redirects what was posted to it")
            headers = headers if answer.origin() == url.origin() else {}
            url = answer
    raise Unfetchable("redirects", f"more than {limits.redirects} redirects, at last to {url}")


async def _ask(
    url: URL,
    limits: Limits,
    types: tuple[str, ...],
    headers: Mapping[str, str],
    document: Mapping[str, Any] | None,
) -> bytes | URL:
    """The body, or where it is said to be."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=_Pinned(await _addresses(url, limits)), force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        # A compressed body may be a thousand times larger than what was sent.
        auto_decompress=False,
        headers={"User-Agent": f"scotoma/{scotoma.__version__}", "Accept-Encoding": "identity"},
    )
    method = "GET" if document is None else "POST"
    async with (
        session,
        session.request(method, url, json=document, headers=headers, allow_redirects=False) as response,
    ):
        if response.status in (301, 302, 303, 307, 308) and "Location" in response.headers:
            return url.join(URL(response.headers["Location"]))
        if response.status != 200:
            raise Unfetchable("status", f"{url} answers {response.status}")
        if not response.content_type.startswith(types):
            raise Unfetchable("type", f"{url} is {response.content_type}, not {' or '.join(types)}")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Unfetchable("type", f"{url} is compressed, which was not asked for")
        body = bytearray()
        async for chunk in response.content.iter_chunked(_CHUNK):
            body += chunk
            if len(body) > limits.max_bytes:
                raise Unfetchable("size", f"{url} has more than {limits.max_bytes:,} bytes")
        return bytes(body)


async def _addresses(url: URL, limits: Limits) -> list[ResolveResult]:
    """Every address of the URL's host, all of them permitted."""
    if url.scheme not in ("http", "https") or url.host is None or url.user is not None:
        raise Unfetchable("address", f"{url.scheme}: URLs and such with a name or password are not opened")
    port = url.port or 0
    found = await _looked_up(url.host, port)
    addresses = [
        ResolveResult(
            hostname=url.host,
            host=str(place[0]),
            port=port,
            family=family,
            proto=protocol,
            flags=socket.AI_NUMERICHOST,
        )
        for family, _, protocol, _, place in found
    ]
    if not addresses or not all(limits.permitted(each["host"]) for each in addresses):
        raise Unfetchable("address", f"{url.host} is no public address")
    return addresses


async def _looked_up(host: str, port: int) -> list[_Place]:
    """`socket.getaddrinfo` in a thread that nobody waits for: the loop's own are joined at its end, however long a
    name server is silent.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[_Place]] = loop.create_future()

    def tell(answer: list[_Place] | OSError | UnicodeError) -> None:
        if found.done():
            return  # too late: the time is up
        if isinstance(answer, OSError | UnicodeError):
            found.set_exception(answer)
        else:
            found.set_result(answer)

    def ask() -> None:
        answer: list[_Place] | OSError | UnicodeError
        try:
            answer = list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:  # the latter of a host that is no name: "a..b"
            answer = error
        with suppress(RuntimeError):  # the loop is closed: the time is up
            loop.call_soon_threadsafe(tell, answer)

    threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    return await found


class _Pinned(AbstractResolver):
    """Knows the addresses that were checked, and no others."""

    def __init__(self, addresses: Sequence[ResolveResult]) -> None:
        self._addresses = list(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses, whatever is asked for: a session here knows one host."""
        return self._addresses

    async def close(self) -> None:
        """Nothing is open."""
