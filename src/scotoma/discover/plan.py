"""What a run will take, before anything is spent: images, calls, tokens, memory, money. `--dry-run` prints it.

Calls are counted from the settings, as upper bounds (equal requests are asked once, and a pool ends when every mode has
its questions). Tokens, memory and money are estimates; `Plan.notes` says from what.

    plan = plan_discovery(settings)
    plan.rows[0].candidate, plan.cost
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from statistics import fmean

from scotoma.core import ImageError, ImageRecord, World
from scotoma.discover.checks import QUERIES
from scotoma.discover.pool import open_source
from scotoma.discover.preflight import preflight
from scotoma.discover.qualification import SHARE
from scotoma.discover.settings import PROPOSED_PER_EXPLORED, DiscoverySettings
from scotoma.models.size import parameters
from scotoma.models.spec import parse_model_spec

ROLES = ("candidate", "questioner", "judge", "tagger", "planner", "writer", "validator", "blind", "trained")
"""Whoever is called; `trained` are completions."""

TEXT_TOKENS = {
    **{"candidate": 40, "questioner": 90, "judge": 330, "tagger": 520},
    **{"planner": 1600, "writer": 450, "validator": 280, "blind": 40},
}
"""Tokens of a prompt without its images, by role, about."""

IMAGES = {"tagger": 0, "blind": 0, "planner": 3}
"""Images of a prompt, where it is not one."""

REPLY_TOKENS = {
    **{"questioner": 20, "judge": 60, "tagger": 60},
    **{"planner": 600, "writer": 80, "validator": 30, "blind": 8},
}
"""Tokens of a reply without its thinking, about; the candidate's are bounded by `answers.max_tokens`."""

PIXELS_PER_TOKEN = 28 * 28
"""Qwen2.5-VL's: 14-pixel patches, merged 2 × 2 (arXiv 2502.13923)."""

UNCOUNTED = "memory to train is without activations, which grow with tokens_per_minibatch and with the model"
"""What `memory_of` cannot know."""

_SAMPLED = 8


@dataclass(frozen=True)
class PlanRow:
    """One stage: how many images it looks at and how often, at the most, each model is called."""

    stage: str
    images: int
    candidate: int = 0
    questioner: int = 0
    judge: int = 0
    tagger: int = 0
    planner: int = 0
    writer: int = 0
    validator: int = 0
    blind: int = 0
    trained: int = 0
    """Completions that a training samples and learns from."""

    def calls(self, role: str) -> int:
        """The calls of one role."""
        return int(getattr(self, role))


@dataclass(frozen=True)
class Memory:
    """Device memory of one model that runs here, in bytes; None where its size is not known."""

    role: str
    spec: str
    parameters: int | None
    bytes: float | None
    how: str


@dataclass(frozen=True)
class Plan:
    """All of it. `tokens` is per role: read and written. `cost` is in US dollars, for the roles with prices."""

    rows: tuple[PlanRow, ...]
    tokens: dict[str, tuple[int, int]] = field(default_factory=dict)
    memory: tuple[Memory, ...] = ()
    cost: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def roles(self) -> list[str]:
        """Those of `ROLES` that have any calls."""
        return [role for role in ROLES if self.total(role)]

    def total(self, role: str) -> int:
        """Calls of one role over all stages."""
        return sum(row.calls(role) for row in self.rows)


def plan_discovery(settings: DiscoverySettings) -> Plan:
    """The plan of `scotoma discover` and `scotoma confirm`. Nothing is loaded but a few images.

    Raises:
        ConfigError: nobody could ask about these images, or judge the answers; the judge's calibration is not usable.
        SpecError: a spec names nothing, or the questioner is to be trained and cannot be.
        ImageError: the images cannot be read.
    """
    source = open_source(settings)
    preflight(settings, source)
    shown = list(islice(source.images("discover", settings.seed), _SAMPLED))
    return priced(settings, discovery_rows(settings, isinstance(source, World)), shown)


def discovery_rows(settings: DiscoverySettings, world: bool) -> list[PlanRow]:
    """The stages of a discovery and its proof; `world`: questions come from templates and are judged by facts."""
    asking, proof = settings.discover, settings.confirm
    wishes = min(asking.wishes_per_image, max(1, len(asking.wishes)))
    looks = asking.steps * (asking.looked_at + asking.explored_images(world))
    proposals = asking.steps * asking.looked_at * asking.turns * wishes * asking.group_size
    if not world:  # else the explorer's are templates
        proposals += asking.steps * asking.explored * PROPOSED_PER_EXPLORED
    queries = asking.steps * asking.queries
    to_confirm = asking.search.max_modes * proof.questions + proof.base_questions
    if world:
        return [
            PlanRow("discover", looks, queries, proposals),
            PlanRow("baseline", _share(queries, 10), queries),
            PlanRow("confirm", _share(proof.pool, 10), to_confirm),
            *_qualifying(settings, to_confirm, world),
        ]
    rulings = max(1, len(settings.judge.specs)) * settings.judge.samples
    each = min(10, max(1, len(asking.wishes)))
    rows = [
        PlanRow("discover", looks, queries, proposals, (proposals + queries) * rulings),
        PlanRow("baseline", _share(queries, each), queries, queries, 2 * queries * rulings),
        PlanRow(
            "confirm", _share(proof.pool, each), to_confirm, proof.pool, (proof.pool + to_confirm) * rulings
        ),
        *_qualifying(settings, to_confirm, world, rulings),
    ]
    if settings.tagging.model is None:
        return rows
    return [replace(row, tagger=row.questioner) for row in rows]


