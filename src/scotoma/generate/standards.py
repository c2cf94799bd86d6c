"""Standards: what every sample that agents make must pass, by the settings, and compared with what the run holds out.

leakage = leakage_of(run, source, settings, seed=0)
Checks([*standards(leakage, source, settings.search), *further_standards(settings.checks, Trainee("hf:my/model"))])
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from scotoma.core import ChatModel, ImageError, ImageRecord, ImageSource, Sampling, ScotomaError, Split, World
from scotoma.generate.checks import Check
from scotoma.generate.checks.balance import Balance
from scotoma.generate.checks.blind import Blind, BlindModel, Elsewhere
from scotoma.generate.checks.difficulty import Difficulty, PassRate
from scotoma.generate.checks.duplicate import Duplicate
from scotoma.generate.checks.form import Form
from scotoma.generate.checks.grounding import Grounding
from scotoma.generate.checks.leakage import LEVELS, Leakage
from scotoma.generate.checks.licence import Licence
from scotoma.generate.settings import CheckSettings, GenerateSettings, SearchSettings
from scotoma.images.duplicates import NearDuplicates
from scotoma.images.spec import open_images
from scotoma.models.sentences import SentenceEmbedder
from scotoma.models.spec import load_model
from scotoma.store import Run

LONGEST_ANSWER = 120
"""Characters. What is longer is no short answer, and no rule can compare it."""

OTHERS = 1000
"""Pictures of a world of which a question is asked, to see whether it needs any: rare things occur among them."""

_HELD_OUT: tuple[Split, ...] = ("discover", "confirm", "test")


def held_out(run: Run) -> set[str]:
    """The ids of all pictures that the run holds out."""
    return {entry.id for split in _HELD_OUT for entry in run.ledger.images(split)}


def leakage_of(run: Run, source: ImageSource, settings: GenerateSettings, seed: int) -> Leakage:
    """The check against everything that the run holds out, near-copies among it: worth keeping, as it looks at every
    one of those.

    What the run never drew of its held-out splits cannot be in a pool of the same pictures; other pictures, and the
    web, may hold a copy of it.
    """
    kept_back = held_out(run)
    return Leakage(kept_back, _pictures(run, kept_back, source, settings, seed))


def _pictures(
    run: Run, kept_back: set[str], source: ImageSource, settings: GenerateSettings, seed: int
) -> Iterator[ImageRecord]:
    """One after the other: a data set does not fit into memory."""
    for image_id in sorted(kept_back):
        try:
            yield run.images.get(image_id)
        except ImageError:  # gone, or never kept: then its id alone is held out
            continue
    own = run.config.get("images")
    origin = _opened(own) if isinstance(own, str) and own != source.spec else None
    if origin is None and settings.search.web:
        origin = source
    if origin is None or isinstance(origin, World):  # whose pictures are endless, and rendered
        return
    for split in _HELD_OUT:
        found = False
        try:
            for record in origin.images(split, seed):
                found = True
                if record.id not in kept_back:
                    yield record
        except ImageError:
            if found:  # a small folder may lack a split, but nothing may break off
                raise


def _opened(spec: str) -> ImageSource | None:
    """None where the run's pictures are no longer there: those that it drew are kept in the run."""
    try:
        return open_images(spec)
    except ScotomaError:
        return None


def standards(leakage: Leakage, source: ImageSource, search: SearchSettings | None = None) -> list[Check]:
    """Form, leakage and duplicates; a near-copy counts as the picture itself, and a question in other words as the
    question, unless the writer says that it rewords. Of a world also that the facts draw the picture, and that the
    question has another answer elsewhere.

    Where the web is searched, a picture must say where it is from, and one of the web that its licence is taken: the
    searcher looked at that before it fetched (`pictures.PhotoSearcher`), and no editor may have lost it since.
    """
    duplicate = Duplicate(reworded=True, near=NearDuplicates(levels=LEVELS))
    usual: list[Check] = [Form(longest_answer=LONGEST_ANSWER), leakage, duplicate]
    if search is not None and search.web:
        # The user's own pictures have whatever licence they have: only an engine's are held to one.
        usual.append(Licence(search.licences or None, elsewhere=[f"{engine}:" for engine in search.web]))
    if not isinstance(source, World):
        return usual
    others = [record.facts for record in islice(source.images("train", 0), OTHERS)]
    elsewhere = Elsewhere([facts for facts in others if facts is not None])
    return [*usual, Grounding(source), Blind(elsewhere)]


@dataclass(frozen=True)
class Trainee:
    """The model that will be trained, as it is now, and how it is asked: worded by `put`, in so many tokens."""

    spec: str
    put: Callable[[str], str] = str
    max_tokens: int = Sampling().max_tokens


def further_standards(told: CheckSettings, trainee: Trainee) -> Iterator[Check]:
    """What the settings ask for besides, cheap before dear.

    Raises:
        SpecError, ModelError: a model cannot be opened, or the extra that it is part of is not installed.
    """
    if told.balance is not None:
        yield Balance(told.balance)
    if told.meaning is not None:
        yield Duplicate(embedder=_sentences(), similarity=told.meaning)
    if told.blind is not None:
        yield Blind(BlindModel(_once(told.blind)))
    if told.band is not None:
        yield Difficulty(told.band, measure=_pass_rate(trainee, told.pass_samples))


def _pass_rate(trainee: Trainee, samples: int) -> PassRate:
    return PassRate(load_model(trainee.spec), samples, put=trainee.put, max_tokens=trainee.max_tokens)


@lru_cache(maxsize=1)
def _sentences() -> SentenceEmbedder:
    """Loaded once in a process, for all arms."""
    return SentenceEmbedder()


@lru_cache(maxsize=1)
def _once(spec: str) -> ChatModel:
    """Opened once in a process, so that its budget bounds all arms together."""
    return load_model(spec)
