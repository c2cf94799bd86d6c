"""The `shared` engine: GRPO on packed trees, so that an image is encoded and read once for all its questions.

Image → questions → G completions of each: every token is computed once and sees exactly its ancestors, so
loss and gradients are those of TRL on the same rollouts (proven in `tests/grpo/test_equality.py`) at a
fraction of the cost. One process, CPU or one GPU, for the families of `scotoma.models.families`.

    trainer = SharedTrainer(model, processor, GRPOConfig(steps=50))
    for step in range(50):
        report = trainer.step(prompts_of_step(prompts, trainer.config, step), reward)
    trainer.save(Path("checkpoints/repaired"))
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn
from transformers import PreTrainedModel, ProcessorMixin

from scotoma.core import ConfigError, ModelError
from scotoma.grpo.config import GRPOConfig
from scotoma.grpo.encoding import Tokens
from scotoma.grpo.forest import Forest, Grove
from scotoma.grpo.rollout import Prompt, Rollout
from scotoma.grpo.trainer import Trainer, seed_of
from scotoma.models.families import Family, family_of
from scotoma.models.growth import Decoding, grow
from scotoma.models.tree import log_probs


class SharedTrainer(Trainer):
    """Trains one policy in place, on trees; see `Trainer`."""

    def __init__(
        self,
        model: PreTrainedModel,
        processor: ProcessorMixin,
        config: GRPOConfig,
        reference: PreTrainedModel | None = None,
    ) -> None:
        """`reference` is what `config.beta` holds the policy to; by default a copy of `model` as it is now.

        Raises:
            ModelError: the model is of a family that cannot be packed.
            ConfigError: the config asks for LoRA, or freezes everything.
        """
        self.family = packable_family(model)
        if config.lora_rank:
            raise ConfigError(
                "the engine 'shared' trains no LoRA adapters",
                hint="use engine: trl or stock, or lora_rank: 0",
            )
        self.forest = Forest(model, processor)
        super().__init__(model, processor, config, reference)

    @property
    def suppressed(self) -> Tokens:
        """The placeholder, which the family knows."""
        return self.family.suppressed(self.model)

    def draw(self, prompts: Sequence[Prompt], n: int, decoding: Decoding, key: str) -> list[Rollout]:
        """See `Trainer.draw`: grown on trees."""
        found: dict[int, list[Rollout]] = {}
        for grove in self.forest.bare_groves(
            prompts, self.config.tokens_per_minibatch, decoding.max_new_tokens
        ):
            seeds = [seed_of(f"{key}/{prompts[i].id}/{k}") for i in grove.order for k in range(n)]
            counts = [n * len(members) for members in grove.members]
            with self.autocast():
                grown = grow(
                    self.model, self.family, grove.trees, grove.pixels, decoding, counts, seeds, grove.pad_id
                )
            flat = [completion for tree in grown for branch in tree for completion in branch]
            texts = self.forest.decode([completion.tokens for completion in flat])
            for k, i in enumerate(grove.order):
                found[i] = [
                    Rollout(prompts[i], completion.tokens, text, completion.log_probs)
                    for completion, text in zip(
                        flat[k * n : k * n + n], texts[k * n : k * n + n], strict=True
                    )
                ]
        return [rollout for i in range(len(prompts)) for rollout in found[i]]

    def minibatches(self, completions: Sequence[tuple[Prompt, Tokens]]) -> Iterator[Grove]:
        """Groves: prompts that share an image share a tree."""
        return self.forest.groves(completions, self.config.tokens_per_minibatch)

    def minibatch_log_probs(self, model: nn.Module, minibatch: Grove) -> Tensor:
        """(tokens,) the log-probability of every leaf token of a grove."""
        with self.autocast():
            return log_probs(
                model, self.family, minibatch.packed(), minibatch.pixels, self.config.temperature
            )


def packable_family(model: nn.Module) -> Family:
    """The model's family.

    Raises:
        ModelError: it cannot be packed as trees.
    """
    family = family_of(model)
    if family is None:
        kind = getattr(getattr(model, "config", None), "model_type", type(model).__name__)
        raise ModelError(
            f"the engine 'shared' cannot pack this model, a {kind!r}",
            hint="use engine: trl; or one device, where a device_map spread it over several",
        )
    return family
