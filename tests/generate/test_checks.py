"""Each check rejects what it is for, with a reason that can be counted, and lets everything else pass."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scotoma.core import ImageRecord, Reply, ReplyError, Request, Tags, Verdict
from scotoma.generate.checks import Check, Checks, Draft, usual_checks
from scotoma.generate.checks.answer import Answer
from scotoma.generate.checks.balance import Balance
from scotoma.generate.checks.blind import Blind, BlindModel, Elsewhere, Habits
from scotoma.generate.checks.difficulty import Difficulty, PassRate
from scotoma.generate.checks.duplicate import Duplicate, Vectors, gist
from scotoma.generate.checks.form import Form
from scotoma.generate.checks.grounding import Grounding
from scotoma.generate.checks.leakage import Leakage
from scotoma.generate.checks.licence import Licence
from scotoma.generate.checks.opinion import Reread
from scotoma.generate.checks.single_answer import SingleAnswer
from scotoma.generate.handover import Outage
from scotoma.images.duplicates import NearDuplicates
from scotoma.images.worlds.shapes import ShapesFacts, ShapesWorld
from scotoma.images.worlds.shapes.scene import Scene, Thing

WORLD = ShapesWorld()
PHOTO = ImageRecord(id="ab12", source="folder:photos", licence="CC BY 4.0")


def star(colour: str, x: int, y: int) -> Thing:
    return Thing(shape="star", colour=colour, size="small", x=x, y=y, radius=6)


def drawn(*things: Thing) -> ImageRecord:
    return WORLD.render(ShapesFacts(Scene(things=things)), "train")


ONE = drawn(star("red", 15, 15), replace(star("blue", 45, 45), shape="circle"))
TWO = drawn(star("red", 15, 15), star("blue", 45, 45))


def about(
    image: ImageRecord, question: str = "what colour is the star ?", answer: str | None = "red"
) -> Draft:
    return Draft(image, question, answer, facts=image.facts)


def saved_again(record: ImageRecord) -> ImageRecord:
    buffer = io.BytesIO()
    record.open().resize((128, 128)).save(buffer, "PNG")
    return replace(record, id=ImageRecord.hash(buffer.getvalue()), data=buffer.getvalue())


# ------------------------------------------------------------------------------------------------ all of them


class NoRed(Check):
    name = "no_red"

    def reason(self, draft: Draft) -> str | None:
        return "red" if "red" in draft.question else None


def test_the_first_check_that_objects_gives_the_reason_and_it_is_counted() -> None:
    checks = Checks([NoRed(), Duplicate()])
    assert checks.names == ("no_red", "duplicate")
    assert not checks.passes(about(ONE, "is the red thing a star ?"))
    assert checks.passes(about(ONE))
    assert not checks.passes(about(ONE))
    assert checks.rejected == {"red": 1, "duplicate": 1}


def test_what_one_check_rejects_no_other_remembers() -> None:
    duplicate = Duplicate()
    refused = about(ONE, "is the red thing a star ?")
    assert not Checks([duplicate, NoRed()]).passes(refused)
    assert Checks([duplicate]).passes(refused)


def test_every_objection_can_be_heard() -> None:
    checks = Checks([Form(), SingleAnswer(Reread(WORLD)), Answer(Reread(WORLD))])
    assert checks.reasons(about(TWO)) == {"single_answer": "ambiguous", "answer": "answer"}
    assert checks.reasons(about(ONE)) == {}


def test_the_usual_checks_let_everything_pass_that_the_world_asks() -> None:
    checks = Checks(usual_checks(WORLD, held_out=()))
    for number, image in enumerate(islice(WORLD.images("train", 1), 10)):
        assert image.facts is not None
        for question in dict.fromkeys(WORLD.questions(image.facts, number, 8)):
            assert checks.passes(about(image, question, image.facts.examine(question).answer))
    assert not checks.rejected


def test_the_usual_checks_hold_a_picture_to_its_scene() -> None:
    checks = Checks(usual_checks(WORLD, held_out=()))
    before_the_edit = replace(ONE, facts=drawn(star("red", 45, 15)).facts)
    assert not checks.passes(about(before_the_edit))
    assert checks.rejected == {"wrong_image": 1}


# ------------------------------------------------------------------------------------------------ one by one


@pytest.mark.parametrize(
    ("question", "answer", "options", "reason"),
    [
        (" ? ", "red", (), "empty_question"),
        ("what colour is it ?", " . ", (), "empty_answer"),
        ("what " * 100 + "?", "red", (), "long_question"),
        ("what colour is it ?", "red " * 30, (), "long_answer"),
        ("what colour is the {noun} ?", "red", (), "unparsable"),
        ("what colour is it ?", "red", ("blue", "green"), "not_an_option"),
        ("what colour is it ?", "Red", ("red", "green"), None),
        ("how many are there ?", "0", (), None),
        ("which sign is it ?", "+", (), None),
    ],
)
def test_form(question: str, answer: str, options: tuple[str, ...], reason: str | None) -> None:
    assert Form().reason(Draft(PHOTO, question, answer, options=options)) == reason


@pytest.mark.parametrize(
    ("licence", "source", "reason"),
    [
        ("CC BY 4.0", "https://example.org/a.jpg", None),
        ("cc-by-sa-3.0", "https://example.org/a.jpg", None),
        ("CC0 1.0", "https://example.org/a.jpg", None),
        ("Public Domain Mark 1.0", "https://example.org/a.jpg", None),
        ("CC BY-NC 4.0", "https://example.org/a.jpg", "licence"),
        ("CC BY-ND 2.0", "https://example.org/a.jpg", "licence"),
        ("unknown", "https://example.org/a.jpg", "licence"),
        ("CC BY 4.0", " ", "no_source"),
        ("unknown", "folder:mine/a.jpg", None),
        ("unknown", "folder:mine/a.jpg#crop", None),
        ("unknown", "folder:others/a.jpg", "licence"),
    ],
)
def test_licence(licence: str, source: str, reason: str | None) -> None:
    check = Licence(own=["folder:mine/"])
    assert check.reason(about(replace(PHOTO, licence=licence, source=source))) == reason


@pytest.mark.parametrize(
    ("families", "licence", "source", "reason"),
    [
        (["CC BY"], "CC BY 4.0", "openverse:https://example.org/a#crop", None),
        (["CC BY"], "unknown", "openverse:https://example.org/a#crop", "licence"),
        (["CC BY"], "unknown", "folder:photos/a.jpg", None),
        (["CC BY"], "CC BY 4.0", "", "no_source"),
        (None, "unknown", "openverse:https://example.org/a", None),
        (None, "unknown", "", "no_source"),
    ],
)
def test_of_two_places_one_may_be_held_to_licences(
    families: list[str] | None, licence: str, source: str, reason: str | None
) -> None:
    check = Licence(families, elsewhere=["openverse:"])
    assert check.reason(about(replace(PHOTO, licence=licence, source=source))) == reason


def test_a_picture_that_was_drawn_here_needs_no_licence() -> None:
    assert Licence(families=()).reason(about(ONE)) is None


@pytest.mark.parametrize(
    ("rate", "reason"), [(0.0, "too_hard"), (0.3, None), (0.8, None), (0.9, "too_easy"), (None, None)]
)
def test_difficulty(rate: float | None, reason: str | None) -> None:
    assert Difficulty((0.3, 0.8)).reason(replace(about(ONE), pass_rate=rate)) == reason


def test_the_difficulty_of_a_mode_holds_for_its_samples_that_were_not_measured() -> None:
    check = Difficulty(pass_rates={"dark": 0.0, "lit": 1.0, "dusk": 0.5})
    reasons = [
        check.reason(replace(about(ONE), mode_id=mode)) for mode in ("dark", "lit", "dusk", "other", None)
    ]
    assert reasons == ["too_hard", "too_easy", None, None, None]
    assert check.reason(replace(about(ONE), mode_id="dark", pass_rate=0.5)) is None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (("red", "Red.", "red", "red"), "too_easy"),
        (("red", "blue", None, "red"), None),
        (("blue", "blue", "blue", None), "too_hard"),
    ],
)
def test_a_candidate_is_asked_for_the_difficulty_and_failed_calls_count_neither_way(
    said: tuple[str | None, ...], reason: str | None
) -> None:
    candidate = Parrot(*said)
    check = Difficulty((0.3, 0.8), measure=PassRate(candidate, samples=4))
    assert check.reason(about(ONE)) == reason
    assert candidate.shown == 4


def test_a_candidate_is_asked_as_in_training() -> None:
    class Listener(Parrot):
        def answer(self, requests: Sequence[Request]) -> list[Reply]:
            assert {(r.text, r.sampling.max_tokens) for r in requests} == {
                ("what colour is the star ? In one word.", 5)
            }
            return super().answer(requests)

    rate = PassRate(Listener("red", "red"), 2, put=lambda question: f"{question} In one word.", max_tokens=5)
    assert rate(about(ONE)) == 1.0


def test_a_candidate_that_hardly_answers_is_an_outage_and_neither_hard_nor_easy() -> None:
    for said in ((None, None), (None, None, None, "red")):
        with pytest.raises(Outage, match="late"):
            Difficulty(measure=PassRate(Parrot(*said), samples=len(said))).reason(about(ONE))


def test_answers_that_mostly_nobody_can_judge_are_no_pass_rate() -> None:
    vague = "something warm, as far as one can tell"
    assert PassRate(Parrot(vague, vague, "red"), samples=3)(about(ONE)) is None
    assert PassRate(Parrot(vague, "red", "red"), samples=3)(about(ONE)) == 1.0


def test_balance_caps_an_answers_share_of_its_mode() -> None:
    checks = Checks([Balance(most=0.6, after=10)])
    for number in range(60):
        checks.passes(replace(about(ONE, f"{number} ?", "yes"), mode_id="a"))
    assert checks.rejected == {"balance": 50}
    assert checks.passes(replace(about(ONE, answer="no"), mode_id="a"))
    assert checks.passes(replace(about(ONE, answer="yes"), mode_id="b"))


def test_an_answer_counts_as_one_however_it_is_written() -> None:
    checks = Checks([Balance(most=0.6, after=10)])
    for number in range(60):
        checks.passes(replace(about(ONE, f"{number} ?", ("Yes", "yes", "YES.")[number % 3]), mode_id="a"))
    assert checks.rejected == {"balance": 50}
    signs = Checks([Balance(most=0.6, after=10)])
    for number in range(60):
        signs.passes(replace(about(ONE, f"{number} ?", "+♥"[number % 2]), mode_id="a"))
    assert signs.rejected == {}


def test_leakage_is_the_held_out_picture_or_a_near_copy_of_it() -> None:
    check = Leakage({ONE.id}, [ONE])
    assert check.reason(about(ONE)) == "leakage"
    assert check.reason(about(saved_again(ONE))) == "near_leakage"
    assert check.reason(about(TWO)) is None
    assert Leakage({ONE.id}).reason(about(saved_again(ONE))) is None


def test_of_two_held_out_pictures_that_are_alike_both_are_held_out() -> None:
    def tinted(level: int) -> ImageRecord:
        pixels = np.asarray(ONE.open()).astype(int)
        pixels[:4, :4] = level
        return pictured(np.clip(pixels, 0, 255))

    # The second is near the first, and what is near the second alone is its copy all the same.
    first, second, copy = tinted(120), tinted(160), tinted(200)
    assert Leakage({first.id}, [first]).reason(about(copy)) is None
    assert Leakage({first.id}, [first]).reason(about(second)) == "near_leakage"
    assert Leakage({first.id, second.id}, [first, second]).reason(about(copy)) == "near_leakage"


def pictured(pixels: Any) -> ImageRecord:
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype("uint8")).save(buffer, "PNG")
    return replace(ONE, id=ImageRecord.hash(buffer.getvalue()), data=buffer.getvalue(), facts=None)


def test_pictures_that_were_checked_hold_nothing_out() -> None:
    check = Leakage({ONE.id}, [ONE])
    assert check.reason(about(TWO)) is None
    assert check.reason(about(saved_again(TWO))) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("how many red circles are there ?", "Count the red circles."),
        ("is there a cross ?", "are there any crosses ?"),
        ("do the stars outnumber the red circles ?", "are there more stars than red circles ?"),
        ("is the star small or large ?", "what is the size of the star ?"),
        ("what does the digit say ?", "which digit do you see ?"),
        ("is the star higher than the circle ?", "is the star above the circle ?"),
        ("what color is the star ?", "name the colour of the star ."),
    ],
)
def test_the_gist_of_a_question_is_the_same_in_other_words(one: str, other: str) -> None:
    assert gist(one) == gist(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("is the star left of the circle ?", "is the circle left of the star ?"),
        ("is there a star ?", "is there no star ?"),
        ("are there more stars than circles ?", "are there fewer stars than circles ?"),
        ("what colour is the star ?", "what shape is the red thing ?"),
        ("how many stars are there ?", "are there any stars ?"),
    ],
)
def test_the_gist_of_another_question_is_another(one: str, other: str) -> None:
    assert gist(one) != gist(other)


def test_a_question_is_asked_once_of_a_picture_also_in_other_words_and_of_its_near_copy() -> None:
    check = Duplicate(reworded=True, near=NearDuplicates())
    check.keep(about(ONE))
    assert check.reason(about(ONE)) == "duplicate"
    assert check.reason(about(ONE, "name the colour of the star .")) == "near_duplicate"
    assert check.reason(about(saved_again(ONE))) == "near_duplicate"
    assert check.reason(about(TWO)) is None
    assert check.reason(about(ONE, "name the colour of the star .", "Red.")) == "near_duplicate"
    assert check.reason(about(ONE, "name the colour of the star .", "blue")) is None


def test_what_a_writer_says_otherwise_on_purpose_is_taken_once() -> None:
    def worded(question: str, phrasing: str) -> Draft:
        return replace(about(ONE, question), provenance={"phrasing": phrasing})

    check = Duplicate(reworded=True)
    check.keep(worded("what colour is the star ?", "first"))
    other = worded("name the colour of the star .", "paraphrase")
    assert check.reason(other) is None
    assert check.reason(worded(other.question, "first")) == "near_duplicate"
    check.keep(other)
    assert check.reason(worded("please name the colour of that star .", "paraphrase")) == "near_duplicate"


def test_an_embedder_finds_duplicates_that_share_no_word() -> None:
    def embed(questions: Sequence[str], tags: Sequence[Tags]) -> Vectors:
        return np.array(
            [[1.0, 0.0] if "colour" in q or "hue" in q else [0.0, 1.0] for q in questions], "float32"
        )

    check = Duplicate(embedder=embed)
    check.keep(about(ONE))
    assert check.reason(about(ONE, "tell its hue")) == "near_duplicate"
    assert check.reason(about(ONE, "tell its size")) is None
    assert check.reason(about(TWO, "tell its hue")) is None


def test_one_answer_and_the_right_one_by_the_facts_of_the_picture_itself() -> None:
    opinion = Reread(WORLD)
    assert SingleAnswer(opinion).reason(about(ONE)) is None
    assert SingleAnswer(opinion).reason(about(TWO)) == "ambiguous"
    assert SingleAnswer(opinion).reason(about(ONE, "what colour is the cross ?")) == "not_grounded"
    assert Answer(opinion).reason(about(ONE)) is None
    assert Answer(opinion).reason(about(ONE, answer="blue")) == "answer"
    assert Answer(opinion).reason(about(ONE, answer=None)) == "answer"
    assert Answer(opinion).reason(replace(about(ONE), image=TWO)) == "answer"


def test_a_picture_that_the_facts_do_not_draw_is_the_wrong_one_even_if_the_answer_fits() -> None:
    other = drawn(star("red", 40, 15), replace(star("blue", 45, 45), shape="circle"))
    mixed_up = replace(about(ONE), image=other)
    assert Answer(Reread(WORLD)).reason(mixed_up) is None
    assert Grounding(WORLD).reason(mixed_up) == "wrong_image"
    assert Grounding(WORLD).reason(about(ONE)) is None
    assert Grounding(WORLD).reason(Draft(PHOTO, "is it a cat ?", "yes")) is None


class Told:
    """A second opinion that says what it is told."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict

    def of(self, draft: Draft) -> Verdict:
        return self.verdict


