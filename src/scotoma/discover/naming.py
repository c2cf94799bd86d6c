"""A short name for each failure mode, by a model that is shown its predicate and some of its failing questions.

The name is for people and stands beside the predicate, which alone decides what belongs to the mode. A model that fails
or cannot be read leaves the mode without one.

    named = name_modes(modes, observations, load_model("openai:qwen3-8b@http://localhost:8000/v1"))
    named.modes[0].title, named.lost          # 'counting small objects', {'tagger:timeout': 1}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from scotoma.core import ChatModel, FailureMode, Observation, Request, Sampling
from scotoma.discover.tag_sheet import PROMPTS, quoted
from scotoma.verify.rulings import read_ruling, schema_of

VERSION = "name-1"
"""The prompt in use."""

_SHOWN = 8


def _line(value: Any) -> Any:
    """One line of printable text without a full stop."""
    if not isinstance(value, str):
        return value
    return "".join(c for c in " ".join(value.split()) if c.isprintable()).strip(" .\"'“”")


class _Name(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: Annotated[Annotated[str, Field(min_length=3, max_length=80)], BeforeValidator(_line)]


@dataclass(frozen=True)
class Named:
    """The modes, those with a `title` that got one; `lost` counts, by error, those that got none."""

    modes: tuple[FailureMode, ...]
    lost: Counter[str] = field(default_factory=Counter)


def name_modes(
    modes: Sequence[FailureMode], observations: Sequence[Observation], model: ChatModel, max_tokens: int = 512
) -> Named:
    """Ask for every mode's name; what a name says is never used to decide anything."""
    template = PROMPTS.get_template(f"{VERSION}.jinja")
    requests = [
        Request(
            (),
            template.render(
                predicate=quoted(str(mode.predicate)),
                description=quoted(mode.description),
                questions=[quoted(question) for question in _failing(mode, observations)],
            ),
            sampling=Sampling(max_tokens=max_tokens),
            reply_schema=schema_of(_Name),
        )
        for mode in modes
    ]
    named: list[FailureMode] = []
    lost: Counter[str] = Counter()
    for mode, reply in zip(modes, model.answer(requests) if requests else [], strict=True):
        said = None if reply.error is not None else read_ruling(reply.text, _Name)
        if said is None:
            lost[f"tagger:{reply.error.kind if reply.error else 'unparsable'}"] += 1
        named.append(mode if said is None else mode.model_copy(update={"title": said.name}))
    return Named(tuple(named), lost)


def _failing(mode: FailureMode, observations: Sequence[Observation]) -> list[str]:
    """A few different questions of the mode that were answered wrongly."""
    failing = (o.question for o in observations if o.outcome == "failure" and mode.predicate.matches(o.tags))
    return list(dict.fromkeys(failing))[:_SHOWN]
