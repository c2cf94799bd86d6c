"""How near our client comes to a server's limit, and what it costs the processor, beside Inspect AI's.

Both put the same image questions to the same loopback server of known latency and slots, turn by turn, each in a
process of its own that does nothing else; a turn of each is one repeat. Both may have two and a half times as many
requests under way as the server has slots, so that none stands empty while a client digests a reply. `share_of_limit`
is our throughput over the server's (slots / latency), quick start and last stragglers included;
`cpu_per_request_vs_inspect` is our client's processor time over that of Inspect AI's OpenAI-compatible provider, the
images' encoding included, ours with the response cache on. Values are geometric means over repeats, with Student's t
interval of the logarithm.

    result = measure(repeats=5)
    Console().print(table(result))
"""

from __future__ import annotations

import asyncio
import base64
import importlib.metadata
import importlib.util
import math
import multiprocessing
import platform
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict
from rich.table import Table
from scipy import stats

from scotoma.bench.loopback import loopback
from scotoma.core import ModelError, Rate, Request, Sampling
from scotoma.images.spec import open_images

Kind = Literal["scotoma", "inspect"]


class EndpointBenchmark(BaseModel):
    """What was measured; n is the number of repeats. Seconds and processor milliseconds per request have one entry a
    repeat, in order.
    """

    model_config = ConfigDict(frozen=True)

    share_of_limit: Rate
    cpu_per_request_vs_inspect: Rate
    inspect_share_of_limit: Rate
    scotoma_seconds: tuple[float, ...]
    inspect_seconds: tuple[float, ...]
    scotoma_cpu_ms: tuple[float, ...]
    inspect_cpu_ms: tuple[float, ...]
    questions: int
    latency: float
    slots: int
    machine: str
    inspect_version: str


@dataclass(frozen=True)
class _Turn:
    """One client's turn: wall seconds, and processor seconds (user and system) of its process."""

    seconds: float
    cpu: float


class _Client(Protocol):
    """Puts questions to the server; the number of answers is all that counts here."""

    def __call__(self, requests: Sequence[Request]) -> int: ...


def measure(
    *,
    questions: int = 2000,
    repeats: int = 5,
    latency: float = 0.2,
    slots: int = 64,
    on_repeat: Callable[[int], None] | None = None,
) -> EndpointBenchmark:
    """Take turns; before the first each client asks some questions that do not count.

    Raises:
        ModelError: Inspect AI or its client is not installed, or a client failed.
    """
    if not all(map(importlib.util.find_spec, ("inspect_ai", "openai"))):
        raise ModelError(
            "the endpoint benchmark measures against Inspect AI and its `openai` client, which are not installed",
            hint="pip install inspect-ai openai",
        )
    connections = slots * 5 // 2
    turns: dict[Kind, list[_Turn]] = {"scotoma": [], "inspect": []}
    with (
        loopback(latency, slots) as url,
        _client("scotoma", url, connections, questions) as ours,
        _client("inspect", url, connections, questions) as theirs,
    ):
        for repeat in range(repeats):
            turns["scotoma"].append(_turn(ours, repeat))
            turns["inspect"].append(_turn(theirs, repeat))
            if on_repeat is not None:
                on_repeat(repeat + 1)
    seconds = {kind: np.array([turn.seconds for turn in own]) for kind, own in turns.items()}
    cpu = {kind: 1000 * np.array([turn.cpu for turn in own]) / questions for kind, own in turns.items()}
    ideal = questions * latency / slots
    return EndpointBenchmark(
        share_of_limit=_geometric_mean(ideal / seconds["scotoma"]),
        cpu_per_request_vs_inspect=_geometric_mean(cpu["scotoma"] / cpu["inspect"]),
        inspect_share_of_limit=_geometric_mean(ideal / seconds["inspect"]),
        scotoma_seconds=tuple(seconds["scotoma"].tolist()),
        inspect_seconds=tuple(seconds["inspect"].tolist()),
        scotoma_cpu_ms=tuple(cpu["scotoma"].tolist()),
        inspect_cpu_ms=tuple(cpu["inspect"].tolist()),
        questions=questions,
        latency=latency,
        slots=slots,
        machine=f"{platform.machine()}, {multiprocessing.cpu_count()} cores",
        inspect_version=importlib.metadata.version("inspect-ai"),
    )


