"""The topics of a run: found in the text of what was asked, kept in the run, and told of every question after that.

Between asking and naming, one stage of the ledger fits the topics and writes the tag `topic` to the questions asked so
far; from then on the run's tagger writes it to every new one. So the search for modes, predicates and the proof need
not know where the tag comes from.

    find_topics(run, interview.tagger, seed=0)      # after the baseline was asked
    adopt_topics(run, interview.tagger)             # whoever goes on with the run
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import cache

from scotoma.core import Observation
from scotoma.diagnose.subgroups import ModeSearch
from scotoma.diagnose.taxonomy import Taxonomy, taxonomy
from scotoma.diagnose.topics import TopicModel, cluster, fit_topics
from scotoma.diagnose.wording import bare_question, wording_tags
from scotoma.discover.novelty import Embedder, HashedWords
from scotoma.discover.settings import TaggingSettings
from scotoma.discover.tagging import Tagger, TopicOf
from scotoma.models.sentences import SentenceEmbedder, sentences_available
from scotoma.store.ledger import Ledger
from scotoma.store.run import Run

STAGE = "topics"

ASKED = ("discover", "baseline")
"""The phases in which topics are looked for, and which the taxonomy orders."""

FEWEST = 60
"""Different questions below which no topics are looked for: their tags and combinations say it all."""

MOST = 5000
"""Different questions that topics are fitted on, evenly spread over the run; all are assigned afterwards."""

_BUCKETS = 1024
"""Of the hashed words: with a quarter of that, two of three themes of four words each were already taken for one."""


def find_topics(run: Run, tagger: Tagger, seed: int, phases: Sequence[str] = ASKED) -> None:
    """Fit the topics of a run and tag what was asked, once; the tagger knows them afterwards.

    Where every question has exact tags, or there are too few, the stage says so and no question gets a topic.

    Raises:
        ModelError: the settings ask for `minilm`, and the extra `topics` is not installed.
    """
    if run.ledger.done(STAGE) is None:
        exact = {entry.id for entry in run.ledger.images() if entry.facts is not None}
        asked = [
            row
            for phase in phases
            for row in run.ledger.observations(phase)
            if tagger.finds_topics(exact=row.image_id in exact)
        ]
        questions = different(row.question for row in asked if row.verdict.valid)
        if len(questions) < FEWEST:
            run.ledger.finish(STAGE, {"questions": len(questions)})
            return
        name = embedder_name(tagger.settings)
        fitted = fit(questions, name, seed)
        topic_of = assigner(fitted)
        topics = topic_of([row.question for row in asked])
        run.ledger.finish(
            STAGE,
            {"questions": len(questions), "model": fitted.model_dump(mode="json")},
            retagged=[_tagged(row, topic) for row, topic in zip(asked, topics, strict=True)],
        )
    adopt_topics(run, tagger)


def adopt_topics(run: Run, tagger: Tagger) -> None:
    """Let the tagger tell the topics that the run has found, if it has found any.

    Raises:
        ModelError: they were found with an embedder that is not installed here.
    """
    model = topics_of(run.ledger)
    if model is not None and tagger.topic_of is None:
        tagger.topic_of = assigner(model)


def topics_of(ledger: Ledger) -> TopicModel | None:
    """The topics of a run; None where none were looked for or found."""
    kept = (ledger.done(STAGE) or {}).get("model")
    return None if kept is None else TopicModel.model_validate(kept)


def taxonomy_of(ledger: Ledger, phases: Sequence[str] = ASKED) -> Taxonomy:
    """The taxonomy of what was asked so far; of a finished discovery or import as it was kept."""
    kept = ledger.done("taxonomy")
    if kept is not None:
        return Taxonomy.model_validate(kept)
    topics = topics_of(ledger)
    asked = [row for phase in phases for row in ledger.observations(phase)]
    return taxonomy(asked, topics.groups if topics is not None else None)


def different(questions: Iterable[str]) -> list[str]:
    """Each question once and bare: what every prompt of a benchmark says besides is no topic."""
    return list(dict.fromkeys(map(bare_question, questions)))


def fit(questions: Sequence[str], embedder: str, seed: int) -> TopicModel:
    """Topics of different questions, at least `FEWEST`: BERTopic's on `minilm`, agglomerative ones on `words`.

    Raises:
        ModelError: `minilm` is not installed.
    """
    chosen = (
        questions if len(questions) <= MOST else [questions[i * len(questions) // MOST] for i in range(MOST)]
    )
    vectors = open_embedder(embedder)(chosen, [wording_tags(question) for question in chosen])
    smallest = max(8, len(chosen) // 100)
    if embedder == "words":
        labels, found_by = cluster(vectors, smallest), "agglomerative clustering"
    else:
        from scotoma.models.topics import bertopic_labels  # half a minute of compiling, for those who need it

        labels, found_by = bertopic_labels(chosen, vectors, seed, smallest), "BERTopic"
    return fit_topics(chosen, vectors, labels, embedder=embedder, found_by=found_by)


def assigner(model: TopicModel) -> TopicOf:
    """The function from questions to the names of their topics; each different question is embedded once.

    Raises:
        ModelError: the model's embedder is not installed.
    """
    embed = open_embedder(model.embedder)
    known: dict[str, str | None] = {}

    def topic_of(questions: Sequence[str]) -> list[str | None]:
        new = [question for question in different(questions) if question not in known]
        topics = model.assign(embed(new, [wording_tags(question) for question in new])) if new else []
        known.update((q, topic.name if topic else None) for q, topic in zip(new, topics, strict=True))
        return [known[bare_question(question)] for question in questions]

    return topic_of


def embedder_name(settings: TaggingSettings) -> str:
    """`minilm` or `words`: `auto` is decided by what is installed."""
    if settings.embedder != "auto":
        return settings.embedder
    return "minilm" if sentences_available() else "words"


@cache
def open_embedder(name: str) -> Embedder:
    """By its name in the settings; opened once, as it remembers what it embedded.

    Raises:
        ModelError: it is not installed.
    """
    return HashedWords(_BUCKETS) if name == "words" else SentenceEmbedder()


def narrowed(
    search: ModeSearch, tagger: Tagger, run: Run, observations: Collection[Observation]
) -> ModeSearch:
    """The search that the settings want: with `topics: only`, nothing but topics and image attributes name modes."""
    if tagger.settings.topics != "only" or topics_of(run.ledger) is None:
        return search
    kept = {"topic", *(key for entry in run.ledger.images() for key in entry.attributes)}
    keys = {key for row in observations for key in row.tags}
    return search.model_copy(update={"ignore": search.ignore | (keys - kept)})


def _tagged(row: Observation, topic: str | None) -> Observation:
    return row if topic is None else row.model_copy(update={"tags": {**row.tags, "topic": topic}})
