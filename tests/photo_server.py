"""An OpenAI-compatible server whose models look at real photos: `questioner` asks, `judge` rules by measuring pixels.

No vision-language model can be had here but the Pupil, which has never seen a photo. So the judge is a small program
that measures what its few questions ask for; everything between it and Scotoma is what a user has: HTTP, images as data
URLs, prompts, JSON in text.

    python -m tests.photo_server 8123
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.models.servers import Served, free_port

ROOT = Path(__file__).parents[1]


def _halves(picture: Image.Image, axis: int) -> float:
    """Mean brightness of the first half less that of the second, in [-1, 1]."""
    grey = np.asarray(picture.convert("L"), dtype=float) / 255
    first, second = np.array_split(grey, 2, axis=axis)
    return float(first.mean() - second.mean())


def _saturation(picture: Image.Image) -> float:
    return float(np.asarray(picture.convert("HSV"), dtype=float)[..., 1].mean() / 255)


def _primary(picture: Image.Image) -> str | None:
    means = np.asarray(picture.convert("RGB"), dtype=float).mean(axis=(0, 1))
    first, second = sorted(means, reverse=True)[:2]
    return ("red", "green", "blue")[int(means.argmax())] if first - second > 8 else None


def _polar(value: float, margin: float) -> str | None:
    return None if abs(value) < margin else "yes" if value > 0 else "no"


QUESTIONS: dict[str, tuple[str, Callable[[Image.Image], str | None]]] = {
    "colour": ("Which primary colour is strongest in the picture: red, green or blue?", _primary),
    "existence": ("Is there any colour in the picture?", lambda p: _polar(_saturation(p) - 0.08, 0.04)),
    "size": ("Is the picture wider than it is tall?", lambda p: _polar(p.width - p.height, 1)),
    "position": (
        "Is the top of the picture brighter than the bottom?",
        lambda p: _polar(_halves(p, 0), 0.03),
    ),
    "comparison": ("Is the left half brighter than the right half?", lambda p: _polar(_halves(p, 1), 0.03)),
    "identity": ("What does the woman on the balcony think?", lambda p: None),
}
"""By wish: a question, and what measures its answer; None where the picture does not settle it."""


@lru_cache(maxsize=1024)
def measured(url: str, question: str) -> str | None:
    """The answer to one of the questions about the picture of a data URL; None where there is none."""
    picture = Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1])))
    return next((measure(picture) for asked, measure in QUESTIONS.values() if asked == question), None)


def reply(model: str, text: str, url: str) -> str:
    """What one of the two models says."""
    if model == "questioner":
        wished = [question for wish, (question, _) in QUESTIONS.items() if f"Ask about {wish}" in text]
        return (wished or [question for question, _ in QUESTIONS.values()])[0]
    match = re.search(r"^Question: (.*)$", text, re.MULTILINE)
    question = json.loads(match[1]) if match else ""
    truth = measured(url, question)
    if "Right answer:" in text:
        given = re.search(r"^Given answer: (.*)$", text, re.MULTILINE)
        right = given is not None and truth is not None and truth in json.loads(given[1]).lower().split()
        return json.dumps({"correct": right, "reason": "measured"})
    if truth is None:
        return '```json\n{"valid": false, "reason": "not_answerable", "answer": null}\n```'
    return f"The picture settles this.\n{json.dumps({'valid': True, 'reason': None, 'answer': truth})}"


def application() -> Any:
    """The FastAPI application: chat completions and health."""
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/v1/chat/completions")
    def complete(body: dict[str, Any]) -> dict[str, Any]:
        parts = body["messages"][-1]["content"]
        pictures = [
            part["image_url"]["url"]
            for message in body["messages"]
            for part in (message["content"] if isinstance(message["content"], list) else [])
            if part["type"] == "image_url"
        ]
        text = parts if isinstance(parts, str) else "".join(p["text"] for p in parts if p["type"] == "text")
        said = reply(body["model"], text, pictures[0])
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }

    return app


@contextmanager
def photo_server(seconds: float = 60.0) -> Iterator[tuple[Served, Served]]:
    """The questioner and the judge, served by a process of its own."""
    port = free_port()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.photo_server", str(port)], env=environment
    ) as process:
        try:
            until = time.monotonic() + seconds
            while time.monotonic() < until and process.poll() is None:
                with suppress(urllib.error.URLError, OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                time.sleep(0.1)
            url = f"http://127.0.0.1:{port}/v1"
            yield Served("questioner", url), Served("judge", url)
        finally:
            process.kill()


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(application(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
