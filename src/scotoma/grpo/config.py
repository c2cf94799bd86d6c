"""How a policy is trained: few knobs, the same for every engine, with defaults measured to be stable.

Few prompts a step is what makes GRPO unstable on a small model: the default step is 24 images with some 8
questions each, 192 groups of 8 completions.

>>> GRPOConfig(learning_rate=1e-5).loss_type
'dapo'
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LossType = Literal["dapo", "grpo", "dr_grpo"]
"""How token losses are averaged: over all tokens of the step (`dapo`, arXiv 2503.14476, Eq. 8), within each
completion and then over completions (`grpo`, arXiv 2402.03300, Eq. 3), or by a constant length (`dr_grpo`,
arXiv 2503.20783, Eq. 2)."""

Schedule = Literal["linear", "constant"]


class GRPOConfig(BaseModel):
    """The knobs of one training run.

    Attributes:
        learning_rate: AdamW's step size at the end of the warm-up. 3e-5 repairs a small model without hurting
            its neighbours; 1e-4 repairs faster and breaks them.
        steps: rollout batches; the linear schedule decays to 0 over them.
        warmup_steps: steps over which the learning rate rises from 0.
        schedule: `linear` decay to 0 at `steps`, or `constant` after the warm-up.
        group_size: G, completions per prompt.
        images_per_step: images whose prompts make up one step, where an engine picks the prompts itself.
        prompts_per_step: how many prompts make up one step instead, however many images have them: so that trainings on
            sets that differ in prompts per image see equally many (none: all those of `images_per_step` images).
        epsilon_low, epsilon_high: the ratio is clipped to [1 - epsilon_low, 1 + epsilon_high].
        beta: weight of the KL divergence to the frozen reference policy (0: no reference is kept).
        loss_type: how token losses are averaged, see `LossType`.
        scale_rewards: divide advantages by the group's standard deviation (off: it over-weighs nearly solved
            prompts).
        temperature: of sampling, and of the log-probabilities that are trained.
        max_new_tokens: completions are cut there.
        num_iterations: updates per rollout batch.
        tokens_per_minibatch: how many tokens (of packed trees, or of padded rows) go through the model at once; bounds
            memory only, the gradient is that of the whole step.
        max_grad_norm: gradients are clipped to this norm.
        weight_decay: AdamW's.
        frozen: regular expressions (`re.search`) of parameter names that are not trained, e.g.
            `vision_model`.
        lora_rank: rank of the LoRA adapters trained instead of the weights (0: the weights; engines `trl`
            and `stock` only).
        vllm: sample with vLLM, in the training processes themselves (engine `trl` only; needs vllm).
        seed: with the step's number it fixes everything random in that step.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    learning_rate: float = Field(default=3e-5, gt=0)
    steps: int = Field(default=100, ge=1)
    warmup_steps: int = Field(default=10, ge=0)
    schedule: Schedule = "linear"
    group_size: int = Field(default=8, ge=2)
    images_per_step: int = Field(default=24, ge=1)
    prompts_per_step: int | None = Field(default=None, ge=1)
    epsilon_low: float = Field(default=0.2, gt=0)
    epsilon_high: float = Field(default=0.2, gt=0)
    beta: float = Field(default=0.0, ge=0)
    loss_type: LossType = "dapo"
    scale_rewards: bool = False
    temperature: float = Field(default=1.0, gt=0)
    max_new_tokens: int = Field(default=16, ge=1)
    num_iterations: int = Field(default=1, ge=1)
    tokens_per_minibatch: int = Field(default=16_384, ge=1)
    max_grad_norm: float = Field(default=1.0, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    frozen: tuple[str, ...] = ()
    lora_rank: int = Field(default=0, ge=0)
    vllm: bool = False
    seed: int = 0

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of step `step` (from 0), equal to `transformers.get_linear_schedule_with_warmup`."""
        if step < self.warmup_steps:
            return self.learning_rate * step / self.warmup_steps
        if self.schedule == "constant":
            return self.learning_rate
        remaining = max(0, self.steps - step) / max(1, self.steps - self.warmup_steps)
        return self.learning_rate * min(1.0, remaining)