def table(result: EndpointBenchmark) -> Table:
    """The figures for people."""
    shown = Table(title="Endpoint: clients against one loopback server")
    for column in ("client", "req/s", "share of limit", "CPU ms/req"):
        shown.add_column(column, justify="left" if column == "client" else "right")
    inspect = f"inspect {result.inspect_version}"
    for name, seconds, share, cpu in (
        ("scotoma", result.scotoma_seconds, result.share_of_limit, result.scotoma_cpu_ms),
        (inspect, result.inspect_seconds, result.inspect_share_of_limit, result.inspect_cpu_ms),
    ):
        speed = result.questions * len(seconds) / sum(seconds)
        shown.add_row(name, f"{speed:.0f}", _shown(share), f"{sum(cpu) / len(cpu):.2f}")
    ratio = _shown(result.cpu_per_request_vs_inspect)
    shown.add_row("scotoma / inspect", "", "", ratio, end_section=True)
    shown.caption = (
        f"{result.questions} image questions a turn · {1000 * result.latency:.0f} ms latency, {result.slots} slots: at"
        f" most {result.slots / result.latency:.0f} requests/s · {result.machine} · 95 % intervals,"
        f" n = {result.share_of_limit.n} repeats"
    )
    return shown


def _shown(rate: Rate) -> str:
    return f"{rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}]"


@contextmanager
def _client(kind: Kind, url: str, connections: int, questions: int) -> Iterator[Connection]:
    """The near end of a pipe to a client in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    near, far = spawn.Pipe()
    process = spawn.Process(target=_work, args=(kind, url, connections, questions, far), daemon=True)
    process.start()
    far.close()
    try:
        yield near
    finally:
        near.close()
        process.join(timeout=10)
        if process.is_alive():
            process.terminate()


def _turn(client: Connection, repeat: int) -> _Turn:
    client.send(repeat)
    try:
        turn = client.recv()
    except EOFError:
        raise ModelError("a client of the benchmark ended without a result") from None
    assert isinstance(turn, _Turn)
    return turn


def _work(kind: Kind, url: str, connections: int, questions: int, pipe: Connection) -> None:
    """The client's process: whenever it is told a repeat's number, it asks that repeat's questions."""
    records = list(islice(open_images("worlds:shapes").images("test", seed=0), questions))
    with tempfile.TemporaryDirectory() as folder:
        client = _ours(url, connections, Path(folder)) if kind == "scotoma" else _inspect(url, connections)
        client(_questions(records[:connections], -1))
        while True:
            try:
                repeat = pipe.recv()
            except EOFError:
                return
            asked = _questions(records, repeat)
            began, cpu = time.perf_counter(), _cpu()
            answered = client(asked)
            turn = _Turn(time.perf_counter() - began, _cpu() - cpu)
            if answered != len(asked):
                return
            pipe.send(turn)


def _questions(records: Sequence[Any], repeat: int) -> list[Request]:
    """One question per image; each repeat has its own, so that no cache can answer."""
    text = f"is there a red star ? ({repeat})"
    return [Request((record,), text, sampling=Sampling(max_tokens=8)) for record in records]


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _ours(url: str, connections: int, folder: Path) -> _Client:
    from scotoma.models.endpoint import EndpointModel
    from scotoma.models.options import EndpointOptions

    options = EndpointOptions(concurrency=connections, cache=str(folder / "responses.sqlite"))
    model = EndpointModel("loopback", url, options)

    def ask(requests: Sequence[Request]) -> int:
        return sum(reply.text == "yes" for reply in model.answer(requests))

    return ask


def _inspect(url: str, connections: int) -> _Client:
    from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, GenerateConfig, get_model

    loop = asyncio.new_event_loop()
    config = GenerateConfig(max_connections=connections, temperature=0.0, top_p=1.0, seed=0, max_tokens=8)
    model = get_model("openai-api/loopback/loopback", config=config, base_url=url, api_key="none")

    async def one(request: Request) -> bool:
        encoded = base64.b64encode(request.images[0].read()).decode()
        image = ContentImage(image=f"data:image/png;base64,{encoded}")
        message = ChatMessageUser(content=[image, ContentText(text=request.text)])
        return bool((await model.generate([message])).completion == "yes")

    async def every(requests: Sequence[Request]) -> int:
        return sum(await asyncio.gather(*map(one, requests)))

    return lambda requests: loop.run_until_complete(every(requests))


def _geometric_mean(values: np.ndarray[Any, Any]) -> Rate:
    """With Student's 95 % interval on the logarithms; unbounded for a single value."""
    logs = np.log(values)
    middle = float(logs.mean())
    half = math.inf
    if len(logs) > 1:
        half = float(stats.t.ppf(0.975, len(logs) - 1) * logs.std(ddof=1) / math.sqrt(len(logs)))
    return Rate(
        value=math.exp(middle),
        low=math.exp(middle - half),
        high=math.exp(middle + half) if half < 700 else math.inf,
        n=len(logs),
    )
