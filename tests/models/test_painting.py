"""A generative editor behind an endpoint: what it paints, and what becomes of its failures."""

from __future__ import annotations

import base64
import io
import re
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scotoma.core import ConfigError, ImageRecord, ModelError, ReplyError, SpecError
from scotoma.models.painting import EndpointPainter, open_painter


def png(colour: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(data, "PNG")
    return data.getvalue()


RECORD = ImageRecord("id", "mine", data=png("red"))


@contextmanager
def editor(
    body: bytes, status: int = 200, where: str | None = None
) -> Iterator[tuple[EndpointPainter, list[bytes]]]:
    """A painter at a server that always answers this, and what it was sent."""
    asked: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path.encode() + b"\n" + self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if where is not None:
                self.send_header("Location", where)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield EndpointPainter(f"openai:brush@http://127.0.0.1:{server.server_port}/v1?retries=0"), asked
    finally:
        server.shutdown()
        server.server_close()


def test_the_picture_and_the_instruction_are_sent_and_the_new_picture_comes_back() -> None:
    reply = b'{"created": 0, "data": [{"b64_json": "%b"}]}' % base64.b64encode(png("blue"))
    with editor(reply) as (painter, asked):
        assert painter.paint(RECORD, "make it blue") == png("blue")
    assert asked[0].startswith(b"/v1/images/edits\n")
    assert b"make it blue" in asked[0]
    assert b"\x89PNG" in asked[0]


def test_a_redirect_is_not_followed() -> None:
    reply = b'{"created": 0, "data": [{"b64_json": "%b"}]}' % base64.b64encode(png("blue"))
    with (
        editor(reply) as (other, reached),
        editor(b"", 307, f"{other.name.rpartition('@')[2]}/images/edits") as (painter, asked),
    ):
        with pytest.raises(ModelError, match=r"redirects \(307\), where no picture follows"):
            painter.paint(RECORD, "make it blue")
        assert len(asked) == 1
    assert not reached


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b'{"error": {"message": "slow down"}}', 429, "rate_limit"),
        (b'{"error": {"message": "policy"}}', 400, "refused"),
        (b'{"error": {"message": "oops"}}', 500, "crashed"),
        (b'{"created": 0, "data": [{"url": "http://127.0.0.1/secret.png"}]}', 200, "unparsable"),
        (b'{"created": 0, "data": [{"b64_json": "%%%"}]}', 200, "unparsable"),
        (b'{"created": 0, "data": []}', 200, "unparsable"),
    ],
)
def test_a_picture_that_is_not_painted_is_an_infrastructure_error(
    body: bytes, status: int, kind: str
) -> None:
    with editor(body, status) as (painter, _):
        reply = painter.paint(RECORD, "make it blue")
    assert isinstance(reply, ReplyError)
    assert reply.kind == kind


def test_what_would_strike_every_picture_stops_everything() -> None:
    with editor(b'{"error": {"message": "no such key"}}', 401) as (painter, _), pytest.raises(ModelError):
        painter.paint(RECORD, "make it blue")
    with pytest.raises(SpecError, match="no budget is kept for an image editor"):
        open_painter("openai:brush@http://127.0.0.1:1/v1?max_usd=2&price_in=5&price_out=40")
    with pytest.raises(SpecError, match="names no image editor"):
        open_painter("hf:some/model")


def test_without_the_extra_a_pipeline_is_refused_with_the_extra_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(ConfigError, match="needs diffusers") as refused:
        open_painter("diffusers:owner/pipeline")
    assert refused.value.hint == "pip install 'scotoma[paint]'"
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    named = {re.split("[>=]", line)[0] for line in project["optional-dependencies"]["paint"]}
    assert {"diffusers", "accelerate", "torch"} <= named
