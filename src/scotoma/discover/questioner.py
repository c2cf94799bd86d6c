"""The policy that asks: it proposes questions about images and, if it is trained, learns from their rewards.

`TrainedQuestioner` runs on a GRPO engine in this process: packed trees where the family can be packed, else row by
row. `FrozenQuestioner` is any chat model, and the ablation; it needs no torch.

    prompts = [prompt_for(record, wish="counting", earlier=(), style="short", name="0/0")]
    rollouts = questioner.propose(prompts, n=8, seed="0/0")
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from scotoma.core import (
    ChatModel,
    ConfigError,
    ImageRecord,
    ImageSource,
    ModelError,
    Request,
    Sampling,
    SpecError,
    Turn,
    World,
)
from scotoma.core.seed import seed_of
from scotoma.discover.settings import WISHES, DiscoverSettings
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.report import Update
from scotoma.grpo.rollout import Prompt, Rollout
from scotoma.models.spec import checkpoint_path, load_model, parse_model_spec

if TYPE_CHECKING:
    from scotoma.grpo.trainer import Trainer

PROMPTS = Path(__file__).parent / "prompts"
VISION = ("vision_model", "vision_tower", r"\bvisual\.")
"""What the families call their image encoder: it is not trained, so that a question stays about what is there."""
KEPT = "questioner"
"""The checkpoint that a run leaves of its trained questioner: `hf:RUN/checkpoints/questioner`."""
_CARD = "questioner.json"
"""Beside the weights: the prompts that they were trained with."""
_NAME_PROMPTS = "restore it from a copy, or name the prompts yourself: discover.prompts: chat"
_TEMPLATES = Environment(loader=FileSystemLoader(PROMPTS), undefined=StrictUndefined, trim_blocks=True)


class Questioner(Protocol):
    """What the loop needs of a questioner. `lost` counts, by error, the questions that infrastructure lost; the loop
    takes them out when it has noted them. `words` is what the server last said of each error.
    """

    lost: Counter[str]
    words: dict[str, str]

    def propose(self, prompts: Sequence[Prompt], n: int, seed: str) -> list[Rollout]:
        """`n` questions per prompt, prompt after prompt."""
        ...

    def learn(self, rollouts: Sequence[Rollout]) -> Update | None:
        """One GRPO update on scored rollouts; None where nothing is trained."""
        ...

    def save(self, folder: Path) -> None:
        """Keep what a resume needs."""
        ...

    def restore(self, folder: Path) -> None:
        """The other way round."""
        ...

    def export(self, folder: Path) -> None:
        """Write it as a checkpoint that any run can name as its questioner."""
        ...


class TrainedQuestioner:
    """A checkpoint under GRPO, held to its warm-started self by KL."""

    def __init__(self, spec: str, settings: DiscoverSettings, seed: int) -> None:
        """Open it for training.

        Raises:
            SpecError: it has no weights that could be trained (an endpoint, a plug-in).
            ModelError: it cannot be opened.
        """
        _check_learns(spec)  # before anything is imported
        try:
            from scotoma.grpo.engine import open_policy, trainer_for
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("scotoma"):
                raise
            raise ModelError(
                f"training a questioner needs {error.name}, which the bare install leaves out",
                hint="pip install 'scotoma[train]', or set discover.reinforce: false",
            ) from error
        config = GRPOConfig(
            learning_rate=settings.learning_rate,
            steps=settings.steps * settings.turns,
            warmup_steps=2,
            schedule="constant",
            group_size=settings.group_size,
            beta=settings.beta,
            temperature=settings.temperature,
            max_new_tokens=settings.max_new_tokens,
            frozen=VISION,
            lora_rank=settings.lora_rank,
            seed=seed,
        )
        checkpoint = open_policy(spec, config)
        self._trainer: Trainer = trainer_for(checkpoint.model, checkpoint.processor, config)
        self.lost: Counter[str] = Counter()
        self.words: dict[str, str] = {}
        self._card = {"prompts": prompt_style(settings), "trained_from": spec}

    def propose(self, prompts: Sequence[Prompt], n: int, seed: str) -> list[Rollout]:
        """`n` questions per prompt, prompt after prompt."""
        return self._trainer.sample(prompts, n, seed=seed_of(seed))

    def learn(self, rollouts: Sequence[Rollout]) -> Update | None:
        """One GRPO update on scored rollouts."""
        updates = self._trainer.update(rollouts)
        return updates[-1] if updates else None

    def save(self, folder: Path) -> None:
        """The trainer's whole state, in one file."""
        from scotoma.grpo.checkpoint import save_state

        save_state(self._trainer.state(), folder / "questioner.pt")

    def restore(self, folder: Path) -> None:
        """Go on where `save` was called."""
        from scotoma.grpo.checkpoint import load_state

        self._trainer.load_state(load_state(folder / "questioner.pt"))

    def export(self, folder: Path) -> None:
        """A stock checkpoint, and beside it what it was trained to be prompted with."""
        self._trainer.save(folder)
        (folder / _CARD).write_text(json.dumps(self._card, indent=2) + "\n")


