"""How much cheaper is a GRPO step when the image is shared? Seconds per 1,000 completions, `trl` over `shared`.

Both engines run whole training steps (rollout, reward, loss, update) in one process on the same model and the same
prompts, 8 questions per image and G = 8, fresh images in every step. They take turns, step by step, so that a busy
machine slows both; a pair of neighbouring steps is one repeat, and the interval is a bootstrap over repeats.

    result = measure(repeats=6)
    Console().print(table(result))
"""

from __future__ import annotations

import copy
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from rich.table import Table
from scipy.stats import bootstrap
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedModel, PreTrainedTokenizerFast, ProcessorMixin, TrainerCallback
from transformers.models.idefics3 import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
)

from scotoma.core import ModelError, Rate, World
from scotoma.grpo import GRPOConfig, Prompt, Rollout
from scotoma.grpo.schedule import prompts_of_step
from scotoma.grpo.shared import SharedTrainer
from scotoma.grpo.trl import Scorer, build_trainer
from scotoma.images.spec import open_images
from scotoma.images.worlds.shapes.language import vocabulary
from scotoma.models.checkpoint import Checkpoint, open_checkpoint
from scotoma.models.quiet import quiet
from scotoma.models.spec import checkpoint_path


class GRPOBenchmark(BaseModel):
    """What was measured. `ratio` is TRL's seconds over ours (> 1: sharing is faster), n the number of repeats.

    `shared_seconds` and `trl_seconds` are per 1,000 completions, one entry per repeat, in order.
    """

    model_config = ConfigDict(frozen=True)

    ratio: Rate
    shared_seconds: tuple[float, ...]
    trl_seconds: tuple[float, ...]
    completions_per_step: int
    questions_per_image: int
    group_size: int
    model: str
    parameters: int
    device: str
    threads: int


@dataclass(frozen=True)
class _Pair:
    """Wall seconds of one step of each engine, run one after the other."""

    trl: float
    shared: float


def measure(
    checkpoint: Checkpoint | None = None,
    *,
    images: int = 8,
    questions: int = 8,
    group_size: int = 8,
    repeats: int = 8,
    warmup: int = 2,
    max_new_tokens: int = 3,
    seed: int = 0,
    on_repeat: Callable[[int], None] | None = None,
) -> GRPOBenchmark:
    """Time `repeats` steps of each engine after `warmup` unmeasured ones.

    `checkpoint` is the embedded Pupil by default, or a random model of its shape where the weights are not installed.
    Each engine trains its own copy. `on_repeat` hears of every measured pair.
    """
    with quiet():
        checkpoint = checkpoint or _pupil(seed)
        prompts = _prompts(images * (warmup + repeats), questions, seed)
        config = GRPOConfig(
            steps=warmup + repeats,
            warmup_steps=0,
            group_size=group_size,
            images_per_step=images,
            max_new_tokens=max_new_tokens,
            seed=seed,
        )
        pairs = _run(checkpoint, prompts, config, warmup, on_repeat)
    thousands = images * questions * group_size / 1000
    trl = np.array([pair.trl for pair in pairs]) / thousands
    shared = np.array([pair.shared for pair in pairs]) / thousands
    return GRPOBenchmark(
        ratio=_ratio(trl, shared, seed),
        shared_seconds=tuple(shared.tolist()),
        trl_seconds=tuple(trl.tolist()),
        completions_per_step=images * questions * group_size,
        questions_per_image=questions,
        group_size=group_size,
        model=checkpoint.source,
        parameters=sum(parameter.numel() for parameter in checkpoint.model.parameters()),
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine(),
        threads=torch.get_num_threads(),
    )


def table(result: GRPOBenchmark) -> Table:
    """The figures for people."""
    shown = Table(title="GRPO: seconds per 1,000 completions (whole training steps)")
    for column in ("engine", "mean", "fastest", "slowest"):
        shown.add_column(column, justify="left" if column == "engine" else "right")
    for name, seconds in (("trl", result.trl_seconds), ("shared", result.shared_seconds)):
        mean = sum(seconds) / len(seconds)
        shown.add_row(name, f"{mean:.3f}", f"{min(seconds):.3f}", f"{max(seconds):.3f}")
    ratio = result.ratio
    shown.add_row(
        "trl / shared", f"{ratio.value:.1f}", f"{ratio.low:.1f}", f"{ratio.high:.1f}", end_section=True
    )
    shown.caption = (
        f"{result.model}, {result.parameters / 1e6:.2f}M parameters · {result.completions_per_step} completions a step,"
        f" {result.questions_per_image} questions an image, G = {result.group_size} · {result.device},"
        f" {result.threads} threads · last row: 95 % bootstrap interval, n = {ratio.n}"
    )
    return shown


