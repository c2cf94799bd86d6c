"""Real servers on loopback, for whatever must be tested against one.

`pupil_server` is stock `transformers serve` with the embedded Pupil, in a process of its own. `HostileServer` speaks
the same protocol and misbehaves as it is told:

    with HostileServer(lambda call: Act(status=429) if call.attempt == 0 else Act("yes")) as server:
        EndpointModel("hostile", server.url).answer(requests)
        server.calls  # everything that was asked, in order
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scotoma.models.spec import checkpoint_path


@dataclass(frozen=True)
class Served:
    """A model that a server offers: its name there, and the server's base URL."""

    model: str
    url: str

    @property
    def spec(self) -> str:
        """As `load_model` takes it."""
        return f"openai:{self.model}@{self.url}"


@contextmanager
def pupil_server(seconds: float = 300.0) -> Iterator[Served]:
    """`transformers serve` with the Pupil; it is ready when this is entered, and gone after."""
    folder = str(checkpoint_path("pupil"))
    port = free_port()
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", folder]
    command += ["--device", "cpu", "--dtype", "float32", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory() as cache:
        # Its list of models is that of the Hugging Face cache, which must exist.
        environment = os.environ | {"HF_HUB_CACHE": cache, "HF_HUB_OFFLINE": "1"}
        log = Path(cache, "log")
        with (
            log.open("wb") as out,
            subprocess.Popen(command, env=environment, stdout=out, stderr=out) as process,
        ):
            try:
                _wait_until_ready(f"http://127.0.0.1:{port}/health", process, log, seconds)
                yield Served(folder, f"http://127.0.0.1:{port}/v1")
            finally:
                process.kill()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        with suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.1)
    raise AssertionError(f"transformers serve did not start:\n{log.read_text()}")


def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Call:
    """A request that reached the server. `text` is its last message's text; `attempt` counts, from 0, the earlier calls
    with the same text; `under_way` the requests that the server had at that moment, this one included.
    """

    text: str
    attempt: int
    under_way: int
    at: float
    body: dict[str, Any]
    headers: dict[str, str]


@dataclass(frozen=True)
class Act:
    """What the server does with a call. `body` None is a completion saying `text`; text and bytes go out as
    they are.
    """

    text: str = "yes"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay: float = 0.0
    """Seconds before anything is sent."""
    drip: float = 0.0
    """Seconds between any two bytes of the body."""
    closes: bool = False
    """Whether the connection is closed without a word."""
    breaks: bool = False
    """Whether the connection is reset in the middle of the body."""


def completion(text: str | None = "yes", finish: str = "stop", **message: Any) -> dict[str, Any]:
    """The document of a good reply, or of one that a test makes a little worse."""
    return {
        "choices": [{"index": 0, "finish_reason": finish, "message": {"content": text, **message}}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12},
    }


class HostileServer:
    """Serves in a thread of this process; `script` decides what becomes of each call."""

    def __init__(self, script: Callable[[Call], Act] = lambda call: Act(call.text)) -> None:
        self.script = script
        self.calls: list[Call] = []
        self.under_way = 0
        self.connections = 0
        self._seen: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> HostileServer:
        self._thread.start()
        start = asyncio.start_server(self._connection, "127.0.0.1", 0, limit=1 << 24)
        self._server = asyncio.run_coroutine_threadsafe(start, self._loop).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def _stop(self) -> None:
        self._server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.call_later(0.05, self._loop.stop)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while await self._serve_one(reader, writer):
                pass
        writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
        }
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        if head[0].startswith("GET"):
            await self._send(writer, Act(status=404, body={"error": {"message": "no list of models"}}))
            return True
        if head[0].startswith("CONNECT"):
            await self._send(writer, Act(status=407, body={"error": {"message": "this is no proxy"}}))
            return False
        self.under_way += 1
        try:
            document = json.loads(content)
            said = document["messages"][-1]["content"]
            text = said if isinstance(said, str) else said[-1]["text"]
            call = Call(text, self._seen[text], self.under_way, time.monotonic(), document, headers)
            self._seen[text] += 1
            self.calls.append(call)
            act = self.script(call)
            await asyncio.sleep(act.delay)
        finally:
            self.under_way -= 1
        if act.closes:
            return False
        await self._send(writer, act)
        return not act.breaks

    async def _send(self, writer: asyncio.StreamWriter, act: Act) -> None:
        body = completion(act.text) if act.body is None else act.body
        text = body if isinstance(body, str | bytes) else json.dumps(body)
        data = text.encode() if isinstance(text, str) else text
        headers = {"content-type": "application/json", "content-length": str(len(data)), **act.headers}
        lines = [f"HTTP/1.1 {act.status} Whatever", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        for byte in data if act.drip else b"":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(act.drip)
        writer.write(b"" if act.drip else data[: len(data) // 2] if act.breaks else data)
        await writer.drain()
        if act.breaks:
            # What was sent must be read before the reset, which throws away whatever was not.
            await asyncio.sleep(0.05)
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
