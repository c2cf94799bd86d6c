"""A server whose models plan, write and validate about the pictures of `tests.photographs`, with the faults that a test
gives it; and a run on those pictures that has a confirmed mode.

    with HostileServer(Script()) as server:
        spec("planner", server)
"""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from scotoma.core import FailureMode, ImageRecord, Observation, Predicate, Rate, Tag, Verdict
from scotoma.images.spec import open_images
from scotoma.store import Run
from tests import photographs
from tests.models.servers import Act, Call, HostileServer

MODE = FailureMode(
    id="m1",
    predicate=Predicate.parse("skill=counting"),
    description="counting discs",
    status="confirmed",
    failure_rate=Rate(value=0.6, low=0.5, high=0.7, n=100),
)
Fault = Callable[[Call, str, int], Act | None]
"""The call, the role that is asked, and how often that role was asked before → a fault, or None."""


def spec(model: str, server: HostileServer, options: str = "retries=2") -> str:
    return f"openai:{model}@{server.url}?{options}"


def said(text: str) -> Act:
    """A whole chat completion, as PydanticAI wants it."""
    return Act(
        body={
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "scripted",
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }
    )


class Script:
    """Plans counts of discs, writes the true count, and validates by the truth that is hidden in the PNG. `faults` may
    put something else in place of any reply."""

    def __init__(self, fault: Fault = lambda call, role, number: None) -> None:
        self.fault = fault
        self.asked: Counter[str] = Counter()

    def __call__(self, call: Call) -> Act:
        role = call.body["model"]
        number = self.asked[role]
        self.asked[role] += 1
        return self.fault(call, role, number) or said(json.dumps(_REPLIES[role](call)))


def seen(call: Call) -> dict[str, Any]:
    """What the last picture of a call shows."""
    parts = [
        part["image_url"]["url"]
        for message in call.body["messages"]
        for part in (message["content"] if isinstance(message["content"], list) else [])
        if part["type"] == "image_url"
    ]
    picture = Image.open(io.BytesIO(base64.b64decode(parts[-1].split(",", 1)[1])))
    found: dict[str, Any] = json.loads(picture.text["seen"])  # type: ignore[attr-defined]
    return found


def _plan(call: Call) -> dict[str, Any]:
    wanted = int(call.text.rsplit("Make ", 1)[1].split()[0])
    earlier = call.text.count("discs, number")
    return {
        "sketches": [
            {"shows": f"discs, number {earlier + i}", "asks": "how many discs there are", "search": "discs"}
            for i in range(wanted)
        ]
    }


def _write(call: Call) -> dict[str, Any]:
    count = str(seen(call)["discs"])
    return {
        "questions": [
            {"question": photographs.QUESTIONS["counting"], "answer": count},
            {"question": "Count the discs.", "answer": count, "phrasing": "paraphrase"},
        ]
    }


def _validate(call: Call) -> dict[str, Any]:
    return {"answer": str(seen(call)["discs"]), "reason": None}


_REPLIES: dict[str, Callable[[Call], dict[str, Any]]] = {
    "planner": _plan,
    "writer": _write,
    "validator": _validate,
}


def failed(phase: str, number: int, image: ImageRecord, tags: Mapping[str, Tag]) -> Observation:
    """A question about discs that was answered wrongly."""
    return Observation(
        key=f"{phase}/{number}",
        phase=phase,
        image_id=image.id,
        question=photographs.QUESTIONS["counting"],
        answer="2",
        verdict=Verdict(valid=True, correct=0.0, truth="4", decided_by="judge"),
        tags=dict(tags),
    )


def photo_run(folder: Path, photos: Path, candidate: str = "hf:some/model") -> Path:
    """A run on pictures whose mode is proved; returns its path."""
    path = folder / "origin"
    config = {"candidate": candidate, "images": f"folder:{photos}", "seed": 0}
    with Run.open(path, command="discover", config=config) as run:
        source = open_images(f"folder:{photos}")
        records = [*source.images("discover", 0), *source.images("confirm", 0), *source.images("test", 0)]
        kept = run.images.put_all(records)
        observations = [
            failed("discover", number, record, {"skill": ("counting",)})
            for number, record in enumerate(records)
        ]
        run.ledger.finish("discover", observations=observations, images=kept, modes=[MODE])
    return path
