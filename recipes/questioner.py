"""Warm-start the embedded questioner: the Pupil's architecture and eyes, taught to ask instead of to answer.

    python recipes/questioner.py            # an hour and a half; writes src/scotoma/models/questioner/

Supervised only, no reward. First its eyes learn which descriptions fit one thing alone (`eyes.py`). Then it imitates
the uniform template questioner on the exam's scenes, with and without a wish in the prompt ("ask about counting") and
with earlier turns; soon it learns from its own questions too: the valid ones as they are (rejection sampling, with more
weight for types that it gets wrong), and where a phrase went wrong, from what it should have said (`alternatives.py`).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset
from transformers import AutoModelForImageTextToText, Idefics3ForConditionalGeneration

from alternatives import Choice, alternatives, definite
from eyes import DESCRIPTIONS, alone_flags, alone_loss, deepen, open_eyes
from pupil import (
    COLOUR_NAMES,
    HIDDEN,
    LAYERS,
    TEXTS,
    build_processor,
    image_prefix,
    look_at_patches,
    look_at_shares,
    patch_labels,
    save,
    to_pixels,
)
from scotoma.images.worlds.shapes import templates
from scotoma.images.worlds.shapes.executor import examine
from scotoma.images.worlds.shapes.language import parse
from scotoma.images.worlds.shapes.scene import EXAM, SHAPES, SIZES, Scene, Sign, Thing, sample_scene
from scotoma.models.families.idefics3 import Idefics3
from scotoma.models.growth import Decoding, grow
from scotoma.models.tree import Branch, Packed, Tree, leaf_logits, pack

FAMILY = Idefics3()
MORE_EYES = 2
"""Vision layers on top of the Pupil's."""
EYES_SHARE = 0.15
"""The share of the time that goes to the eyes alone."""
OWN_FROM = 0.1
"""The share of the time after which it learns from its own questions too."""
OWN, TEMPLATES = 12, 8
"""Its own questions to a scene, at most, and the templates' beside them, which keep the grammar."""
HARD = ("horizontal", "vertical", "composition", "composition")
"""Types that take two phrases or more, asked for more often."""


def write_prompt(rng: random.Random, scene: Scene, wish: str | None) -> str:
    """What the questioner is told: perhaps an earlier question with its answer, perhaps a wish."""
    ask = f"ask about {wish}" if wish else "ask"
    if rng.random() < 0.3:
        earlier = templates.ask(scene, rng)
        answer = examine(scene, earlier).answer if earlier else None
        if earlier and answer:
            return f"ask <assistant> {earlier} <end_of_utterance> answer {answer} . {ask} <assistant>"
    return f"{ask} <assistant>"


@dataclass(frozen=True)
class Lesson:
    """One question to learn from: word for word if it is worth imitating, else only at its `choices`."""

    prompt: str
    question: str
    choices: list[Choice]
    imitate: bool = True


class Lessons(IterableDataset[tuple[list[Scene], list[list[Lesson]]]]):
    """Endless scenes of the exam's range with prompts and the template questioner's questions.

    A wish that the scene does not offer (reading where there is no sign) is answered by another question.
    """

    def __init__(self, seed: int, images: int, questions: int) -> None:
        self.seed, self.images, self.questions = seed, images, questions

    def __iter__(self) -> Iterator[tuple[list[Scene], list[list[Lesson]]]]:
        rng = random.Random(self.seed)
        while True:
            scenes = [sample_scene(rng, EXAM) for _ in range(self.images)]
            yield scenes, [self.lessons(scene, rng) for scene in scenes]

    def lessons(self, scene: Scene, rng: random.Random) -> list[Lesson]:
        found: list[Lesson] = []
        while len(found) < self.questions:
            wish = rng.choice((*templates.TYPES, *HARD, *HARD))
            question = templates.ask(scene, rng, wish) or templates.ask(scene, rng)
            if question is not None:
                told = wish if rng.random() < 0.7 else None
                prompt = write_prompt(rng, scene, told)
                found.append(Lesson(prompt, question, alternatives(scene, question, told)))
        return found


