"""What else could have been said: for a question about a scene, the words that would have kept it valid.

Imitating one template question at a time teaches a questioner little about what is there, since any of a dozen things
would have done as well. So wherever a question speaks of *one* thing ("the small red …"), every phrase that would have
made it valid is found by the executor, and the questioner is told the whole distribution over the next word. It works
on its own mistakes too (DAgger, arXiv 1011.0686): where a phrase went wrong, it is told what it should have said.

    for choice in alternatives(scene, "what colour is the small circle ?"):
        choice.word, choice.weights       # 4, {"small": .25, "large": .25, "star": .5}
        choice.members                    # the things that a word said there could still lead to
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from scotoma.images.worlds.shapes.executor import Invalid, execute, matching
from scotoma.images.worlds.shapes.language import NOUNS, Mention, Parsed, parse, pluralise
from scotoma.images.worlds.shapes.program import Phrase, Place, Program, SignPhrase
from scotoma.images.worlds.shapes.scene import COLOURS, SHAPES, SIZES, Scene, Sign, Thing

_PAIRS = ("relate", "same_colour", "same_shape")
_HIDDEN = {
    "same_colour": "colour",
    "same_shape": "shape",
    "colour": "colour",
    "shape": "shape",
    "size": "size",
}
_SIGN_SHARE = 0.25
"""How often a landmark is a sign where it may be one, as in the templates."""


@dataclass(frozen=True)
class Choice:
    """The `word`-th word of a question might have been any of `weights` (they sum to 1), to speak of these members."""

    word: int
    weights: dict[str, float]
    members: tuple[Thing | Sign, ...]


@dataclass(frozen=True)
class _Option:
    words: tuple[str, ...]
    weight: float
    member: Thing | Sign


def alternatives(scene: Scene, question: str, wish: str | None = None) -> list[Choice]:
    """Every choice within the definite phrases of a question; none where it cannot be parsed or is past saving.

    A phrase is judged by what was said before it, for that is all the questioner knows when it gets there. With a wish,
    the question must be able to be of that type, where it still can.
    """
    parsed, words = parse(question), question.split()
    if parsed is None or parsed.program.operation == "unparsable":
        return []
    found: list[Choice] = []
    places = 0
    for mention in parsed.mentions:
        number, places = places, places + (mention.role == "landmark")
        found += _not_trivial(scene, parsed, mention, words)
        # "what …": a sign is not all that could be asked for, unless it is what is wished
        read = parsed.program.operation == "read" and wish == "reading" and not parsed.program.places
        if definite(parsed, mention) or (mention.role == "subject" and read):
            so_far = replace(parsed.program, places=parsed.program.places[: number + 1])
            found += _choices(words, mention, _options(scene, so_far, mention, number, wish))
    return found


def _not_trivial(scene: Scene, parsed: Parsed, mention: Mention, words: list[str]) -> Iterator[Choice]:
    """Two sets that are compared must differ, and what is left out must not be what the phrase already says."""
    program, subject = parsed.program, parsed.program.subject
    if isinstance(subject, SignPhrase):
        return
    if mention.role == "other" and program.operation in ("more", "fewer", "equal"):
        said = words[mention.start : mention.end]
        if said == [word for word in (subject.size, subject.colour) if word]:
            others = [noun for noun in NOUNS if noun != subject.noun]
            members = (t for t in scene.things if all(word in (t.size, t.colour) for word in said))
            weights = {
                pluralise(form): 1 / len(others) / len(NOUNS[noun]) for noun in others for form in NOUNS[noun]
            }
            yield Choice(mention.end, weights, tuple(members))
    if mention.role == "excluded":
        shapes = SHAPES if "ones" in words else tuple(map(pluralise, SHAPES))
        free = [*(() if subject.colour else COLOURS), *(() if subject.size else SIZES)]
        free += shapes if subject.noun == "thing" else ()
        if free:
            yield Choice(mention.start, dict.fromkeys(free, 1 / len(free)), tuple(matching(subject, scene)))


def definite(parsed: Parsed, mention: Mention) -> bool:
    """Whether the phrase, where it stands, must already fit exactly one thing or sign."""
    program = parsed.program
    if mention.role == "subject":
        return program.operation in _PAIRS or (program.operation in _HIDDEN and not program.places)
    return mention.role == "landmark" or program.operation in _PAIRS


def unique_phrases(scene: Scene) -> dict[int, list[bool]]:
    """Per thing (its index): whether it alone has its colour, shape, size, and each combination of them; 7 flags."""
    counts: dict[Phrase, int] = defaultdict(int)
    for thing in scene.things:
        for phrase in _descriptions(thing):
            counts[phrase] += 1
    return {i: [counts[p] == 1 for p in _descriptions(t)] for i, t in enumerate(scene.things)}


def _options(
    scene: Scene, program: Program, mention: Mention, number: int, wish: str | None
) -> list[_Option]:
    """The phrases that would do there; failing that, of whatever type; failing that, those that are unique."""
    hidden = "" if mention.role == "landmark" else _HIDDEN.get(program.operation, "")
    unique = [
        [phrase for phrase in _descriptions(thing, hidden) if len(matching(phrase, scene)) == 1]
        for thing in scene.things
    ]
    about_sign = isinstance(mention.phrase, SignPhrase) and mention.role == "subject"
    named = list(_sign_phrases(scene, about_sign)) if mention.role == "landmark" or about_sign else []
    things = [] if about_sign else unique
    signs: list[tuple[SignPhrase, Sign]] = []
    valid = things
    if mention.role != "subject" or about_sign:
        for wanted in dict.fromkeys((wish, None)):
            valid = [[p for p in g if _works(scene, program, mention, number, p, wanted)] for g in things]
            signs = [(p, sign) for p, sign in named if _works(scene, program, mention, number, p, wanted)]
            if signs or any(valid):
                break
        else:
            valid = things
    sign_share = 0.0 if not signs else _SIGN_SHARE if any(valid) else 1.0
    found = [
        _Option((sign.kind, sign.text) if sign.text else (sign.kind,), sign_share / len(signs), member)
        for sign, member in signs
    ]
    each = (1 - sign_share) / max(sum(map(bool, valid)), 1)
    for thing, group in zip(scene.things, valid, strict=False):
        for phrase in group:
            for noun in NOUNS[phrase.noun]:
                said = tuple(word for word in (phrase.size, phrase.colour, noun) if word)
                found.append(_Option(said, each / len(group) / len(NOUNS[phrase.noun]), thing))
    return found


def _descriptions(thing: Thing, hidden: str = "") -> Iterator[Phrase]:
    """Every phrase that fits a thing and does not name its `hidden` attribute."""
    for shaped, coloured, sized in product((True, False), repeat=3):
        named = {"shape": shaped, "colour": coloured, "size": sized}
        if any(named.values()) and not named.get(hidden):
            yield Phrase(
                thing.shape if shaped else "thing",
                thing.colour if coloured else None,
                thing.size if sized else None,
            )


def _sign_phrases(scene: Scene, asked_about: bool) -> Iterator[tuple[SignPhrase, Sign]]:
    for sign in scene.signs:
        yield SignPhrase(sign.kind), sign
        yield SignPhrase("sign" if asked_about else sign.kind, None if asked_about else sign.text), sign


def _works(
    scene: Scene,
    program: Program,
    mention: Mention,
    number: int,
    phrase: Phrase | SignPhrase,
    wish: str | None,
) -> bool:
    """Whether the question would be valid, and of the type that is wished, with this phrase there."""
    if mention.role == "subject":
        changed = replace(program, subject=phrase)
    elif mention.role == "other":
        assert isinstance(phrase, Phrase)
        changed = replace(program, other=phrase)
    else:
        places = list(program.places)
        places[number] = Place(places[number].relation, phrase)
        changed = replace(program, places=tuple(places))
    try:
        execute(changed, scene)
    except Invalid:
        return False
    return wish in (None, changed.type)


def _choices(words: list[str], mention: Mention, options: list[_Option]) -> Iterator[Choice]:
    for at in range(mention.start, min(mention.end + 2, len(words))):
        weights: dict[str, float] = defaultdict(float)
        said = tuple(words[mention.start : at])
        open_still = [option for option in options if option.words[: len(said)] == said]
        for option in open_still:
            following = option.words[len(said)] if len(option.words) > len(said) else words[mention.end + 1]
            weights[following] += option.weight
        if not weights or (at > mention.end and len(weights) == 1):
            return
        total = sum(weights.values())
        members = tuple(dict.fromkeys(option.member for option in open_still))
        yield Choice(at, {word: weight / total for word, weight in weights.items()}, members)