def _qualifying(
    settings: DiscoverySettings, to_confirm: int, world: bool, rulings: int = 0
) -> Iterator[PlanRow]:
    """What is asked about the confirmed modes after the proof."""
    proof, modes = settings.confirm, settings.discover.search.max_modes
    again = min(proof.checks * QUERIES * modes, int(SHARE * to_confirm))
    if again:
        # A judge rules on every answer, and on a paraphrase first.
        yield PlanRow("checks", 2 * again // QUERIES if world else 0, again, judge=2 * again * rulings)
    if proof.shrink and world:
        examples = proof.shrink * modes
        most = examples * (proof.shrink_queries + 1)
        yield PlanRow("shrink", most, most)


def priced(
    settings: DiscoverySettings,
    rows: Iterable[PlanRow],
    shown: Iterable[ImageRecord],
    agents: Mapping[str, str] | None = None,
) -> Plan:
    """Rows with tokens, memory and money. `agents`: role → spec of those who make samples."""
    plan = Plan(tuple(rows))
    image_tokens = _image_tokens(shown)
    specs = {
        "candidate": (settings.candidate,),
        "questioner": (settings.discover.questioner,),
        "judge": settings.judge.specs,
        "tagger": (settings.tagging.model,) if settings.tagging.model is not None else (),
        **{role: (spec,) for role, spec in (agents or {}).items()},
    }
    replies = {**REPLY_TOKENS, "candidate": settings.answers.max_tokens}
    tokens: dict[str, tuple[int, int]] = {}
    cost: dict[str, float] = {}
    thinks = False
    for role, named in specs.items():
        if not (calls := plan.total(role)):
            continue
        read = TEXT_TOKENS[role] + IMAGES.get(role, 1) * image_tokens
        thinking = [parse_model_spec(spec).served.thinking_tokens for spec in named]
        written = [replies[role] + most for most in thinking] or [replies[role]]
        tokens[role] = (calls * read, math.ceil(calls * fmean(written)))
        if (dollars := _dollars(named, read, written)) is not None:
            cost[role] = calls * dollars
        thinks = thinks or any(thinking)
    trains = {"questioner"} if settings.discover.trains else set()
    memory = tuple(
        memory_of(role, spec, "full" if role in trains else "infer")
        for role, named in specs.items()
        if role in tokens
        for spec in named
        if parse_model_spec(spec).kind in ("embedded", "hf")
    )
    notes = [
        "calls are upper bounds: equal requests are asked once, and a stage ends when it has what it needs",
        f"{image_tokens} tokens per image (pixels / {PIXELS_PER_TOKEN}, as Qwen2.5-VL has it)",
    ]
    if thinks:
        notes.append("every reply is reckoned with all the thinking that thinking_tokens allows")
    notes += [f"{role}: {stop}" for role, named in specs.items() if (stop := _stop(named, cost.get(role)))]
    return replace(plan, tokens=tokens, memory=memory, cost=cost, notes=tuple(notes))


def memory_of(role: str, spec: str, use: str, lora: bool = False) -> Memory:
    """An estimate: 2 bytes a parameter to answer (bfloat16), and a fifth more for activations; 16 to train them all
    (weights, gradients and Adam's two moments in float32), and a fifth more; with LoRA the frozen weights in bfloat16,
    and half more for the adapters and theirs. The activations of a training are in none of it (`UNCOUNTED`).
    """
    count = parameters(spec)
    per = {"infer": 2 * 1.2, "full": 16 * 1.2, "lora": 2 * 1.5}["lora" if lora and use == "full" else use]
    how = {"infer": "answers", "full": "is trained with LoRA" if lora else "is trained"}[use]
    return Memory(role, spec, count, None if count is None else count * per, how)


def _dollars(specs: Sequence[str], read: int, written: Sequence[int]) -> float | None:
    """What a call costs, by the prices in the endpoints' specs, each of which bears an equal part and writes its own
    number of tokens; None where no price is given.
    """
    served = [parse_model_spec(spec).served for spec in specs]
    known = [
        given.usd(read, most)
        for given, most in zip(served, written, strict=False)
        if given.price_in is not None or given.price_out is not None
    ]
    return sum(known) / len(served) if known else None


def _stop(specs: Sequence[str], cost: float | None) -> str | None:
    """Which budget might end the run first, if everything came that may come; None where all would fit."""
    allowed = [most for spec in specs if (most := parse_model_spec(spec).served.max_usd) is not None]
    if cost is None or not allowed or min(allowed) >= cost / len(specs):
        return None
    return f"max_usd={min(allowed):g} may stop the run before all of this; raised, the same command goes on"


def _image_tokens(shown: Iterable[ImageRecord]) -> int:
    """The mean over a few images, at least 1; an unreadable one does not count."""
    sizes = []
    for record in shown:
        try:
            width, height = record.open().size
        except ImageError:
            continue
        sizes.append(math.ceil(width * height / PIXELS_PER_TOKEN))
    return max(1, round(sum(sizes) / len(sizes))) if sizes else 1


def _share(questions: int, per_image: int) -> int:
    return -(-questions // per_image)