class Student:
    """The model while it learns to ask, with throwaway heads that look where the next word of a phrase comes from.

    Imitation alone hardly learns to speak of what is there: the words of a phrase are chosen at random among many that
    would do. So, wherever a phrase is being written, layer 1 is told to look at the things that it fits so far, and a
    linear head to say of every attribute whether none, one or several of them have it: that is what makes a phrase
    fit something. And every patch is told which descriptions fit its thing alone, which needs all of the picture at
    once: the eyes get two layers more than the Pupil's. The heads are dropped; the checkpoint is stock.
    """

    ATTRIBUTES = (*COLOUR_NAMES, *SHAPES, *SIZES, *TEXTS)

    def __init__(self, model: Idefics3ForConditionalGeneration, ids: dict[str, int]) -> None:
        self.model, self.ids = model, ids
        self.present = nn.Linear(HIDDEN, 3 * len(self.ATTRIBUTES))
        self.number = nn.Linear(HIDDEN, 10)
        self.alone = nn.Linear(HIDDEN, DESCRIPTIONS)
        self.heads = nn.ModuleList([self.present, self.number, self.alone])
        self.captured: dict[str, Tensor] = {}
        layers = model.model.text_model.layers
        model.model.connector.register_forward_hook(
            lambda m, a, out: self.captured.__setitem__("patches", out)
        )
        layers[1].self_attn.register_forward_hook(lambda m, a, out: self.captured.__setitem__("look", out[1]))
        for i in (1, 2):
            layers[i].register_forward_hook(
                lambda m, a, out, i=i: self.captured.__setitem__(
                    f"state{i}", out[0] if isinstance(out, tuple) else out
                )
            )

    def loss(self, scenes: list[Scene], lessons: list[list[Lesson]]) -> tuple[Tensor, float]:
        """What was said against what could have been said, plus the throwaway losses; and the former alone."""
        prefix, end = image_prefix(self.ids), (self.ids["<end_of_utterance>"],)
        trees, looks, labels = [], [], []
        standing = [patch_labels(scene)[:, 8] for scene in scenes]
        choices: list[tuple[int, dict[str, float]]] = []
        imitated: list[bool] = []
        for row, (scene, asked) in enumerate(zip(scenes, lessons, strict=True)):
            owners, branches, column = standing[row], [], len(prefix)
            for lesson in asked:
                branch, leaf = _tokens(self.ids, lesson.prompt), _tokens(self.ids, lesson.question) + end
                branches.append(Branch(branch, (leaf,)))
                column += len(branch)
                spoken_of = [*_partial(scene, lesson.question)]
                spoken_of += [(choice.word - 1, [*choice.members]) for choice in lesson.choices]
                for word, members in spoken_of:
                    look = {c: w for (_, c), w in look_at_patches(scene, owners, members).items()}
                    share = {c: w for (_, c), w in look_at_shares(members).items()}
                    looks += [(row, 0, column + word, look), (row, 1, column + word, share)]
                    labels.append((row, column + word, _attributes(members), min(len(members), 9)))
                column += len(leaf) - 1
                choices += [(len(imitated) + choice.word, choice.weights) for choice in lesson.choices]
                imitated += [lesson.imitate] * len(leaf)
            trees.append(Tree(prefix, tuple(branches)))
        packed = pack(trees, self.ids["<pad>"])
        logits = leaf_logits(self.model, FAMILY, packed, {"pixel_values": to_pixels(scenes)})
        said = self._said(logits.log_softmax(-1), packed, choices, torch.tensor(imitated))
        target = torch.zeros(len(looks), packed.input_ids.shape[1])
        for i, (*_, places) in enumerate(looks):
            target[i, list(places)] = torch.tensor(list(places.values()))
        index = torch.tensor([look[:3] for look in looks])
        given = self.captured["look"][index[:, 0], index[:, 1], index[:, 2]]
        loss = said - 0.3 * (target * (given + 1e-6).log()).sum(-1).mean()
        still_alone, self.knows_alone = alone_loss(
            self.alone, self.captured["patches"], alone_flags(scenes, standing)
        )
        loss = loss + 2 * still_alone
        at = torch.tensor([label[:2] for label in labels])
        wanted = torch.tensor([label[2] for label in labels])
        counted = torch.tensor([label[3] for label in labels])
        for layer in (1, 2):
            states = self.captured[f"state{layer}"][at[:, 0], at[:, 1]]
            having = self.present(states).view(-1, 3)
            loss = loss + 2.0 * functional.cross_entropy(having, wanted.flatten())
            loss = loss + 0.1 * functional.cross_entropy(self.number(states), counted)
        return loss, float(said.detach())

    def _said(
        self, table: Tensor, packed: Packed, choices: list[tuple[int, dict[str, float]]], imitated: Tensor
    ) -> Tensor:
        """Cross-entropy per token: with the whole distribution where it is known, else with the word that was said.

        Where it is known, the probability of every word that would have spoilt the question is pressed down as well.
        """
        if not choices:
            return -table[packed.token_place, packed.tokens][imitated].mean()
        known = torch.tensor([token for token, _ in choices])
        wanted = torch.zeros(len(choices), table.shape[1])
        for i, (_, weights) in enumerate(choices):
            wanted[i, [self.ids[word] for word in weights]] = torch.tensor(list(weights.values()))
        there = table[packed.token_place[known]]
        surprise = -(wanted * there).sum(-1) - torch.special.entr(wanted).sum(-1)
        spoilt = -there.masked_fill(wanted == 0, -torch.inf).logsumexp(-1)
        imitated[known] = False
        words = -table[packed.token_place, packed.tokens][imitated]
        total: Tensor = words.sum() + (surprise + 2 * spoilt).sum()
        return total / (len(words) + len(known))


