"""An HTTP session with one server: the key from the environment, the proxy, and for how long a connection is kept.

How a request is put, and what becomes of its failure, is decided in `scotoma.models.server`.

    session = open_session(read_key("OPENAI_API_KEY", base_url), read_proxy(base_url), timeout=120)
    async with session.post(f"{base_url}/chat/completions", data=body) as response: ...
"""

from __future__ import annotations

import ipaddress
import os
import urllib.request
from urllib.parse import urlsplit

import aiohttp

import scotoma
from scotoma.core import ModelError
from scotoma.models.options import NO_KEY

CONNECT_SECONDS = 10.0
"""The longest that a server may take to pick up, however long it may take to answer."""

_IDLE_SECONDS = 4.0
"""An idle connection is closed after so long: vLLM closes its own after five, perhaps just as a request comes."""

_ENVIRONMENT_HEADERS = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
"""Who pays, for keys that belong to several: the variables that OpenAI's own clients read."""


def open_session(key: str, proxy: str | None, timeout: float) -> aiohttp.ClientSession:
    """A session that sends the key with every request. It belongs to the event loop that runs now, and sets no limit to
    connections, nor to a request's time once it is connected (`timeout` seconds at most): both are the caller's.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS),
        headers=_headers(key),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(timeout, CONNECT_SECONDS)),
        proxy=proxy,
    )


def read_key(variable: str, base_url: str) -> str:
    """The key in this environment variable; `NO_KEY` where none is wanted.

    Raises:
        ModelError: the variable is not set, and the server is a hosted one.
    """
    if variable == NO_KEY:
        return NO_KEY
    key = os.environ.get(variable, "").strip()
    if not key and not _is_private(base_url):
        raise ModelError(
            f"{base_url} needs a key, and the environment variable {variable} is not set",
            hint=f"export {variable}=…, name another variable with ?key_env=NAME, or write ?key_env={NO_KEY}",
        )
    return key or NO_KEY


def read_proxy(base_url: str) -> str | None:
    """The URL of the proxy that the environment names for this server. aiohttp's own `trust_env` would look in a thread
    for every request, and read passwords out of ~/.netrc besides.

    Raises:
        ModelError: it is a proxy for something else than HTTP.
    """
    parts = urlsplit(base_url)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    named = urllib.request.getproxies()
    proxy = named.get(parts.scheme) or named.get("all")
    if proxy is None or proxy.startswith(("http://", "https://")):
        return proxy
    if "://" not in proxy:
        return f"http://{proxy}"
    raise ModelError(
        f"the environment names a proxy for {base_url} that is none for HTTP ({proxy.partition(':')[0]})",
        hint="unset ALL_PROXY, or name the server's host in NO_PROXY if it can be reached without",
    )


def _headers(key: str) -> dict[str, str]:
    named = {header: os.environ.get(variable, "") for header, variable in _ENVIRONMENT_HEADERS.items()}
    return {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Accept": "application/json",
        "User-Agent": f"scotoma/{scotoma.__version__}",
        **{header: value for header, value in named.items() if value},
    }


def _is_private(base_url: str) -> bool:
    """Whether the server is on this machine or in the private network: those want no key."""
    host = urlsplit(base_url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".local", ".localhost", ".internal"))
