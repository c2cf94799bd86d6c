"""The questioner's eyes: the Pupil's, with two more vision layers that know which descriptions fit one thing alone.

"The small red thing" may be said where there is one. Whether there is takes the whole picture at once, while the
decoder reads it patch by patch; so the eyes learn it, before a word is said: every patch is told of its thing whether
it alone has its colour, its shape, its size, and each combination of them. The heads that it is told by are dropped.

    eyes = Eyes(deepen(model, 6))
    open_eyes(eyes, minutes=8, seed=0)
"""

from __future__ import annotations

import copy
import random
import time
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset
from transformers import Idefics3ForConditionalGeneration

from alternatives import unique_phrases
from pupil import GRID, HIDDEN, IGNORE, TEXTS, patch_labels, to_pixels
from scotoma.images.worlds.shapes.scene import COLOURS, EXAM, SHAPES, SIZES, Scene, sample_scene
from scotoma.models.families.idefics3 import Idefics3

DESCRIPTIONS = 7
"""Colour, shape, size and their combinations."""
_STANDING = (len(COLOURS), len(SHAPES), len(SIZES), len(TEXTS))


def deepen(model: Idefics3ForConditionalGeneration, layers: int) -> Idefics3ForConditionalGeneration:
    """The same model with more vision layers, which at first do nothing."""
    config = copy.deepcopy(model.config)
    config.vision_config.num_hidden_layers = layers
    deeper = Idefics3ForConditionalGeneration._from_config(config, attn_implementation="eager")
    deeper.load_state_dict(model.state_dict(), strict=False)
    for layer in deeper.model.vision_model.encoder.layers[model.config.vision_config.num_hidden_layers :]:
        for silent in (layer.self_attn.out_proj, layer.mlp.fc2):
            nn.init.zeros_(silent.weight)
            nn.init.zeros_(silent.bias)
    deeper.generation_config = model.generation_config
    return deeper


def alone_flags(scenes: list[Scene], owners: list[np.ndarray]) -> Tensor:
    """(B, 64, 7): which descriptions fit the thing on a patch alone; IGNORE where there is none."""
    rows = []
    for scene, owner in zip(scenes, owners, strict=True):
        flags = unique_phrases(scene)
        rows.append([flags.get(int(number), [IGNORE] * DESCRIPTIONS) for number in owner])
    return torch.tensor(rows)


def alone_loss(head: nn.Linear, patches: Tensor, flags: Tensor) -> tuple[Tensor, float]:
    """Cross-entropy of the flags given the patches' features (B, 64, h), and the share that is right."""
    there = flags[..., 0] != IGNORE
    judged = head(patches[there])
    wanted = flags[there]
    right = float(((judged > 0) == wanted.bool()).float().mean())
    return functional.binary_cross_entropy_with_logits(judged, wanted.float()), right


class Sights(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """Endless scenes: pixels, what stands on every patch, and which descriptions fit it alone."""

    def __init__(self, seed: int, images: int) -> None:
        self.seed, self.images = seed, images

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        torch.set_num_threads(1)
        rng = random.Random(self.seed)
        while True:
            scenes = [sample_scene(rng, EXAM) for _ in range(self.images)]
            labels = [patch_labels(scene) for scene in scenes]
            flags = alone_flags(scenes, [label[:, 8] for label in labels])
            yield to_pixels(scenes), torch.from_numpy(np.stack(labels)), flags


def open_eyes(model: Idefics3ForConditionalGeneration, minutes: float, seed: int) -> float:
    """Train the vision tower for so long; returns the share of flags that the last batches got right."""
    seen = [(n, p) for n, p in model.named_parameters() if "vision_model" in n or "connector" in n]
    matrices = [p for n, p in seen if p.ndim == 2 and "layers" in n]
    others = [p for n, p in seen if not (p.ndim == 2 and "layers" in n)]
    standing, alone = nn.Linear(HIDDEN, sum(_STANDING)), nn.Linear(HIDDEN, DESCRIPTIONS)
    muon = torch.optim.Muon(matrices, lr=0.01, momentum=0.95, weight_decay=0.0, adjust_lr_fn="original")
    adam = torch.optim.AdamW(
        [*others, *standing.parameters(), *alone.parameters()], lr=1e-3, betas=(0.9, 0.98)
    )
    began, right = time.time(), 0.0
    lessons = DataLoader(Sights(seed, 32), batch_size=None, num_workers=1, prefetch_factor=8)
    for step, (pixels, labels, flags) in enumerate(lessons):
        done = (time.time() - began) / (60 * minutes)
        if done >= 1:
            break
        rate = min(1.0, (step + 1) / 50) * min(1.0, (1 - done) / 0.4 + 0.02)
        for group in muon.param_groups:
            group["lr"] = 0.01 * rate
        for group in adam.param_groups:
            group["lr"] = 1e-3 * rate
        patches = Idefics3().image_features(model, {"pixel_values": pixels}).view(-1, GRID * GRID, HIDDEN)
        loss, share = alone_loss(alone, patches, flags)
        loss = 3 * loss
        for column, logits in enumerate(standing(patches).split(_STANDING, dim=-1)):
            what = labels[..., column].long().flatten()
            loss = loss + functional.cross_entropy(logits.flatten(0, 1), what, ignore_index=IGNORE)
        muon.zero_grad(set_to_none=True)
        adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        muon.step()  # type: ignore[no-untyped-call]  # as above
        adam.step()
        right += 0.02 * (share - right)
        if step % 200 == 0:
            print(f"eyes {60 * minutes * done / 60:4.1f} min step {step} right {right:.3f}", flush=True)
    return right