def _partial(scene: Scene, question: str) -> Iterator[tuple[int, list[Thing | Sign]]]:
    """For every word before a word of a phrase about a set: its index, and the things that the phrase fits so far."""
    parsed, words = parse(question), question.split()
    if parsed is None:
        return
    for mention in parsed.mentions:
        if mention.phrase is None or mention.start == 0 or definite(parsed, mention):
            continue
        for last in range(mention.start - 1, mention.end):
            said = words[mention.start : last + 1]
            yield last, [t for t in scene.things if all(word in (t.size, t.colour) for word in said)]


def _attributes(members: list[Thing | Sign]) -> list[int]:
    """Of how many members each word is true: 0, 1, or 2 for several."""
    counts = Counter(
        w for m in members for w in ((m.text,) if isinstance(m, Sign) else (m.colour, m.shape, m.size))
    )
    return [min(counts[name], 2) for name in Student.ATTRIBUTES]


@torch.no_grad()
def sample(
    model: Idefics3ForConditionalGeneration, ids: dict[str, int], scenes: list[Scene],
    prompts: list[list[str]], copies: int, temperature: float, seed: int,
) -> list[list[list[str]]]:  # fmt: skip
    """Questions by scene, prompt and copy."""
    words = {i: w for w, i in ids.items()}
    suppressed = tuple(i for word, i in ids.items() if word.startswith("<") and word != "<end_of_utterance>")
    trees = [Tree(image_prefix(ids), tuple(Branch(_tokens(ids, p)) for p in row)) for row in prompts]
    decoding = Decoding((ids["<end_of_utterance>"],), 32, temperature, suppressed=suppressed)
    grown = grow(
        model, FAMILY, trees, {"pixel_values": to_pixels(scenes)}, decoding, copies, seed, ids["<pad>"]
    )
    return [
        [
            [" ".join(words[t] for t in leaf.tokens if words[t] != "<end_of_utterance>") for leaf in branch]
            for branch in row
        ]
        for row in grown
    ]


def examine_all(
    scenes: list[Scene], prompts: list[list[str]], asked: list[list[list[str]]]
) -> list[tuple[int, str, str, Any]]:
    return [
        (i, prompt, question, examine(scene, question))
        for i, (scene, row, branches) in enumerate(zip(scenes, prompts, asked, strict=True))
        for prompt, questions in zip(row, branches, strict=True)
        for question in questions
    ]