class FrozenQuestioner:
    """Any chat model that asks and does not learn."""

    def __init__(self, spec: str, settings: DiscoverSettings) -> None:
        self._spec = spec
        self._settings = settings
        self.lost: Counter[str] = Counter()
        self.words: dict[str, str] = {}

    @cached_property
    def _model(self) -> ChatModel:
        """Opened when it is first asked: where all the questions explore, it never is."""
        return load_model(self._spec)

    def propose(self, prompts: Sequence[Prompt], n: int, seed: str) -> list[Rollout]:
        """`n` questions per prompt, less those whose reply failed: they are counted in `lost`."""
        requests = [
            Request(
                (prompt.image,),
                prompt.text,
                prompt.history,
                Sampling(
                    temperature=self._settings.temperature,
                    max_tokens=self._settings.max_new_tokens,
                    seed=seed_of(f"{seed}/{prompt.id}/{copy}"),
                ),
            )
            for prompt in prompts
            for copy in range(n)
        ]
        owners = [prompt for prompt in prompts for _ in range(n)]
        replies = self._model.answer(requests)
        errors = [reply.error for reply in replies if reply.error is not None]
        self.lost.update(f"questioner:{error.kind}" for error in errors)
        self.words |= {f"questioner:{error.kind}": error.message for error in errors}
        return [
            Rollout(prompt, (), _one_line(reply.text))
            for prompt, reply in zip(owners, replies, strict=True)
            if reply.error is None
        ]

    def learn(self, rollouts: Sequence[Rollout]) -> Update | None:
        """Nothing."""
        return None

    def save(self, folder: Path) -> None:
        """Nothing to keep."""

    def restore(self, folder: Path) -> None:
        """Nothing to restore."""

    def export(self, folder: Path) -> None:
        """Nothing to write: its spec names it."""


def check_questioner(settings: DiscoverSettings, source: ImageSource, seed: int) -> None:
    """Refuse, before any model is loaded or a run is begun, a questioner that cannot do what it is to do here.

    Raises:
        ConfigError: it is the embedded one, or what a run made of it, and these images come from no world and carry no
            facts; or a wish that no question about worlds:shapes can meet.
        SpecError, ModelError: it is to be trained, and cannot be.
    """
    if source.spec == "worlds:shapes":
        _check_wishes(settings.wishes)
    if settings.trains:
        _check_learns(settings.questioner)
    # Photos have no templates: whatever explores, it asks, and for the baseline and the proof as well.
    if isinstance(source, World) or not _knows_shapes_only(settings):
        return
    for record in islice(source.images("discover", seed), 1):
        if record.facts is None:
            raise ConfigError(
                f"the embedded questioner knows worlds:shapes only, and cannot ask about {source.spec}",
                hint="name one that can: --questioner SPEC (discover.questioner), an endpoint's with --frozen "
                "(discover.reinforce: false)",
            )


def _check_wishes(wishes: Sequence[str]) -> None:
    """A question counts for a wish when its type is the wish: an unknown one would never be met."""
    unknown = [wish for wish in wishes if wish not in WISHES]
    if unknown:
        raise ConfigError(
            f"discover.wishes: worlds:shapes has no questions about {', '.join(map(repr, unknown))}",
            hint=f"it has {', '.join(WISHES)}",
        )


def _knows_shapes_only(settings: DiscoverSettings) -> bool:
    spec = parse_model_spec(settings.questioner)
    if spec.kind == "hf":  # nobody else has learned the embedded one's prompt
        return prompt_style(settings.model_copy(update={"prompts": "auto"})) == "short"
    return (spec.kind, spec.target) == ("embedded", "questioner")


def _check_learns(spec: str) -> None:
    parsed = parse_model_spec(spec)
    if parsed.kind in ("openai", "plugin"):
        raise SpecError(
            f"the questioner {parsed} has no weights that could be trained",
            hint="add --frozen (discover.reinforce: false), or name a checkpoint: hf:PATH_OR_ID",
        )
    checkpoint_path(spec)


def open_questioner(settings: DiscoverSettings, seed: int) -> Questioner:
    """The questioner that the settings name.

    Raises:
        ModelError, SpecError: it cannot be opened, or cannot be trained and should be.
    """
    if settings.trains:
        return TrainedQuestioner(settings.questioner, settings, seed)
    return FrozenQuestioner(settings.questioner, settings)


def prompt_style(settings: DiscoverSettings) -> str:
    """Which prompt file is used: with `auto`, that of the embedded questioner, or the one that a questioner left by a
    run was trained with.

    Raises:
        ConfigError: the file beside its weights that says so is damaged.
    """
    if settings.prompts != "auto":
        return settings.prompts
    spec = parse_model_spec(settings.questioner)
    if spec.kind == "embedded":
        return "short" if spec.target == "questioner" else "chat"
    card = Path(spec.target).expanduser() / _CARD
    if spec.kind == "hf" and card.is_file():
        return _prompts_of(card)
    return "chat"


def _prompts_of(card: Path) -> str:
    try:
        document = json.loads(card.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no JSON, or no text
        raise ConfigError(f"{card} is damaged", hint=_NAME_PROMPTS) from error
    if not isinstance(document, dict):
        raise ConfigError(f"{card} is damaged: expected an object", hint=_NAME_PROMPTS)
    return str(document.get("prompts", "chat"))


def prompt_for(
    image: ImageRecord, *, wish: str | None, earlier: Sequence[tuple[str, str]], style: str, name: str
) -> Prompt:
    """The prompt for one image: what was asked before with the candidate's answers, and a wish.

    Raises:
        ConfigError: there is no such prompt file.
    """
    if not (PROMPTS / f"{style}.jinja").is_file():
        raise ConfigError(f"there is no questioner prompt {style!r}", hint="use short, chat or auto")
    template = _TEMPLATES.get_template(f"{style}.jinja")
    history: list[Turn] = []
    answer: str | None = None
    for question, given in earlier:
        history += [
            Turn("user", template.render(answer=answer, wish=None).strip()),
            Turn("assistant", question),
        ]
        answer = given
    text = template.render(answer=answer, wish=wish).strip()
    meta: dict[str, Any] = {"wish": wish, "turn": len(earlier)}
    return Prompt(name, image, text, tuple(history), meta)


def _one_line(text: str) -> str:
    """A chat model's question without its thinking, its quotes and its line breaks."""
    return " ".join(text.rpartition("</think>")[2].split()).strip('"“”')
