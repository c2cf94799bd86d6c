"""The LoRA adapters that are trained in the place of the weights, alike for every engine that trains them.

peft.get_peft_model(model, lora(GRPOConfig(lora_rank=8)))
"""

from __future__ import annotations

from typing import Any

from scotoma.grpo.config import GRPOConfig


def lora(config: GRPOConfig) -> Any:
    """PEFT's config: every linear layer, scaled by alpha / rank = 2. None where the weights themselves are trained."""
    if not config.lora_rank:
        return None
    from peft import LoraConfig

    return LoraConfig(r=config.lora_rank, lora_alpha=2 * config.lora_rank, target_modules="all-linear")
