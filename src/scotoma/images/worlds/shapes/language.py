"""The question language: natural English on one side, programs on the other, and no information lost between.

Every question type has several wordings. `realise` writes a program in one of them; `parse` reads any of them back and
says where in the sentence each phrase stands. Sentences are lower case with spaces around punctuation.

>>> parse("how many red circles are left of the star ?").program.operation
'count'
>>> realise(parse("is there a star ?").program, random.Random(0)) in {"is there a star ?", "are there any stars ?",
...     "does the picture show a star ?", "do you see a star ?", "can we find a star here ?"}
True
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import lru_cache

from scotoma.images.worlds.shapes.program import (
    Phrase,
    Place,
    Program,
    SignPhrase,
)
from scotoma.images.worlds.shapes.scene import COLOURS, DIGITS, SHAPES, SIZES, WORDS

# Placeholders: {a} "a red circle", {as} "red circles", {the} "the red circle", {bs} the other plural, {that} the other
# definite phrase, {k} digit/word, {x} the excluded attribute, {p} the places, {r} {q} the two opposite sides.
# A wording marked with "*" is never seen by the Pupil in training (see the model card).
WORDINGS: dict[str, tuple[str, ...]] = {
    "exist": (
        "is there {a} ?",
        "are there any {as} ?",
        "does the picture show {a} ?",
        "do you see {a} ?",
        "*can we find {a} here ?",
    ),
    "exist@": (
        "is there {a} {p} ?",
        "are there any {as} {p} ?",
        "does the picture show {a} {p} ?",
        "do you see {a} {p} ?",
    ),
    "none": ("is there no {n} ?", "are there no {as} ?", "*is the picture without {as} ?"),
    "count": (
        "how many {as} are there ?",
        "what number of {as} are there ?",
        "count the {as} .",
        "how many {as} do you see ?",
        "*what is the total of {as} here ?",
    ),
    "count@": (
        "how many {as} are {p} ?",
        "what number of {as} are {p} ?",
        "count the {as} {p} .",
    ),
    "count-": (
        "how many {as} are not {x} ?",
        "what number of {as} are not {x} ?",
        "count the {as} that are not {x} .",
        "*how many {as} are there without the {x} ones ?",
    ),
    "count-@": ("how many {as} {p} are not {x} ?", "count the {as} {p} that are not {x} ."),
    "colour": (
        "what colour is {the} ?",
        "what is the colour of {the} ?",
        "which colour does {the} have ?",
        "*name the colour of {the} .",
    ),
    "colour@": ("what colour is {the} {p} ?", "what is the colour of {the} {p} ?"),
    "shape": (
        "what shape is {the} ?",
        "what is the shape of {the} ?",
        "which shape does {the} have ?",
    ),
    "shape@": ("what shape is {the} {p} ?", "what is the shape of {the} {p} ?"),
    "size": (
        "what size is {the} ?",
        "is {the} small or large ?",
        "what is the size of {the} ?",
    ),
    "size@": ("what size is {the} {p} ?", "what is the size of {the} {p} ?"),
    "relate": ("is {the} {p} ?", "do you see {the} {p} ?"),
    "more": (
        "are there more {as} than {bs} ?",
        "do you see more {as} than {bs} ?",
        "*do the {as} outnumber the {bs} ?",
    ),
    "fewer": ("are there fewer {as} than {bs} ?", "do you see fewer {as} than {bs} ?"),
    "equal": ("are there as many {as} as {bs} ?", "do you see as many {as} as {bs} ?"),
    "read": (
        "what {k} is there ?",
        "which {k} do you see ?",
        "what does the {k} say ?",
        "*read the {k} .",
    ),
    "read@": ("what {k} is {p} ?", "which {k} is {p} ?"),
    "same_colour": ("is {the} the same colour as {that} ?", "do {the} and {that} have the same colour ?"),
    "same_shape": ("is {the} the same shape as {that} ?", "do {the} and {that} have the same shape ?"),
    "sides": ("are there more {as} {r} than {q} {that} ?", "do you see more {as} {r} than {q} {that} ?"),
}
PLACES: dict[str, tuple[str, ...]] = {
    "left": ("left of", "to the left of"),
    "right": ("right of", "to the right of"),
    "above": ("above", "higher than"),
    "below": ("below", "lower than"),
}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}
NOUNS = {"thing": ("thing", "object"), **{shape: (shape,) for shape in SHAPES}}


@dataclass(frozen=True)
class Mention:
    """Where a sentence speaks of something: word indices `start` to `end`, both included.

    `role` is `subject`, `other`, `landmark` (then `relation` is the index of the word that names its relation) or
    `excluded` (then `phrase` is None).
    """

    role: str
    phrase: Phrase | SignPhrase | None
    start: int
    end: int
    relation: int = -1


@dataclass(frozen=True)
class Parsed:
    """A parsed question: its program, the wording it was written in, whether the Pupil never saw that wording in
    training, and where its phrases stand."""

    program: Program
    wording: str
    untrained: bool
    mentions: tuple[Mention, ...]


def normalise(question: str) -> str:
    """Lower case, single spaces, punctuation apart: the form that the tokenizer and the parser share."""
    return " ".join(re.sub(r"([?.!,])", r" \1 ", question.lower()).split())


# --- writing -------------------------------------------------------------------------------------------------------


def realise(
    program: Program, rng: random.Random, *, trained_only: bool = False, wording: str | None = None
) -> str:
    """Write a program in a random wording; with `trained_only`, in one that the Pupil saw in training.

    `wording` is used where it is one of this kind of question.
    """
    if wording is None or wording not in wordings(program):
        wording = _pick(WORDINGS[_key(program)], rng, trained_only)
    subject = program.subject
    slots = {}
    if isinstance(subject, SignPhrase):
        slots["k"] = subject.kind
    else:
        slots["as"] = write_phrase(subject, rng, plural=True)
        slots["n"] = write_phrase(subject, rng)
        slots["a"] = _article(slots["n"])
        slots["the"] = "the " + write_phrase(subject, rng)
    if program.other is not None:
        slots["bs"] = write_phrase(program.other, rng, plural=True)
        slots["that"] = "the " + write_phrase(program.other, rng)
    if program.without is not None:
        plural = program.without in SHAPES and "ones" not in wording
        slots["x"] = pluralise(program.without) if plural else program.without
    if program.operation == "sides":
        side = program.places[0]
        slots["r"] = rng.choice(PLACES[side.relation])
        slots["q"] = rng.choice(PLACES[OPPOSITE[side.relation]])
        slots["that"] = _landmark(side.landmark, rng)
    elif program.places:
        slots["p"] = " and ".join(
            f"{rng.choice(PLACES[place.relation])} {_landmark(place.landmark, rng)}"
            for place in program.places
        )
    return wording.format(**slots)


def wordings(program: Program, *, usual: bool = False) -> tuple[str, ...]:
    """Every wording that a program can be written in; with `usual`, only those that the Pupil saw in training."""
    return tuple(w.lstrip("*") for w in WORDINGS[_key(program)] if not (usual and w.startswith("*")))


def write_phrase(phrase: Phrase, rng: random.Random, *, plural: bool = False) -> str:
    """Size, colour, noun: "small red circles"."""
    noun = rng.choice(NOUNS[phrase.noun])
    return " ".join(
        word for word in (phrase.size, phrase.colour, pluralise(noun) if plural else noun) if word
    )


def pluralise(noun: str) -> str:
    """circles, crosses."""
    return noun + ("es" if noun.endswith("s") else "s")


def _pick(options: tuple[str, ...], rng: random.Random, trained_only: bool) -> str:
    """An unusual wording comes up half as often as a usual one."""
    allowed = [option for option in options if not (trained_only and option.startswith("*"))]
    return rng.choices(allowed, [1 if option.startswith("*") else 2 for option in allowed])[0].lstrip("*")


def _landmark(landmark: Phrase | SignPhrase, rng: random.Random) -> str:
    if isinstance(landmark, SignPhrase):
        return f"the {landmark.kind} {landmark.text}" if landmark.text else f"the {landmark.kind}"
    return "the " + write_phrase(landmark, rng)


def _article(noun_phrase: str) -> str:
    return ("an " if noun_phrase[0] in "aeiou" else "a ") + noun_phrase


def _key(program: Program) -> str:
    if program.operation in ("relate", "sides"):
        return program.operation
    return program.operation + ("-" if program.without else "") + ("@" if program.places else "")


# --- reading -------------------------------------------------------------------------------------------------------

_ATTRIBUTES = rf"(?:(?:{'|'.join(SIZES)}) )?(?:(?:{'|'.join(COLOURS)}) )?"
_SINGULAR = rf"{_ATTRIBUTES}(?:{'|'.join((*SHAPES, 'thing', 'object'))})"
_PLURAL = rf"{_ATTRIBUTES}(?:{'|'.join(map(pluralise, (*SHAPES, 'thing', 'object')))})"
_SIGN = rf"(?:digit|word)(?: (?:{'|'.join((*DIGITS, *WORDS))}))?"
_RELATION = "|".join(sorted((w for ws in PLACES.values() for w in ws), key=len, reverse=True))
_PLACE = rf"(?:{_RELATION}) the (?:{_SINGULAR}|{_SIGN})"
_EXCLUDED = "|".join((*COLOURS, *SIZES, *map(pluralise, SHAPES), *SHAPES))
_SLOT_PATTERNS = {
    "{a}": rf"an? (?P<a>{_SINGULAR})",
    "{n}": rf"(?P<a>{_SINGULAR})",
    "{as}": rf"(?P<a>{_PLURAL})",
    "{the}": rf"the (?P<a>{_SINGULAR})",
    "{bs}": rf"(?P<b>{_PLURAL})",
    "{that}": rf"the (?P<b>{_SINGULAR}|{_SIGN})",
    "{k}": r"(?P<k>digit|word|sign)",
    "{x}": rf"(?P<x>{_EXCLUDED})",
    "{p}": rf"(?P<p>{_PLACE}(?: and {_PLACE})?)",
    "{r}": rf"(?P<r>{_RELATION})",
    "{q}": rf"(?P<q>{_RELATION})",
}
_READ_RELATION = {w: relation for relation, ws in PLACES.items() for w in ws}
_PLACE_PARTS = re.compile(rf"(?P<r>{_RELATION}) the (?P<l>{_SINGULAR}|{_SIGN})")
_NOUN_OF = {form: noun for noun, forms in NOUNS.items() for f in forms for form in (f, pluralise(f))}


def _compile() -> tuple[tuple[str, str, bool, re.Pattern[str]], ...]:
    compiled = []
    for key, wordings in WORDINGS.items():
        for wording in wordings:
            pattern = (
                re.escape(wording.lstrip("*")).replace(r"\ ", " ").replace(r"\{", "{").replace(r"\}", "}")
            )
            for slot, expression in _SLOT_PATTERNS.items():
                pattern = pattern.replace(slot, expression)
            compiled.append((key, wording.lstrip("*"), wording.startswith("*"), re.compile(pattern)))
    return tuple(compiled)


_PATTERNS = _compile()


@lru_cache(maxsize=65536)
def parse(question: str) -> Parsed | None:
    """Read a question; None when it is not in the language (the executor calls that `unparsable`)."""
    text = normalise(question)
    if text and text[-1] not in "?.":
        text += " ?"
    first = text.split(" ", 1)[0]
    for key, wording, untrained, pattern in _PATTERNS:
        if wording.split(" ", 1)[0] != first:
            continue
        match = pattern.fullmatch(text)
        if match is not None:
            return _read(key, wording, untrained, match, text)
    return None


def several(question: str) -> bool:
    """Whether a text that is no question of the language is two or more of them, one after the other or joined by
    "and".
    """
    text = normalise(question)
    parts = [part for part in re.split(r"[?.]", text) if part.strip()]
    if len(parts) > 1 and all(parse(part) is not None for part in parts):
        return True
    return any(
        parse(text[: joint.start()]) is not None and parse(text[joint.end() :]) is not None
        for joint in re.finditer(r",? and ", text)
    )


def _read(key: str, wording: str, untrained: bool, match: re.Match[str], text: str) -> Parsed:
    groups = match.groupdict()
    operation = key.rstrip("@-")
    mentions: list[Mention] = []
    places: list[Place] = []

    def mention(
        role: str, phrase: Phrase | SignPhrase | None, start: int, end: int, relation: int = -1
    ) -> None:
        mentions.append(Mention(role, phrase, text[:start].count(" "), text[:end].count(" "), relation))

    subject: Phrase | SignPhrase
    subject = SignPhrase(groups["k"]) if "k" in groups else _phrase(groups["a"])
    mention("subject", subject, *match.span("k" if "k" in groups else "a"))
    other: Phrase | None = None
    if operation == "sides":
        place = Place(_READ_RELATION[groups["r"]], _landing(groups["b"]))
        places.append(place)
        mention("landmark", place.landmark, *match.span("b"), _naming_word(text, *match.span("r")))
        if OPPOSITE[place.relation] != _READ_RELATION[groups["q"]]:
            # "more stars left of than above the circle": grammatical, but two different questions in one.
            operation = "unparsable"
    elif groups.get("b") is not None:
        landing = _landing(groups["b"])
        if isinstance(landing, Phrase):
            other = landing
            mention("other", other, *match.span("b"))
        else:
            operation = "unparsable"
    if groups.get("p") is not None:
        start = match.start("p")
        for part in _PLACE_PARTS.finditer(groups["p"]):
            place = Place(_READ_RELATION[part["r"]], _landing(part["l"]))
            places.append(place)
            span = (start + part.start("l"), start + part.end("l"))
            mention(
                "landmark",
                place.landmark,
                *span,
                _naming_word(text, start + part.start("r"), start + part.end("r")),
            )
    without = groups.get("x")
    if without is not None:
        mention("excluded", None, *match.span("x"))
        without = _NOUN_OF.get(without, without)
    return Parsed(
        Program(operation, subject, other, tuple(places), without), wording, untrained, tuple(mentions)
    )


def _naming_word(text: str, start: int, end: int) -> int:
    """The index of "left" in "to the left of": the last word that is not a preposition's tail."""
    words = text[start:end].split()
    return text[:start].count(" ") + max(i for i, word in enumerate(words) if word not in ("of", "than"))


def _phrase(text: str) -> Phrase:
    words = text.split()
    return Phrase(
        _NOUN_OF[words[-1]],
        colour=next((word for word in words if word in COLOURS), None),
        size=next((word for word in words if word in SIZES), None),
    )


def _landing(text: str) -> Phrase | SignPhrase:
    words = text.split()
    if words[0] in ("digit", "word"):
        return SignPhrase(words[0], words[1] if len(words) > 1 else None)
    return _phrase(text)


def vocabulary() -> tuple[str, ...]:
    """Every word that a question or an answer can contain, sorted; the Pupil's tokenizer is built from it."""
    words: set[str] = {"?", ".", "a", "an", "the", "and", "yes", "no", "equal", "sign", "digit", "word"}
    for group in (*WORDINGS.values(), *PLACES.values()):
        for wording in group:
            words.update(word for word in wording.lstrip("*").split() if "{" not in word)
    for forms in NOUNS.values():
        for form in forms:
            words.update((form, pluralise(form)))
    return tuple(sorted(words | set(COLOURS) | set(SIZES) | set(DIGITS) | set(WORDS)))
