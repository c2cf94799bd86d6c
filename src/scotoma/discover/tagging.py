"""What a question is about: a world's exact tags, or what its wording, its image, a tagger and its topic say.

>>> from scotoma.core import ImageRecord
>>> photo = ImageRecord(id="ab", source="folder:photos/cups.jpg", attributes={"orientation": "portrait"})
>>> question_tags(photo, "How many cups are there?")["skill"]
('counting',)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from scotoma.core import ChatModel, Claim, FailureMode, ImageRecord, Observation, Tag, Verdict, skills_of
from scotoma.diagnose.wording import wording_tags
from scotoma.discover.naming import Named, name_modes
from scotoma.discover.settings import TaggingSettings
from scotoma.discover.tag_sheet import LanguageTagger

TopicOf = Callable[[Sequence[str]], list[str | None]]
"""Questions → the topic of each; None where it is about none that is known (`discover.topics`)."""


def question_tags(image: ImageRecord, question: str, truth: str | None = None) -> dict[str, Tag]:
    """Tags for predicates, the surrogate and the taxonomy, from what costs nothing.

    Where nothing is known exactly: the image's attributes (`core.ImageRecord.attributes`) and the tags of
    `scotoma.diagnose.wording`, with `skills`, the combination of skills, as worlds have it.
    """
    if image.facts is not None:
        return dict(image.facts.examine(question).tags)
    return _combined({**image.attributes, **wording_tags(question, truth)})


class Tagger:
    """Tags every question of a run alike, from the proposal to the proof.

    The wording's tags are the floor: a question whose sheet a model could not fill in keeps them, and is counted.

    Args:
        settings: which ways are used.
        model: fills in the sheets, for images without facts; none: the wording alone.
    """

    def __init__(self, settings: TaggingSettings | None = None, model: ChatModel | None = None) -> None:
        self.settings = settings or TaggingSettings()
        self.model = model
        self.topic_of: TopicOf | None = None
        self._language = LanguageTagger(model, self.settings.max_tokens) if model is not None else None

    @property
    def counted(self) -> Counter[str]:
        """Different questions that the model tagged (`model`) and, by error, those left to their wording, so far."""
        return Counter(self._language.counted) if self._language is not None else Counter()

    def tags(self, claims: Sequence[Claim], verdicts: Sequence[Verdict]) -> list[dict[str, Tag]]:
        """The tags of each question. On one that is not valid no model's call is spent."""
        tags = [
            question_tags(claim.image, claim.question, verdict.truth)
            for claim, verdict in zip(claims, verdicts, strict=True)
        ]
        if self._language is not None:
            free = [i for i, claim in enumerate(claims) if claim.image.facts is None and verdicts[i].valid]
            for i, sheet in zip(free, self._language.fill([claims[i].question for i in free]), strict=True):
                if not isinstance(sheet, str):
                    known = {
                        key: tags[i][key] for key in ("answer_kind",) if verdicts[i].truth and key in tags[i]
                    }
                    tags[i] = _combined({**tags[i], **sheet.tags(), **known})
        topical = [
            i for i, claim in enumerate(claims) if self.finds_topics(exact=claim.image.facts is not None)
        ]
        if self.topic_of is not None and topical:
            for i, topic in zip(topical, self.topic_of([claims[i].question for i in topical]), strict=True):
                if topic is not None:
                    tags[i]["topic"] = topic
        return tags

    def named(self, modes: Sequence[FailureMode], observations: Sequence[Observation]) -> Named:
        """The modes with the names that the model gives them; as they are where the settings want none."""
        if self.model is None or not self.settings.name_modes:
            return Named(tuple(modes))
        return name_modes(modes, observations, self.model, self.settings.max_tokens)

    def finds_topics(self, *, exact: bool) -> bool:
        """Whether questions of this kind get a topic; `exact`: facts say what they are about."""
        return self.settings.topics in ("beside", "only") or (self.settings.topics == "auto" and not exact)


def _combined(tags: dict[str, Tag]) -> dict[str, Tag]:
    """With `skills`, the combination, rewritten from `skill`."""
    return {**tags, "skills": "+".join(skills_of(tags))}
