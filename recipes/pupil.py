"""Train the Pupil, Scotoma's embedded candidate, from nothing: one command, two cores, resumable.

    python recipes/pupil.py                 # about 40 minutes; writes src/scotoma/models/pupil/
    python recipes/pupil.py --minutes 3 --out /tmp/pupil    # a quick, weaker one

A stock Idefics3 of 1.0M parameters learns in two phases. **See**: every image patch is told what stands on it (colour,
shape, size, place, text). **Answer**: questions in a curriculum, twelve to an image in one packed row, with throwaway
*grounding* labels that say where a noun phrase should look. All extra heads are dropped; the checkpoint is stock.
It is trained on a narrower world than it is examined on (`scene.TRAINING`, `templates.untaught`), so its blind spots
are its own. The model card beside the weights says exactly which, with accuracies.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # cores are often shared; spinning threads cost 7× then

import argparse
import json
import math
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    PreTrainedTokenizerFast,
)

from scotoma.images.worlds.shapes import templates
from scotoma.images.worlds.shapes.executor import Invalid, execute, landmark, matching, offset
from scotoma.images.worlds.shapes.language import Parsed, parse, vocabulary
from scotoma.images.worlds.shapes.program import Phrase, SignPhrase
from scotoma.images.worlds.shapes.render import SIGN_BASE, draw, id_map
from scotoma.images.worlds.shapes.scene import (
    COLOURS,
    DIGITS,
    SHAPES,
    SIZES,
    TRAINING,
    WORDS,
    Scene,
    Sign,
    Thing,
    sample_scene,
)
from scotoma.models.families.idefics3 import Idefics3
from scotoma.models.tree import Branch, Packed, Tree, attention_mask, embeddings, pack

PATCH, GRID = 8, 8
HIDDEN, LAYERS, HEADS = 96, 4, 3
COLOUR_NAMES, TEXTS = list(COLOURS), [*DIGITS, *WORDS]
REQUESTS = ("ask", "about", "any", "existence", "horizontal", "vertical", "comparison", "negation", "reading",
            "counting", "composition", "colour", "shape", "size", "answer")  # fmt: skip
SPECIAL = ("<pad>", "<unk>", "<bos>", "<end_of_utterance>", "<assistant>", "<image>", "<fake_token_around_image>",
           "<global-img>")  # fmt: skip
TEMPLATE = (
    "<bos>{% for m in messages %}{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{% if m['role'] == 'assistant' %}<end_of_utterance>{% else %}<assistant>{% endif %}{% endfor %}"
)
STAGES = (  # things, question types, accuracy to advance at
    ((1, 3), ("existence", "counting", "colour", "shape", "size", "reading"), 0.80),
    ((2, 4), templates.TYPES[:-1], 0.76),
    ((2, 6), templates.TYPES, 2.0),
)
IGNORE = -100


# --- the model ---------------------------------------------------------------------------------------------------


def build_processor() -> Idefics3Processor:
    """A word-level tokenizer over the world's vocabulary and an image processor that leaves 64 × 64 pictures alone."""
    words = list(dict.fromkeys([*SPECIAL, *vocabulary(), *REQUESTS]))
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<bos>",
        eos_token="<end_of_utterance>",
        additional_special_tokens=list(SPECIAL[4:]),
        model_max_length=512,
        clean_up_tokenization_spaces=False,
    )
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": 64},
        max_image_size={"longest_edge": 64},
        do_image_splitting=False,
        do_pad=True,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return Idefics3Processor(images, tokenizer, image_seq_len=GRID * GRID, chat_template=TEMPLATE)


