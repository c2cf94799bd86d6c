"""How samples are made: by which agents, with which models, from which pictures.

generate:
  agents: llm
  planner: openai:gpt-5-mini
  writer: openai:gpt-5-mini
  validator: openai:Qwen/Qwen2.5-VL-72B-Instruct@http://localhost:8000/v1
  search: {web: [openverse]}
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from scotoma.core import ConfigError
from scotoma.models.spec import same_model
from scotoma.store.configuration import Settings, dotted

PER_IMAGE = 8
"""Questions about one training image: it is encoded once for all of them."""

WebSearchName = Literal["openverse", "commons", "serper"]

_OF_EXACT_AGENTS = (
    "agents", "planner", "searcher", "editor", "writer", "validator", "checks", "at_once", "questions", "tries",
    "search.most",
)  # fmt: skip
"""What a world's agents go by. An agent of your own is made without arguments, so it reads nothing more."""


class SearchSettings(Settings):
    """Where pictures are looked for.

    Attributes:
        words: how words are compared in the pool: `minilm` (extra `topics`), `words` (shared words, needs nothing), or
            `auto`, the first that is installed.
        most: pictures of the pool that are looked through.
        web: engines that are asked after the pool, in order; none: nothing leaves this machine. `serper` needs a key in
            SERPER_API_KEY and cannot say under which licence a picture is.
        licences: licences of web pictures that are taken, versions aside; by default those that allow changed copies
            for any use. Empty: any, unknown ones as well.
        max_bytes, max_pixels, timeout: limits of one fetched picture; `timeout` in seconds, all redirects included.
    """

    words: Literal["auto", "minilm", "words"] = "auto"
    most: int = Field(default=2000, ge=1)
    web: tuple[WebSearchName, ...] = ()
    licences: tuple[str, ...] = ("CC0", "CC BY", "CC BY-SA", "PDM", "Public domain")
    max_bytes: int = Field(default=20_000_000, ge=1)
    max_pixels: int = Field(default=50_000_000, ge=1)
    timeout: float = Field(default=20.0, gt=0)


class EditSettings(Settings):
    """How pictures are changed, beside the operations with a known effect, which are always there.

    Attributes:
        model: a generative editor: `openai:MODEL@BASE_URL` behind `/images/edits`, or `diffusers:PATH_OR_ID`; none: a
            planner's instructions to paint are not carried out.
    """

    model: str | None = None


class CheckSettings(Settings):
    """What a sample must pass beside what all must (`generate.standards`; licences are the searcher's). Each is off by
    default: it costs calls, or samples.

    Attributes:
        blind: a model that is asked each question without its picture, five times; what it always answers rightly is
            thrown out.
        band: least and greatest pass rate of the candidate, in [0, 1], asked for each sample: what it never, or always,
            answers rightly teaches it nothing by GRPO (DPE: .3 and .8).
        pass_samples: answers of the candidate to each sample (DPE: 9).
        balance: the greatest share of one answer among a mode's samples, in (0, 1]; from the 21st sample on.
        meaning: cosine of sentence embeddings (MiniLM, extra `topics`), in (0, 1], from which on two questions about a
            picture that have one answer are one.
    """

    blind: str | None = None
    band: tuple[float, float] | None = None
    pass_samples: int = Field(default=9, ge=1)
    balance: float | None = Field(default=None, gt=0, le=1)
    meaning: float | None = Field(default=None, gt=0, le=1)

    @field_validator("band")
    @classmethod
    def _in_order(cls, band: tuple[float, float] | None) -> tuple[float, float] | None:
        if band is not None and not 0 <= band[0] < band[1] <= 1:
            raise ValueError("write the lower pass rate first, both in [0, 1]")
        return band


class GenerateSettings(Settings):
    """Everything that the making of samples is decided by.

    Attributes:
        agents: `varied` (a spiral's, in worlds: failing scenes are varied in bulk), `exact` (worlds: five agents that
            know the facts, and ask no model) or `llm`; `auto`: `varied` in a spiral, `exact` elsewhere.
        planner, writer, validator: of `llm` agents, the models, `openai:MODEL@BASE_URL`; a `module:Class` is your own
            agent in any crew, made without arguments (`generate.handover` has the protocols).
        searcher, editor: a `module:Class` in place of the usual one.
        search, edit: the tools.
        checks: what a finished sample must pass.
        at_once: sketches that are worked on at the same time.
        questions: written about each picture.
        tries: attempts per wanted sample, before it is given up.
        retries: how often a model is told what was wrong with its reply, before it counts as unreadable.
        max_tokens: room for a reply, thinking included.
        temperature: of planner and writer; the validator is greedy.
        planner_tools: let the planner look into the pool before it plans; its server must support tool calls.
    """

    agents: Literal["auto", "varied", "exact", "llm"] = "auto"
    planner: str | None = None
    searcher: str | None = None
    editor: str | None = None
    writer: str | None = None
    validator: str | None = None
    search: SearchSettings = SearchSettings()
    edit: EditSettings = EditSettings()
    checks: CheckSettings = CheckSettings()
    at_once: int = Field(default=8, ge=1, le=256)
    questions: int = Field(default=2, ge=1, le=8)
    tries: int = Field(default=5, ge=1)
    retries: int = Field(default=2, ge=0, le=10)
    max_tokens: int = Field(default=2048, ge=64)
    temperature: float = Field(default=0.7, ge=0, le=2)
    planner_tools: bool = False

    def chosen(self, usual: Literal["varied", "exact"]) -> GenerateSettings:
        """With `usual` in place of `auto`, so that a run keeps what it meant.

        >>> GenerateSettings().chosen("varied").agents
        'varied'
        """
        return self.model_copy(update={"agents": usual}) if self.agents == "auto" else self

    @property
    def unread(self) -> tuple[str, ...]:
        """Keys that were given, and that nobody reads when samples are made in this way.

        >>> GenerateSettings(agents="exact", search=SearchSettings(words="words", most=9)).unread
        ('search.words',)
        """
        if self.agents in ("llm", "auto"):
            return ()
        read = ("agents",) if self.agents == "varied" else _OF_EXACT_AGENTS
        given, usual = dotted(self.model_dump()), dotted(GenerateSettings().model_dump())
        return tuple(
            key
            for key in sorted(given)
            if given[key] != usual.get(key) and key not in read and key.split(".")[0] not in read
        )

    @property
    def models(self) -> dict[str, str]:
        """Key → spec, of everything that makes or judges samples."""
        named = {
            "planner": self.planner,
            "searcher": self.searcher,
            "editor": self.editor,
            "writer": self.writer,
            "validator": self.validator,
            "edit.model": self.edit.model,
        }
        return {key: spec for key, spec in named.items() if spec is not None}


def refuse_the_trained(settings: GenerateSettings, trained: str) -> None:
    """A model that makes or judges its own training samples teaches itself its mistakes.

    Raises:
        ConfigError: one of the agents is the model under training or, where no facts decide, who answers without the
            picture; the message names the key.
    """
    makers = settings.models
    if settings.agents == "llm" and settings.checks.blind is not None:
        makers["checks.blind"] = settings.checks.blind
    for key, spec in makers.items():
        if not spec.startswith("diffusers:") and same_model(spec, trained):
            raise ConfigError(
                f"generate.{key}: {spec!r} is the model under training, and nobody teaches himself",
                hint="name another model",
            )
