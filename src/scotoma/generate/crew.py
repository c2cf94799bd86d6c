"""From settings to a crew: the exact agents of a world, or language models, each replaceable by a `module:Class`.

crew = open_crew(settings, source, pool_of(source, settings, seed=0))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Protocol, TypeVar, cast

from scotoma.core import (
    ConfigError,
    ContrastWorld,
    EditableWorld,
    ImageError,
    ImageRecord,
    ImageSource,
    RetouchableWorld,
    SpecError,
)
from scotoma.core.plugin import start_plugin
from scotoma.generate.handover import Editor, Planner, Role, Searcher, Validator, Writer
from scotoma.generate.production import Crew
from scotoma.generate.settings import GenerateSettings
from scotoma.images.search.pool import Embed, PicturePool
from scotoma.models.spec import parse_model_spec

_METHODS: dict[Role, str] = {
    "planner": "plan",
    "searcher": "search",
    "editor": "edit",
    "writer": "write",
    "validator": "validate",
}
_Agent = TypeVar("_Agent")


class ExactWorld(RetouchableWorld, EditableWorld, ContrastWorld, Protocol):
    """All that exact agents ask of a world."""


def pool_of(source: ImageSource, settings: GenerateSettings, seed: int) -> tuple[ImageRecord, ...]:
    """The pictures of split `train` that samples may be made from.

    Raises:
        ImageError: the source has none.
    """
    pool = tuple(islice(source.images("train", seed), settings.search.most))
    if not pool:
        raise ImageError(f"{source.spec} has no pictures in the split 'train'")
    return pool


def open_crew(settings: GenerateSettings, source: ImageSource, pool: Sequence[ImageRecord]) -> Crew:
    """The five agents.

    Raises:
        ConfigError: exact agents for pictures without a world, a model that is missing, or an extra that is not
            installed.
        SpecError: an agent of your own cannot be imported, or lacks its method.
        ModelError: a key is missing.
    """
    return _language(settings, pool) if settings.agents == "llm" else _exact(settings, source, pool)


def exact_world(source: ImageSource) -> ExactWorld:
    """The world that exact agents work in.

    Raises:
        ConfigError: it is none, or one whose scenes cannot be edited, varied or asked about in other words.
    """
    if (
        isinstance(source, RetouchableWorld)
        and isinstance(source, EditableWorld)
        and isinstance(source, ContrastWorld)
    ):
        return cast(ExactWorld, source)
    raise ConfigError(
        f"exact agents need a world with facts, which {source.spec} is not",
        hint="take agents: llm with a planner, a writer and a validator",
    )


def _exact(settings: GenerateSettings, source: ImageSource, pool: Sequence[ImageRecord]) -> Crew:
    from scotoma.generate.exact.editor import SceneEditor
    from scotoma.generate.exact.planner import ExactPlanner
    from scotoma.generate.exact.searcher import FactsSearcher
    from scotoma.generate.exact.validator import ExactValidator
    from scotoma.generate.exact.writer import ExactWriter

    world = exact_world(source)
    if settings.search.web or settings.edit.model is not None:
        raise ConfigError(
            "exact agents neither search the web nor have anything painted",
            hint="take --agents llm, or leave --web (search.web) and --paint (edit.model) out",
        )
    for role in ("planner", "writer", "validator"):
        named = getattr(settings, role)
        if named is not None and parse_model_spec(named).kind != "plugin":
            raise ConfigError(
                f"generate.{role}: {named!r} is a model, and exact agents ask none",
                hint="take --agents llm, or name a module:Class",
            )
    return Crew(
        "agents:exact",
        _own(settings, "planner", lambda: cast(Planner, ExactPlanner(world))),
        _own(settings, "searcher", lambda: cast(Searcher, FactsSearcher(pool))),
        _own(settings, "editor", lambda: cast(Editor, SceneEditor(world))),
        _own(settings, "writer", lambda: cast(Writer, ExactWriter(world))),
        _own(settings, "validator", lambda: cast(Validator, ExactValidator(world))),
    )


def _language(settings: GenerateSettings, records: Sequence[ImageRecord]) -> Crew:
    from scotoma.generate.llm.consultant import Consultant, Manner, rendered
    from scotoma.generate.llm.planner import LanguagePlanner, Proposals, planner_instructions
    from scotoma.generate.llm.validator import Answer, LanguageValidator
    from scotoma.generate.llm.writer import LanguageWriter, Questions
    from scotoma.generate.pictures import PhotoEditor, PhotoSearcher, PoolSearch
    from scotoma.models.painting import open_painter

    painter = open_painter(settings.edit.model) if settings.edit.model is not None else None
    pool = PicturePool(records, _embed(settings))

    def manner(instructions: str, temperature: float, tools: Sequence[Any] = ()) -> Manner:
        return Manner(instructions, settings.max_tokens, settings.retries, temperature, tools)

    def planner() -> Planner:
        told = planner_instructions(paints=painter is not None)
        tools = (PoolSearch(pool),) if settings.planner_tools else ()
        asked = manner(told, settings.temperature, tools)
        return LanguagePlanner(Consultant(_named(settings, "planner"), Proposals, asked))

    def writer() -> Writer:
        asked = manner(rendered("writer.jinja"), settings.temperature)
        return LanguageWriter(Consultant(_named(settings, "writer"), Questions, asked))

    def validator() -> Validator:
        asked = manner(rendered("validator.jinja"), 0.0)
        return LanguageValidator(Consultant(_named(settings, "validator"), Answer, asked))

    return Crew(
        "agents:llm",
        _own(settings, "planner", planner),
        _own(settings, "searcher", lambda: cast(Searcher, PhotoSearcher(pool, _web(settings)))),
        _own(settings, "editor", lambda: cast(Editor, PhotoEditor(painter, settings.search.max_pixels))),
        _own(settings, "writer", writer),
        _own(settings, "validator", validator),
    )


def _web(settings: GenerateSettings) -> Any:
    """The engines that the settings name; None, and nothing of it imported, where they name none."""
    search = settings.search
    if not search.web:
        return None
    from scotoma.generate.pictures import Web
    from scotoma.images.search.fetching import Limits
    from scotoma.images.search.web import open_engine

    limits = Limits(search.max_bytes, search.max_pixels, search.timeout)
    return Web(tuple(open_engine(name, limits) for name in search.web), limits, search.licences)


def _embed(settings: GenerateSettings) -> Embed | None:
    from scotoma.models.sentences import SentenceEmbedder, sentences_available

    words = settings.search.words
    return SentenceEmbedder() if words == "minilm" or (words == "auto" and sentences_available()) else None


def _named(settings: GenerateSettings, role: Role) -> str:
    spec: str | None = getattr(settings, role)
    if spec is None:
        raise ConfigError(
            f"generate.{role} names no model",
            hint=f"name openai:MODEL@BASE_URL as --{role}, or as generate.{role} in the config",
        )
    return spec


def _own(settings: GenerateSettings, role: Role, usual: Callable[[], _Agent]) -> _Agent:
    """The user's own agent where the settings name one; otherwise the usual one."""
    spec: str | None = getattr(settings, role)
    if spec is None or parse_model_spec(spec).kind != "plugin":
        if spec is not None and role in ("searcher", "editor"):
            raise SpecError(f"generate.{role}: {spec!r} is no {role}", hint="name a module:Class")
        return usual()
    agent = start_plugin(spec, SpecError)
    if not callable(getattr(agent, _METHODS[role], None)):
        raise SpecError(f"generate.{role}: {spec} has no method {_METHODS[role]}()")
    return cast(_Agent, agent)