@pytest.mark.parametrize(
    ("verdict", "single", "answer"),
    [
        (Verdict(valid=True, correct=1.0), None, None),
        (Verdict(valid=True, correct=0.0), None, "answer"),
        (Verdict(valid=False, reason="ambiguous"), "ambiguous", "answer"),
        (Verdict(valid=True, correct=None), None, "unverified"),
        (Verdict(error="timeout"), None, "unverified"),
    ],
)
def test_photos_are_judged_by_a_second_opinion(
    verdict: Verdict, single: str | None, answer: str | None
) -> None:
    opinion = Told(verdict)
    assert SingleAnswer(opinion).reason(about(PHOTO)) == single
    assert Answer(opinion).reason(about(PHOTO)) == answer


def test_an_answer_that_follows_from_the_words_is_blind_and_a_fair_question_is_not() -> None:
    fair = [
        (f"is there a {colour} star ?", answer) for colour in ("red", "blue") for answer in ("yes", "no")
    ] * 50
    given_away = [("are there fewer things than stars ?", "no")] * 50
    check = Blind(Habits.learn([*fair, *given_away]))
    assert check.reason(about(ONE, "are there fewer things than circles ?", "no")) == "blind"
    assert check.reason(about(ONE, "are there fewer things than circles ?", "yes")) is None
    assert check.reason(about(ONE, "is there a red star ?", "yes")) is None


