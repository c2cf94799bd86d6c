"""A server that speaks chat completions, with a latency and a number of slots that are known exactly.

It answers "yes" to everything, `latency` seconds after a slot was free; so its limit is `slots / latency` requests a
second, and whatever a client falls short of that is the client's own doing. A reply is due by the clock, so that the
time in which this server waits for a processor makes none of its slots slower. It runs in a process of its own. Plain
asyncio without a framework: the less it costs, the less it disturbs the client beside it.

    with loopback(latency=0.2, slots=64) as url:
        EndpointModel("loopback", url)
"""

from __future__ import annotations

import asyncio
import heapq
import json
import multiprocessing
import re
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from scotoma.core import ModelError

_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_BODY = json.dumps(
    {
        "id": "loopback",
        "object": "chat.completion",
        "created": 0,
        "model": "loopback",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}
        ],
        "usage": {"prompt_tokens": 80, "completion_tokens": 1, "total_tokens": 81},
    }
).encode()
_REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(_BODY),
    _BODY,
)


class _Slots:
    """When each slot is free again, by the clock of the event loop."""

    def __init__(self, n: int, latency: float) -> None:
        self._free = [0.0] * n
        self._latency = latency

    def due(self, now: float) -> float:
        """When a request that came `now` is answered: it takes the slot that is free first."""
        due = max(now, self._free[0]) + self._latency
        heapq.heapreplace(self._free, due)
        return due


class _Connection(asyncio.Protocol):
    """One connection, kept alive: requests in, after slot and latency the reply out."""

    def __init__(self, slots: _Slots) -> None:
        self._slots = slots
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._received += data
        while (head := self._received.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._received, 0, head + 2)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._received) < end:
                return
            del self._received[:end]
            loop.call_at(self._slots.due(loop.time()), self._transport.write, _REPLY)


@contextmanager
def loopback(latency: float, slots: int) -> Iterator[str]:
    """The base URL of such a server, on a free port of this machine; it ends with the block.

    Raises:
        ModelError: it did not start.
    """
    spawn = multiprocessing.get_context("spawn")
    near, far = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_run, args=(latency, slots, far), daemon=True)
    process.start()
    far.close()
    try:
        try:
            url = near.recv()
        except EOFError:
            raise ModelError("the loopback server of the benchmark did not start") from None
        yield url
    finally:
        process.terminate()
        process.join(timeout=10)


def _run(latency: float, slots: int, address: Connection) -> None:
    asyncio.run(_serve(latency, slots, address))


async def _serve(latency: float, slots: int, address: Connection) -> None:
    free = _Slots(slots, latency)
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(free), "127.0.0.1", 0, backlog=1024
    )
    address.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    await server.serve_forever()