def build_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> Idefics3ForConditionalGeneration:
    """A stock Idefics3, 1.0M parameters: 4 vision and 4 text layers, one token per 8 × 8 patch."""
    torch.manual_seed(seed)
    ids = tokenizer.convert_tokens_to_ids
    config = Idefics3Config(
        vision_config={
            "hidden_size": HIDDEN, "intermediate_size": 4 * HIDDEN, "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS, "image_size": 64, "patch_size": PATCH,
        },
        text_config={
            "model_type": "llama", "hidden_size": HIDDEN, "intermediate_size": 3 * HIDDEN, "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "vocab_size": len(tokenizer),
            "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "tie_word_embeddings": False,
            "bos_token_id": ids("<bos>"), "eos_token_id": ids("<end_of_utterance>"), "pad_token_id": ids("<pad>"),
        },
        scale_factor=1,
        image_token_id=ids("<image>"),
        pad_token_id=ids("<pad>"),
        tie_word_embeddings=False,
    )  # fmt: skip
    model = Idefics3ForConditionalGeneration._from_config(config, attn_implementation="eager")
    with torch.no_grad():  # places are two-dimensional: start from sines instead of noise
        model.model.vision_model.embeddings.position_embedding.weight.copy_(0.5 * _sines())
    model.generation_config.eos_token_id = ids("<end_of_utterance>")
    model.generation_config.pad_token_id = ids("<pad>")
    return model