def test_a_question_that_other_pictures_answer_alike_is_blind() -> None:
    others = [record.facts for record in islice(WORLD.images("discover", 1), 300) if record.facts is not None]
    check = Blind(Elsewhere(others))
    for question, answer in (
        ("are there fewer red things than red stars ?", "no"),
        ("is there a thing ?", "yes"),
    ):
        assert check.reason(about(ONE, question, answer)) == "blind"
    assert check.reason(about(ONE, "is there a thing ?", "no")) is None
    assert check.reason(about(ONE, "is there a red star ?", "yes")) is None
    assert check.reason(about(ONE, "how many stars are there ?", "1")) is None


def test_a_question_that_few_other_pictures_can_be_asked_is_not_called_blind() -> None:
    others = [ONE.facts] * 30
    assert Blind(Elsewhere([facts for facts in others if facts is not None])).reason(about(ONE)) is None
    assert Blind(Elsewhere([])).reason(about(ONE)) is None


def test_a_few_coincidences_are_no_habit() -> None:
    check = Blind(Habits.learn([("is there a star ?", "yes")] * 20))
    assert check.reason(about(ONE, "is there a star ?", "yes")) is None


class Parrot:
    """Answers from a list, in turn; None fails. Remembers whether it was ever shown a picture."""

    name = "parrot"

    def __init__(self, *texts: str | None) -> None:
        self._texts = texts
        self.shown = 0

    def answer(self, requests: Sequence[Request]) -> list[Reply]:
        self.shown += sum(len(request.images) for request in requests)
        return [
            Reply(text) if text is not None else Reply(error=ReplyError("timeout", "late"))
            for text, _ in zip(self._texts, requests, strict=True)
        ]


