"""The candidate's training: its reward, 0.9 · accuracy + 0.1 · format, and what a warm start leaves behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from scotoma.core import ImageRecord, Request, Sample, Sampling
from scotoma.evolve.reinforce import reinforce, reward
from scotoma.evolve.repair_job import RepairJob
from scotoma.evolve.settings import RepairSettings
from scotoma.grpo.report import StepReport
from scotoma.grpo.rollout import Completion, Prompt, RewardFunction, Rollout
from scotoma.grpo.trainer import Trainer
from scotoma.images.spec import open_images
from scotoma.models.checkpoint import open_checkpoint
from scotoma.models.spec import load_model
from tests.models import checkpoints
from tests.models.conftest import picture, question

WORLD = open_images("worlds:shapes")
SCENE = next(iter(WORLD.images("train", 0)))
PHOTO = ImageRecord(id="0" * 64, source="test", data=b"")
PROMPT = Prompt("p", SCENE, "how many ?", meta={"answer": "3"})


@pytest.mark.parametrize(
    ("text", "expected"), [("3", 1.0), ("three", 1.0), ("4", 0.1), ("", 0.0), ("4 " * 30, 0.0)]
)
def test_accuracy_counts_nine_tenths_and_a_short_answer_one(text: str, expected: float) -> None:
    assert reward([Rollout(PROMPT, (), text)]) == [pytest.approx(expected)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"<think>one, two, three</think> \boxed{3}", 1.0),
        (r"<think>one, two</think> \boxed{2}", 0.1),
        (r"\boxed{3}", 0.9),
        (r"<think>it goes on and on", 0.0),
        ("3", 0.9),
    ],
)
def test_where_thinking_is_asked_for_the_form_is_thinking_and_a_box(text: str, expected: float) -> None:
    prompt = Prompt("p", PROMPT.image, PROMPT.text, meta={"answer": "3", "boxed": True})
    assert reward([Rollout(prompt, (), text)]) == [pytest.approx(expected)]


def test_of_a_photo_other_words_are_no_wrong_answer_and_nothing_is_learnt_of_them() -> None:
    prompt = Prompt("p", PHOTO, "what is it ?", meta={"answer": "couch"})
    rewards = reward(
        [Rollout(prompt, (), text) for text in ("couch", "sofa", "It looks like a settee to me")]
    )
    assert rewards == [pytest.approx(1.0), None, None]
    assert reward([Rollout(Prompt("q", PHOTO, "how many ?", meta={"answer": "3"}), (), "4")]) == [0.1]


@pytest.mark.parametrize(("engine", "lora_rank"), [("shared", 0), ("stock", 4), ("trl", 4)])
def test_a_warm_start_ends_in_a_stock_checkpoint_with_or_without_adapters(
    tmp_path: Path, engine: str, lora_rank: int
) -> None:
    policy = checkpoints.idefics3(tmp_path / "policy")
    images = {record.id: record for record in map(picture, range(4))}
    samples = [
        Sample(id=str(i), image_id=image_id, question=question(i), answer="red", purpose="mode")
        for i, image_id in enumerate(images)
    ]
    settings = RepairSettings(
        engine=engine, lora_rank=lora_rank, samples=8, steps=1, images_per_step=2, group_size=2,
        max_new_tokens=2, warm_start_steps=3, warm_start_rate=1e-2, learning_rate=1e-9,
    )  # fmt: skip
    report = reinforce(
        RepairJob(f"hf:{policy}", samples, images, settings, 0, tmp_path / "out", warm_start=samples)
    )
    before, after = open_checkpoint(policy).model, open_checkpoint(report.checkpoint).model
    old = dict(before.named_parameters())
    taught = max(
        float((weight - old[name]).detach().abs().max()) for name, weight in after.named_parameters()
    )
    assert taught > 1e-3  # the steps after it are too small to have done that


def test_one_image_a_step_is_enough_for_a_warm_start(tmp_path: Path) -> None:
    policy = checkpoints.idefics3(tmp_path / "policy")
    image = picture(0)
    sample = Sample(id="s", image_id=image.id, question=question(0), answer="red", purpose="mode")
    settings = RepairSettings(
        engine="shared", samples=8, steps=1, images_per_step=1, group_size=2, max_new_tokens=1,
        warm_start_steps=30, warm_start_rate=1e-2, learning_rate=1e-9,
    )  # fmt: skip
    report = reinforce(
        RepairJob(
            f"hf:{policy}", [sample], {image.id: image}, settings, 0, tmp_path / "out", warm_start=[sample]
        )
    )
    [reply] = load_model(f"hf:{report.checkpoint}").answer(
        [Request((image,), sample.question, sampling=Sampling(max_tokens=1))]
    )
    assert reply.text == "red"


def test_what_is_rehearsed_is_kept_while_something_else_is_taught(tmp_path: Path) -> None:
    policy = checkpoints.idefics3(tmp_path / "policy")
    images = {record.id: record for record in map(picture, range(4))}
    taught, known = (
        [
            Sample(
                id=f"{answer}{i}",
                image_id=list(images)[i],
                question=question(i),
                answer=answer,
                purpose="mode",
            )
            for i in numbers
        ]
        for answer, numbers in (("red", (0, 1)), ("blue", (2, 3)))
    )
    settings = RepairSettings(
        engine="shared", samples=8, steps=1, images_per_step=4, group_size=2, max_new_tokens=2,
        warm_start_steps=30, warm_start_rate=1e-2, learning_rate=1e-9,
    )  # fmt: skip

    def says(rehearsal: list[Sample], out: str) -> list[str]:
        report = reinforce(
            RepairJob(f"hf:{policy}", taught, images, settings, 0, tmp_path / out, taught, rehearsal)
        )
        asked = [Request((images[s.image_id],), s.question, sampling=Sampling(max_tokens=1)) for s in known]
        return [reply.text for reply in load_model(f"hf:{report.checkpoint}").answer(asked)]

    assert says(known, "with") == ["blue", "blue"]
    assert says([], "without") != ["blue", "blue"]


def test_a_step_has_as_many_questions_however_many_a_picture_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arms of equal samples differ in questions per picture; none may see its samples more often for that."""
    policy = checkpoints.idefics3(tmp_path / "policy")
    images = {record.id: record for record in map(picture, range(24))}
    seen: list[int] = []
    taught, trained = Trainer.supervised_step, Trainer.step

    def supervised_step(self: Trainer, completions: Sequence[Completion], rate: float) -> object:
        seen.append(len(completions))
        return taught(self, completions, rate)

    def step(self: Trainer, prompts: Sequence[Prompt], reward: RewardFunction) -> StepReport:
        seen.append(len(prompts))
        return trained(self, prompts, reward)

    monkeypatch.setattr(Trainer, "supervised_step", supervised_step)
    monkeypatch.setattr(Trainer, "step", step)
    settings = RepairSettings(
        engine="shared", samples=24, steps=3, images_per_step=1, group_size=2, max_new_tokens=1,
        warm_start_steps=3, warm_start_rate=1e-3, learning_rate=1e-9,
    )  # fmt: skip
    for of_each in (1, 4):
        samples = [
            Sample(
                id=str(i),
                image_id=list(images)[i // of_each],
                question=question(i),
                answer="red",
                purpose="mode",
            )
            for i in range(24)
        ]
        out = tmp_path / str(of_each)
        reinforce(RepairJob(f"hf:{policy}", samples, images, settings, 0, out, warm_start=samples[:4]))
    assert seen == [settings.questions_per_step] * 12