def _sines() -> Tensor:
    y, x = torch.meshgrid(torch.arange(GRID), torch.arange(GRID), indexing="ij")
    frequencies = torch.exp(-torch.arange(HIDDEN // 4) * math.log(100.0) / (HIDDEN // 4))
    parts = [f(v.flatten()[:, None] * frequencies) for v in (x, y) for f in (torch.sin, torch.cos)]
    return torch.cat(parts, dim=1)


class Throwaway(nn.Module):
    """The heads that exist only while training: what stands on a patch, and what a phrase has found."""

    PATCHES: ClassVar = {
        "colour": 6,
        "shape": 5,
        "size": 2,
        "text": 16,
        "kind": 3,
        "xbin": 16,
        "ybin": 16,
        "xy": 2,
    }
    FOUND: ClassVar = {"colour": 6, "shape": 5, "size": 2, "text": 16, "xbin": 16, "ybin": 16, "count": 10}
    JUDGED: ClassVar = {
        "colour": 6,
        "shape": 5,
        "size": 2,
        "text": 16,
        "right": 2,
        "below": 2,
        "count": 10,
        "sign": 3,
        "same": 2,
    }

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Linear(HIDDEN, sum(self.PATCHES.values()))
        self.found = nn.Linear(HIDDEN, sum(self.FOUND.values()))
        self.judged = nn.Linear(HIDDEN, sum(self.JUDGED.values()))


# --- the labels ----------------------------------------------------------------------------------------------------


def patch_labels(scene: Scene) -> np.ndarray:
    """(64, 9) float32: per patch the labels of `Throwaway.PATCHES` (IGNORE where there is none) and its owner."""
    owners = id_map(scene).reshape(GRID, PATCH, GRID, PATCH).transpose(0, 2, 1, 3).reshape(GRID * GRID, -1)
    labels = np.full((GRID * GRID, 9), IGNORE, dtype=np.float32)
    labels[:, 4], labels[:, 8] = 0, -1
    for patch, pixels in enumerate(owners):
        present, counts = np.unique(pixels[pixels >= 0], return_counts=True)
        if not len(present) or counts.max() < 6:
            continue
        owner = int(present[counts.argmax()])
        item: Thing | Sign = scene.signs[owner - SIGN_BASE] if owner >= SIGN_BASE else scene.things[owner]
        labels[patch, 8] = owner
        labels[patch, 5:8] = item.x // 4, item.y // 4, 0
        if isinstance(item, Thing):
            labels[patch, :3] = (
                COLOUR_NAMES.index(item.colour),
                SHAPES.index(item.shape),
                SIZES.index(item.size),
            )
            labels[patch, 4] = 1
        else:
            labels[patch, 3], labels[patch, 4] = TEXTS.index(item.text), 2
    return labels


@dataclass
class Lesson:
    """A batch: pictures, patch labels and, in phase two, packed questions with grounding labels."""

    pixels: Tensor  # (B, 1, 3, 64, 64)
    patches: Tensor  # (B, 64, 9)
    centres: Tensor  # (B, 64, 2) the owner's centre, in [0, 1]
    packed: Packed | None = None
    types: tuple[str, ...] = ()
    looks: tuple[Tensor, Tensor, Tensor, Tensor, Tensor] | None = (
        None  # layer, head, row, column, target (R, L)
    )
    found: tuple[Tensor, Tensor, Tensor] | None = None  # row, column, labels (R, 7)
    judged: tuple[Tensor, Tensor, Tensor] | None = None  # row, column, labels (R, 9)


class Classroom(IterableDataset[Lesson]):
    """An endless, seeded stream of lessons, made in a process of its own while the model trains."""

    def __init__(self, seed: int, ids: dict[str, int], images: int, questions: int, dial: Tensor) -> None:
        self.seed, self.ids, self.images, self.questions, self.dial = seed, ids, images, questions, dial

    def __iter__(self) -> Iterator[Lesson]:
        torch.set_num_threads(1)
        rng = random.Random(self.seed)
        while True:
            yield self.lesson(rng)

    def lesson(self, rng: random.Random) -> Lesson:
        """`dial` is shared with the trainer: [stage, weight of each question type …]."""
        stage = int(self.dial[0])
        allowed = replace(TRAINING, things=STAGES[stage][0]) if self.questions else TRAINING
        weights = [float(self.dial[1 + templates.TYPES.index(t)]) for t in STAGES[stage][1]]
        scenes = [sample_scene(rng, allowed) for _ in range(self.images)]
        labels = [patch_labels(scene) for scene in scenes]
        lesson = Lesson(
            to_pixels(scenes),
            torch.from_numpy(np.stack(labels)),
            torch.from_numpy(np.stack(list(map(_centres, scenes, labels)))),
        )
        if not self.questions:
            return lesson
        asked = []
        for scene in scenes:
            found: list[tuple[str, Parsed, str]] = []
            while len(found) < self.questions:
                kind = rng.choices(STAGES[stage][1], weights)[0]
                question = taught_question(scene, rng, kind)
                if question is not None:
                    found.append(question)
            asked.append(found)
        return self.pack(lesson, scenes, labels, asked)

    def pack(self, lesson: Lesson, scenes: list[Scene], labels: list[np.ndarray], asked: list[Any]) -> Lesson:
        ids, prefix = self.ids, image_prefix(self.ids)
        trees, looks, found, judged, types = [], [], [], [], []
        for row, (scene, patches, questions) in enumerate(zip(scenes, labels, asked, strict=True)):
            branches, column = [], len(prefix)
            for text, parsed, answer in questions:
                tokens = (*(ids[word] for word in text.split()), ids["<assistant>"])
                branches.append(Branch(tokens, ((ids[answer], ids["<end_of_utterance>"]),)))
                types.append(parsed.program.type)
                notes = Grounding(scene, patches[:, 8], parsed, text.split())
                for layer, head, at, target in notes.looks:
                    placed = {(c if on_image else column + c): w for (on_image, c), w in target.items()}
                    looks.append((layer, head, row, column + at, placed))
                found += [(row, column + at, values) for at, values in notes.found]
                judged += [(row, column + at, values) for at, values in notes.judged]
                column += len(tokens) + 1
            trees.append(Tree(prefix, tuple(branches)))
        lesson.packed, lesson.types = pack(trees, ids["<pad>"]), tuple(types)
        wanted = np.zeros((len(looks), lesson.packed.input_ids.shape[1]), dtype=np.float32)
        for i, look in enumerate(looks):
            for place, weight in look[4].items():
                wanted[i, place] += weight
        index = torch.tensor([look[:4] for look in looks])
        lesson.looks = (index[:, 0], index[:, 1], index[:, 2], index[:, 3], torch.from_numpy(wanted))
        lesson.found = _label_table(found)
        lesson.judged = _label_table(judged)
        return lesson


class Grounding:
    """Where each phrase of a question should look, and what it should find there.

    `looks`: (layer, head, word, {(on_image, column): weight}). Layer 0 gathers a phrase's own words and its relation;
    layer 1 finds the things it fits (head 0 all their patches, head 1 one share each and one for BOS, so that shares
    count) and the subject (head 2); layer 2 finds those that satisfy the relation.
    """

    def __init__(self, scene: Scene, owners: np.ndarray, parsed: Parsed, words: list[str]) -> None:
        self.scene, self.owners = scene, owners
        self.looks: list[tuple[int, int, int, dict[tuple[bool, int], float]]] = []
        self.found: list[tuple[int, list[float]]] = []
        self.judged: list[tuple[int, list[float]]] = []
        program = parsed.program
        subject = parsed.mentions[0]
        first = self._members(program.subject)
        kept = list(first)
        for mention in parsed.mentions:
            at = mention.end
            self.looks.append((0, 0, at, _even([(False, w) for w in range(mention.start, at + 1)])))
            if mention.role == "excluded":
                members: list[Thing | Sign] = [
                    t for t in scene.things if program.without in (t.colour, t.shape, t.size)
                ]
            else:
                assert mention.phrase is not None
                members = self._members(mention.phrase)
            self.looks.append((1, 0, at, look_at_patches(scene, owners, members)))
            self.looks.append((1, 1, at, look_at_shares(members)))
            self.found.append((at, self._found(members)))
            if mention.role == "subject":
                continue
            keyword = mention.relation if mention.role == "landmark" else _keyword(words, at)
            self.looks.append((0, 1, at, {(False, keyword): 1.0}))
            self.looks.append((1, 2, at, {(False, subject.end): 1.0}))
            self.looks.append((2, 0, at, {(False, subject.end): 1.0}))
            judgement = self._judged(program.operation, mention.role, first, members)
            if mention.role == "landmark":
                place = program.places[[m for m in parsed.mentions if m.role == "landmark"].index(mention)]
                mark = landmark(place.landmark, scene)
                kept = [item for item in kept if item is not mark and offset(item, mark, place.relation) > 0]
            elif mention.role == "excluded":
                kept = [
                    t
                    for t in kept
                    if isinstance(t, Thing) and program.without not in (t.colour, t.shape, t.size)
                ]
            if mention.role != "other":
                self.looks.append((2, 1, at, look_at_shares(kept)))
                judgement[:4], judgement[6] = self._attributes(kept), min(len(kept), 9)
            self.judged.append((at, judgement))

    def _members(self, phrase: Phrase | SignPhrase) -> list[Thing | Sign]:
        if isinstance(phrase, Phrase):
            return list(matching(phrase, self.scene))
        return [
            s for s in self.scene.signs if phrase.kind in ("sign", s.kind) and phrase.text in (None, s.text)
        ]

    def _attributes(self, members: list[Thing | Sign]) -> list[float]:
        """Colour, shape, size and text where all members agree."""
        things = [item for item in members if isinstance(item, Thing)]
        signs = [item for item in members if isinstance(item, Sign)]
        values: list[float] = [IGNORE] * 4
        for i, (name, names) in enumerate(
            (("colour", COLOUR_NAMES), ("shape", list(SHAPES)), ("size", list(SIZES)))
        ):
            if things and len({getattr(t, name) for t in things}) == 1:
                values[i] = names.index(getattr(things[0], name))
        if len(signs) == 1:
            values[3] = TEXTS.index(signs[0].text)
        return values

    def _found(self, members: list[Thing | Sign]) -> list[float]:
        bins = [members[0].x // 4, members[0].y // 4] if len(members) == 1 else [IGNORE, IGNORE]
        return [*self._attributes(members), *bins, min(len(members), 9)]

    def _judged(self, operation: str, role: str, first: list[Any], second: list[Any]) -> list[float]:
        values: list[float] = [IGNORE] * 9
        if len(first) == 1 and len(second) == 1:
            values[4], values[5] = float(first[0].x > second[0].x), float(first[0].y > second[0].y)
        if role == "other" and operation in ("more", "fewer", "equal"):
            values[7] = float(np.sign(len(first) - len(second)) + 1)
        if role == "other" and operation == "same_colour":
            values[8] = float(first[0].colour == second[0].colour)
        return values


def look_at_patches(
    scene: Scene, owners: np.ndarray, members: Sequence[Thing | Sign]
) -> dict[tuple[bool, int], float]:
    """Attention spread evenly over the members' patches; on BOS where there are none."""
    numbers = {i for i, t in enumerate(scene.things) if any(t is m for m in members)}
    numbers |= {SIGN_BASE + i for i, s in enumerate(scene.signs) if any(s is m for m in members)}
    places = [IMAGE_START + p for p, owner in enumerate(owners) if int(owner) in numbers]
    return _even([(True, p) for p in places]) if places else {(True, 0): 1.0}


def look_at_shares(members: Sequence[Thing | Sign]) -> dict[tuple[bool, int], float]:
    """One equal share for each member's centre and one for BOS, so that shares count."""
    target: dict[tuple[bool, int], float] = defaultdict(float)
    target[(True, 0)] = 1 / (len(members) + 1)
    for item in members:
        target[(True, IMAGE_START + (item.y // PATCH) * GRID + item.x // PATCH)] += 1 / (len(members) + 1)
    return dict(target)


def taught_question(scene: Scene, rng: random.Random, kind: str) -> tuple[str, Parsed, str] | None:
    """A question of the training range with its answer; None when the scene offers none."""
    text = templates.ask(scene, rng, kind, taught_only=True, tries=12)
    parsed = parse(text) if text else None
    if text is None or parsed is None or templates.untaught(parsed):
        return None
    try:
        return text, parsed, execute(parsed.program, scene)
    except Invalid:
        return None


def to_pixels(scenes: list[Scene]) -> Tensor:
    """(B, 1, 3, 64, 64): what the image processor makes of the pictures (a test holds the two equal)."""
    pictures = np.stack([draw(scene) for scene in scenes]).transpose(0, 3, 1, 2)
    return torch.from_numpy(pictures.astype(np.float32) / 127.5 - 1.0)[:, None]


def image_prefix(ids: dict[str, int]) -> tuple[int, ...]:
    """The tokens that the processor writes for one picture, after BOS."""
    fake = ids["<fake_token_around_image>"]
    return (ids["<bos>"], fake, ids["<global-img>"], *([ids["<image>"]] * GRID * GRID), fake)


IMAGE_START = 3


def _centres(scene: Scene, labels: np.ndarray) -> np.ndarray:
    centres = np.zeros((GRID * GRID, 2), dtype=np.float32)
    for patch, owner in enumerate(labels[:, 8].astype(int)):
        if owner >= 0:
            item: Thing | Sign = scene.signs[owner - SIGN_BASE] if owner >= SIGN_BASE else scene.things[owner]
            centres[patch] = item.x / 64, item.y / 64
    return centres


def _keyword(words: list[str], before: int) -> int:
    """The word that says what to do with a second phrase: more, fewer, as, same, not."""
    return max((i for i in range(before) if words[i] in ("more", "fewer", "many", "same", "not")), default=0)


def _even(places: list[tuple[bool, int]]) -> dict[tuple[bool, int], float]:
    return dict.fromkeys(places, 1 / len(places))


def _label_table(rows: list[Any]) -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.tensor([r[0] for r in rows], dtype=torch.long),
        torch.tensor([r[1] for r in rows], dtype=torch.long),
        torch.tensor([r[2] for r in rows], dtype=torch.float32),
    )


# --- training --------------------------------------------------------------------------------------------------------


class Trainer:
    """Phase one and two over one model; everything that a resume needs is in `state`."""

    def __init__(self, model: Idefics3ForConditionalGeneration, seed: int) -> None:
        self.model, self.extra, self.family = model, Throwaway(), Idefics3()
        self.captured: dict[str, Tensor] = {}
        layers = model.model.text_model.layers
        for i in range(3):
            layers[i].self_attn.register_forward_hook(
                lambda m, a, out, i=i: self.captured.__setitem__(f"look{i}", out[1])
            )
            layers[i].register_forward_hook(
                lambda m, a, out, i=i: self.captured.__setitem__(
                    f"state{i}", out[0] if isinstance(out, tuple) else out
                )
            )
        model.model.vision_model.register_forward_hook(
            lambda m, a, out: self.captured.__setitem__("vision", out.last_hidden_state)
        )
        self.optimizers = self._optimizers()

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        matrices: dict[bool, list[Tensor]] = {True: [], False: []}
        others: dict[bool, list[Tensor]] = {True: [], False: []}
        for name, p in [*self.model.named_parameters(), *self.extra.named_parameters()]:
            vision = "vision_model" in name or "connector" in name
            hidden = p.ndim == 2 and "layers" in name
            (matrices if hidden else others)[vision].append(p)
        muon = torch.optim.Muon(
            [{"params": matrices[v], "vision": v} for v in (True, False)],
            lr=0.02,
            momentum=0.95,
            weight_decay=0.0,
            adjust_lr_fn="original",
        )
        adam = torch.optim.AdamW(
            [{"params": others[v], "vision": v} for v in (True, False)],
            lr=1.5e-3,
            betas=(0.9, 0.98),
            weight_decay=0.01,
        )
        return [muon, adam]

    def set_rates(self, muon: float, adam: float, vision: float) -> None:
        for optimizer, rate in zip(self.optimizers, (muon, adam), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * (vision if group["vision"] else 1.0)

    def step(self, loss: Tensor) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_([*self.model.parameters(), *self.extra.parameters()], 1.0)
        for optimizer in self.optimizers:
            optimizer.step()

    def see(self, lesson: Lesson) -> tuple[Tensor, float]:
        """Phase one: the loss over patch labels and the share of foreground patches whose shape is right."""
        self.family.image_features(self.model, {"pixel_values": lesson.pixels})
        return self._patch_loss(lesson)

    def _patch_loss(self, lesson: Lesson) -> tuple[Tensor, float]:
        parts = _split(self.extra.patches(self.captured["vision"].flatten(0, 1)), Throwaway.PATCHES)
        labels = lesson.patches.flatten(0, 1)
        loss = 0.3 * functional.cross_entropy(parts["kind"], labels[:, 4].long())
        for i, name in enumerate(("colour", "shape", "size", "text")):
            loss = loss + functional.cross_entropy(parts[name], labels[:, i].long(), ignore_index=IGNORE)
        loss = loss + 0.3 * functional.cross_entropy(parts["xbin"], labels[:, 5].long(), ignore_index=IGNORE)
        loss = loss + 0.3 * functional.cross_entropy(parts["ybin"], labels[:, 6].long(), ignore_index=IGNORE)
        owned = labels[:, 4] > 0
        loss = loss + 5.0 * functional.mse_loss(parts["xy"][owned], lesson.centres.flatten(0, 1)[owned])
        shaped = labels[:, 1] >= 0
        return loss, float((parts["shape"].argmax(-1) == labels[:, 1])[shaped].float().mean())

    def answer(self, lesson: Lesson) -> tuple[Tensor, Tensor]:
        """Phase two: (loss, correct (Q,) per question)."""
        packed = lesson.packed
        assert packed is not None
        assert lesson.looks is not None
        assert lesson.found is not None
        assert lesson.judged is not None
        embedded = embeddings(self.model, self.family, packed.input_ids, {"pixel_values": lesson.pixels})
        output = self.family.language_model(self.model)(
            inputs_embeds=embedded,
            attention_mask=attention_mask(self.model, packed.mask, embedded.dtype),
            position_ids=packed.position_ids,
            use_cache=False,
        )
        logits = self.model.lm_head(output.last_hidden_state.flatten(0, 1)[packed.places])[packed.token_place]
        losses = functional.cross_entropy(logits, packed.tokens, reduction="none")
        first = torch.arange(
            0, len(packed.tokens), 2
        )  # every answer is one word and the end of the utterance
        correct = (logits[first].argmax(-1) == packed.tokens[first]).float()
        loss = losses[first].mean() + 0.1 * losses[first + 1].mean()
        layer, head, row, column, target = lesson.looks
        for i in range(3):
            chosen = layer == i
            if bool(chosen.any()):
                given = self.captured[f"look{i}"][row[chosen], head[chosen], column[chosen]]
                loss = loss - 0.25 * (target[chosen] * (given + 1e-6).log()).sum(-1).mean()
        loss = loss + 0.1 * _label_loss(
            self.extra.found, Throwaway.FOUND, self.captured["state1"], lesson.found
        )
        loss = loss + 0.3 * _label_loss(
            self.extra.judged, Throwaway.JUDGED, self.captured["state2"], lesson.judged
        )
        return loss + 0.1 * self._patch_loss(lesson)[0], correct

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "extra": self.extra.state_dict(),
            "optimizers": [o.state_dict() for o in self.optimizers],
        }

    def load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.extra.load_state_dict(state["extra"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)


def _split(logits: Tensor, sizes: dict[str, int]) -> dict[str, Tensor]:
    return dict(zip(sizes, torch.split(logits, list(sizes.values()), dim=-1), strict=True))


def _label_loss(
    head: nn.Linear, sizes: dict[str, int], states: Tensor, table: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    row, column, labels = table
    if not len(row):
        return states.new_zeros(())
    parts = _split(head(states[row, column]), sizes)
    total = states.new_zeros(())
    for i, name in enumerate(sizes):
        wanted = labels[:, i].long()
        if bool((wanted >= 0).any()):
            total = total + functional.cross_entropy(parts[name], wanted, ignore_index=IGNORE)
    return total


def train(out: Path, minutes: float, seed: int, see_share: float) -> None:
    """Both phases, a checkpoint a minute, a line of accuracies every two."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    processor = build_processor()
    ids: dict[str, int] = processor.tokenizer.get_vocab()
    trainer = Trainer(build_model(processor.tokenizer, seed), seed)
    scratch = out.with_name(out.name + ".training")
    scratch.mkdir(parents=True, exist_ok=True)
    saved = scratch / "state.pt"
    progress: dict[str, Any] = {
        "seconds": 0.0,
        "phase": "see",
        "step": 0,
        "stage": 0,
        "curve": [],
        "type": {},
    }
    if saved.exists():
        state = torch.load(saved, weights_only=False)
        trainer.load(state)
        progress = state["progress"]
        print(f"resuming at {progress['seconds'] / 60:.1f} min, phase {progress['phase']}", flush=True)
    budget = {"see": 60 * minutes * see_share, "all": 60 * minutes}
    dial = torch.zeros(1 + len(templates.TYPES)).share_memory_()  # type: ignore[no-untyped-call]  # as `backward`
    dial[1:] = 1.0
    dial[0] = progress["stage"]
    spoken = stored = time.time()
    for phase in ("see", "answer"):
        if progress["phase"] != phase:
            continue
        counts = (48, 0) if phase == "see" else (16, 12)
        room = Classroom(seed * 1000 + progress["step"], ids, *counts, dial)
        loader = iter(DataLoader(room, batch_size=None, num_workers=1, prefetch_factor=8))
        limit, start = budget["see" if phase == "see" else "all"], progress["seconds"]
        began = time.time()
        running: dict[str, float] = progress["type"]
        step_in_phase = 0
        while start + time.time() - began < limit:
            elapsed = start + time.time() - began
            done = elapsed / limit if phase == "see" else (elapsed - budget["see"]) / (limit - budget["see"])
            warm = min(1.0, (step_in_phase + 1) / 50)
            decay = min(1.0, (1 - done) / (0.5 if phase == "see" else 0.7)) + 0.01
            if phase == "see":
                trainer.set_rates(0.02 * decay * warm, 1.5e-3 * decay * warm, 1.0)
                loss, score = trainer.see(next(loader))
                running["see"] = 0.98 * running.get("see", score) + 0.02 * score
            else:
                trainer.set_rates(0.015 * decay * warm, 1e-3 * decay * warm, 0.2)
                lesson = next(loader)
                loss, correct = trainer.answer(lesson)
                for kind in set(lesson.types):
                    mine = correct[[t == kind for t in lesson.types]].mean()
                    running[kind] = 0.97 * running.get(kind, 0.3) + 0.03 * float(mine)
                _turn(dial, progress, running, elapsed, done)
            trainer.step(loss)
            progress["step"] += 1
            step_in_phase += 1
            now = time.time()
            if now - spoken > 20:
                spoken = now
                line = {k: round(v, 3) for k, v in sorted(running.items()) if phase == "answer" or k == "see"}
                print(
                    f"{elapsed / 60:5.1f} min {phase} stage {progress['stage']} step {progress['step']} "
                    f"loss {float(loss.detach()):.3f} {line}",
                    flush=True,
                )
                progress["curve"].append(
                    {"minutes": round(elapsed / 60, 2), "phase": phase, "stage": progress["stage"], **line}
                )
            if now - stored > 60:
                stored = now
                progress["seconds"] = start + now - began
                _store(saved, trainer, progress)
        progress["seconds"] = limit
        progress["phase"] = "answer" if phase == "see" else "done"
        _store(saved, trainer, progress)
        del loader
    trainer.model.set_attn_implementation("sdpa")
    save(trainer.model, processor, out)
    (out / "curve.json").write_text(json.dumps(progress["curve"], indent=1))
    print(f"saved {out}", flush=True)


def _turn(
    dial: Tensor, progress: dict[str, Any], running: dict[str, float], elapsed: float, done: float
) -> None:
    """Ask more of what is not known yet; go to the next stage when this one is known (or its time is up)."""
    for i, kind in enumerate(templates.TYPES):
        weight = 1.5 * (1 - running.get(kind, 0.5)) + 0.08
        dial[1 + i] = weight * (2.5 if kind == "composition" else 1.2 if kind == "counting" else 1.0)
    stage = progress["stage"]
    kinds = STAGES[stage][1]
    mean = sum(running.get(kind, 0.0) for kind in kinds) / len(kinds)
    if stage < len(STAGES) - 1 and (mean >= STAGES[stage][2] or done > 0.15 * (stage + 1)):
        progress["stage"] = stage + 1
        dial[0] = stage + 1


def _store(path: Path, trainer: Trainer, progress: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    torch.save({**trainer.state(), "progress": progress}, temporary)
    temporary.replace(path)


def save(model: Idefics3ForConditionalGeneration, processor: Idefics3Processor, out: Path) -> None:
    """A stock checkpoint: AutoProcessor and AutoModelForImageTextToText load it."""
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    processor.save_pretrained(out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "src/scotoma/models/pupil")
    parser.add_argument("--minutes", type=float, default=40.0, help="training time, both phases")
    parser.add_argument("--see-share", type=float, default=0.12, help="share of the time for phase one")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train(options.out, options.minutes, options.seed, options.see_share)


if __name__ == "__main__":
    main()