def test_a_model_that_is_right_without_the_picture_shows_that_none_is_needed() -> None:
    sure, torn = Parrot("Red.", "red", "red"), Parrot("red", "blue", "green")
    assert Blind(BlindModel(sure, samples=3)).reason(about(ONE)) == "blind"
    assert Blind(BlindModel(torn, samples=3)).reason(about(ONE)) is None
    assert sure.shown == 0


def test_a_blind_model_that_fails_once_says_nothing_and_one_that_mostly_does_is_an_outage() -> None:
    assert Blind(BlindModel(Parrot(None, "red", "red"), samples=3)).reason(about(ONE)) == "blind"
    for said in ((None, None), (None, None, "red"), ("red", None)):
        with pytest.raises(Outage, match="late"):
            Blind(BlindModel(Parrot(*said), samples=len(said))).reason(about(ONE))


def test_a_model_that_always_says_no_shows_nothing_of_a_question_with_two_answers() -> None:
    check = Blind(BlindModel(Parrot(*["No, there is not."] * 5)))
    for answer in ("no", "yes"):
        assert check.reason(about(ONE, "is there a star ?", answer)) is None
    offered = replace(about(ONE, "small or large ?", "large"), options=("small", "large"))
    assert Blind(BlindModel(Parrot(*["large"] * 5))).reason(offered) is None