def report(
    model: Idefics3ForConditionalGeneration, ids: dict[str, int], temperature: float, n: int = 1200
) -> dict[str, Any]:
    """Validity overall, by type and by reason, on fresh scenes; how often a wish is met."""
    rng = random.Random(987654)
    scenes = [sample_scene(rng, EXAM) for _ in range(n // 12)]
    prompts = [[f"ask about {t} <assistant>" for t in templates.TYPES] + ["ask <assistant>"] for _ in scenes]
    rows = examine_all(scenes, prompts, sample(model, ids, scenes, prompts, 1, temperature, 5))
    reasons = Counter(e.reason for *_, e in rows if not e.valid)
    by_type: dict[str, list[bool]] = defaultdict(list)
    met = []
    for _, prompt, _, e in rows:
        wish = prompt.split()[2] if "about" in prompt else "free"
        by_type[wish].append(e.valid)
        if e.tags and wish != "free":
            met.append(e.tags["type"] == wish)
    free_types = Counter(str(e.tags.get("type")) for _, p, _, e in rows if "about" not in p)
    return {
        "n": len(rows),
        "valid": sum(e.valid for *_, e in rows) / len(rows),
        "by_type": {t: round(sum(v) / len(v), 3) for t, v in by_type.items()},
        "reasons": dict(reasons),
        "wish_met": sum(met) / max(len(met), 1),
        "unique": len({q for _, _, q, _ in rows}) / len(rows),
        "free_types": dict(free_types),
    }


def _tokens(ids: dict[str, int], text: str) -> tuple[int, ...]:
    return tuple(ids[word] for word in text.split())


def train(start: Path, out: Path, minutes: float, seed: int) -> None:
    """Eyes, imitation, then its own questions; a resumable state a minute."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    torch.manual_seed(seed)
    processor = build_processor()
    ids: dict[str, int] = processor.tokenizer.get_vocab()
    model = AutoModelForImageTextToText.from_pretrained(start, attn_implementation="eager")
    saved = out.with_name(out.name + ".training") / "state.pt"
    saved.parent.mkdir(parents=True, exist_ok=True)
    if model.config.vision_config.num_hidden_layers == LAYERS:
        model, opened = deepen(model, LAYERS + MORE_EYES), saved.with_name("eyes.pt")
        if opened.exists():
            model.load_state_dict(torch.load(opened))
        else:
            open_eyes(model, EYES_SHARE * minutes, seed)
            torch.save(model.state_dict(), opened)
    student = Student(model, ids)
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "text_model.layers" in n]
    seeing = [p for n, p in model.named_parameters() if p.ndim == 2 and "vision_model.encoder.layers" in n]
    others = [
        p
        for n, p in model.named_parameters()
        if not (p.ndim == 2 and "text_model.layers" in n) and "vision_model" not in n
    ]
    eyes = [
        p
        for n, p in model.named_parameters()
        if "vision_model" in n and not (p.ndim == 2 and "vision_model.encoder.layers" in n)
    ]
    muon = torch.optim.Muon(
        [{"params": matrices, "scale": 1.0}, {"params": seeing, "scale": 0.3}],
        lr=0.01,
        momentum=0.95,
        weight_decay=0.0,
        adjust_lr_fn="original",
    )
    adam = torch.optim.AdamW(
        [
            {"params": [*others, *student.heads.parameters()], "scale": 1.0},
            {"params": eyes, "scale": 0.2},
        ],
        lr=1e-3,
        betas=(0.9, 0.98),
        weight_decay=0.01,
    )
    seconds, step, curve = 0.0, 0, []
    if saved.exists():
        state = torch.load(saved, weights_only=False)
        model.load_state_dict(state["model"])
        student.heads.load_state_dict(state["heads"])
        muon.load_state_dict(state["muon"])
        adam.load_state_dict(state["adam"])
        seconds, step, curve = state["seconds"], state["step"], state["curve"]
        print(f"resuming at {seconds / 60:.1f} min", flush=True)
    rng = random.Random(seed + step)
    known = dict.fromkeys(templates.TYPES, 0.5)
    loader = iter(
        DataLoader(
            Lessons(seed * 1000 + step, 12, TEMPLATES), batch_size=None, num_workers=1, prefetch_factor=8
        )
    )
    began, stored, spoken, total = time.time(), time.time(), 0.0, 60 * minutes * (1 - EYES_SHARE)
    while (elapsed := seconds + time.time() - began) < total:
        done = elapsed / total
        rate = min(1.0, (step + 1) / 50) * (min(1.0, (1 - done) / 0.5) + 0.01)
        for group in muon.param_groups:
            group["lr"] = 0.01 * rate * group["scale"]
        for group in adam.param_groups:
            group["lr"] = 1e-3 * rate * group["scale"]
        scenes, lessons = next(loader)
        if done > OWN_FROM:
            own = own_lessons(model, ids, scenes, rng, step, known)
            lessons = [mine + taught for mine, taught in zip(own, lessons, strict=True)]
        loss, said = student.loss(scenes, lessons)
        muon.zero_grad(set_to_none=True)
        adam.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        muon.step()  # type: ignore[no-untyped-call]  # as above
        adam.step()
        step += 1
        if time.time() - spoken > 180:
            spoken = time.time()
            now = report(model, ids, 1.0, 360)
            curve.append({"minutes": round(elapsed / 60, 2), "loss": said, **now})
            print(
                f"{elapsed / 60:5.1f} min step {step} loss {said:.3f} alone {student.knows_alone:.3f} "
                f"valid {now['valid']:.3f} met {now['wish_met']:.3f} {now['by_type']} {now['reasons']}",
                flush=True,
            )
        if time.time() - stored > 60:
            stored = time.time()
            state = {
                "model": model.state_dict(),
                "heads": student.heads.state_dict(),
                "muon": muon.state_dict(),
                "adam": adam.state_dict(),
                "seconds": elapsed,
                "step": step,
                "curve": curve,
            }
            torch.save(state, saved)
    model.set_attn_implementation("sdpa")
    save(model, processor, out)
    final = {str(t): report(model, ids, t, 3000) for t in (1.0, 0.7, 0.5)}
    (out / "curve.json").write_text(json.dumps({"curve": curve, "final": final}, indent=1))
    print(json.dumps(final, indent=1), flush=True)


def own_lessons(
    model: Idefics3ForConditionalGeneration,
    ids: dict[str, int],
    scenes: list[Scene],
    rng: random.Random,
    seed: int,
    known: dict[str, float],
) -> list[list[Lesson]]:
    """The model's own questions, at most OWN to a scene: those that turned out valid and as wished are imitated.

    Of the others only what they should have said instead is learnt, where a phrase of theirs went wrong. Types that it
    gets wrong (`known`: running validity per type, updated here) are wished more often.
    """
    wishes = rng.choices(list(known), [1.05 - valid for valid in known.values()], k=7 * len(scenes))
    prompts = [
        [write_prompt(rng, s, wish) for wish in wishes[7 * i : 7 * i + 7]] + [write_prompt(rng, s, None)]
        for i, s in enumerate(scenes)
    ]
    rows = examine_all(scenes, prompts, sample(model, ids, scenes, prompts, 3, 1.0, seed))
    rng.shuffle(rows)
    right: list[list[tuple[str, str, str | None]]] = [[] for _ in scenes]
    wrong: list[list[tuple[str, str, str | None]]] = [[] for _ in scenes]
    for i, prompt, question, e in rows:
        wish = prompt.rsplit(" about ", 1)[1].split()[0] if " about " in prompt else None
        good = e.valid and (
            wish is None or e.tags["type"] == wish or templates.ask(scenes[i], rng, wish) is None
        )
        if wish is not None:
            known[wish] += 0.01 * (e.valid - known[wish])
        (right if good else wrong)[i].append((prompt, question, wish))
    return [
        [
            Lesson(prompt, question, alternatives(scene, question, wish), imitate)
            for asked, imitate in ((bad[: OWN // 2], False), (good[: OWN - min(len(bad), OWN // 2)], True))
            for prompt, question, wish in asked
        ]
        for scene, good, bad in zip(scenes, right, wrong, strict=True)
    ]


def main() -> None:
    here = Path(__file__).parents[1] / "src/scotoma/models"
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--start", type=Path, default=here / "pupil", help="the checkpoint to start from")
    parser.add_argument("--out", type=Path, default=here / "questioner")
    parser.add_argument("--minutes", type=float, default=90.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    train(options.start, options.out, options.minutes, options.seed)


if __name__ == "__main__":
    main()