def _run(
    checkpoint: Checkpoint,
    prompts: Sequence[Prompt],
    config: GRPOConfig,
    warmup: int,
    on_repeat: Callable[[int], None] | None,
) -> list[_Pair]:
    """TRL's loop runs; whenever it has finished a step, ours takes the same one."""
    ours = SharedTrainer(copy.deepcopy(checkpoint.model), checkpoint.processor, config)
    pairs: list[_Pair] = []

    class TakeTurns(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
        """TRL's time is all that passes between our turns: data, sampling, loss, backward pass, optimizer."""

        began = 0.0

        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            self.began = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            theirs = time.perf_counter() - self.began
            started = time.perf_counter()
            ours.step(prompts_of_step(prompts, config, ours.steps_done), _alternating)
            pairs.append(_Pair(theirs, time.perf_counter() - started))
            if on_repeat is not None and len(pairs) > warmup:
                on_repeat(len(pairs) - warmup)
            self.began = time.perf_counter()

    with tempfile.TemporaryDirectory() as folder:
        scorer = Scorer(prompts, _alternating, config)
        trainer = build_trainer(
            copy.deepcopy(checkpoint.model), checkpoint.processor, prompts, scorer, config, Path(folder)
        )
        trainer.add_callback(TakeTurns())
        trainer.train()
    return pairs[warmup:]


def _alternating(rollouts: Sequence[Rollout]) -> list[float | None]:
    """Every completion carries a gradient: `shared` leaves out groups without signal, which would flatter it."""
    return [float(position % 2) for position in range(len(rollouts))]


def _prompts(images: int, questions: int, seed: int) -> list[Prompt]:
    world = cast(World, open_images("worlds:shapes"))
    prompts = []
    for number, record in enumerate(islice(world.images("train", seed), images)):
        if record.facts is None:
            continue
        texts = world.questions(record.facts, seed + number, questions)
        prompts += [Prompt(f"{number}/{k}", record, text) for k, text in enumerate(texts)]
    return prompts


def _ratio(trl: np.ndarray[Any, Any], shared: np.ndarray[Any, Any], seed: int) -> Rate:
    """Total over total, with a percentile bootstrap over pairs (95 %)."""

    def statistic(a: Any, b: Any, axis: int = -1) -> Any:
        return a.mean(axis=axis) / b.mean(axis=axis)

    value = float(statistic(trl, shared))
    if len(trl) < 2:
        return Rate(value=value, low=0.0, high=float("inf"), n=len(trl))
    interval = bootstrap(
        (trl, shared), statistic, paired=True, vectorized=True, method="percentile", rng=seed
    ).confidence_interval
    return Rate(value=value, low=float(interval.low), high=float(interval.high), n=len(trl))


def _pupil(seed: int) -> Checkpoint:
    try:
        return open_checkpoint(checkpoint_path("pupil"), dtype="float32")
    except ModelError:
        model, processor = random_pupil(seed)
        return Checkpoint(model, processor, "a random model of the Pupil's shape")


def random_pupil(seed: int = 0) -> tuple[PreTrainedModel, ProcessorMixin]:
    """An untrained model of the Pupil's shape, for where only the time counts: Idefics3, h = 96, 4 + 4 layers, 3 heads,
    64×64 pixels, 64 image tokens, one token a word.
    """
    torch.manual_seed(seed)
    special = ["<pad>", "<unk>", "<bos>", "<end_of_utterance>", "<assistant>", "<image>"]
    special += ["<fake_token_around_image>", "<global-img>"]
    words = {word: number for number, word in enumerate(dict.fromkeys([*special, *vocabulary()]))}
    inner = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<bos>",
        eos_token="<end_of_utterance>",
        additional_special_tokens=special[4:],
        padding_side="left",
    )
    shape = {"hidden_size": 96, "intermediate_size": 256, "num_hidden_layers": 4, "num_attention_heads": 3}
    config = Idefics3Config(
        text_config={
            "model_type": "llama",
            "vocab_size": len(words),
            "max_position_embeddings": 256,
            "pad_token_id": 0,
            "bos_token_id": 2,
            "eos_token_id": 3,
            **shape,
        },
        vision_config={"image_size": 64, "patch_size": 8, **shape},
        image_token_id=words["<image>"],
        pad_token_id=0,
        scale_factor=1,
    )
    edge = {"longest_edge": 64}
    images = Idefics3ImageProcessorPil(size=edge, max_image_size=edge, do_image_splitting=False)
    template = (
        "<bos>{% for m in messages %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>"
        "{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
        "{% if m['role'] == 'assistant' %}<end_of_utterance>{% else %}<assistant>{% endif %}{% endfor %}"
    )
    processor = Idefics3Processor(images, tokenizer, image_seq_len=64, chat_template=template)
    return Idefics3ForConditionalGeneration(config), processor
