"""Topics in a run: found once in what was asked, a tag from then on, and so a mode's name that can be confirmed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from scotoma.core import ConfigError, ModelError, Reply, Request
from scotoma.discover import loop, topics
from scotoma.discover.account import account_of_discovery
from scotoma.discover.confirm import confirm
from scotoma.discover.interview import Interview
from scotoma.discover.settings import ConfirmSettings, DiscoverSettings, TaggingSettings
from scotoma.discover.tagging import Tagger
from scotoma.discover.topics import adopt_topics, assigner, fit, taxonomy_of, topics_of
from scotoma.discover.verification import open_tagger
from scotoma.evolve.settings import EvolveSettings
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.report.build import build
from scotoma.store.run import Run
from scotoma.verify.facts import FactsVerifier
from tests.scripted import Candidate

SETTINGS = DiscoverSettings(
    questioner="tests.scripted:Questioner",
    prompts="chat",
    reinforce=False,
    steps=4,
    images=12,
    queries=96,
    block=2,
)
PROOF = ConfirmSettings(questions=60, base_questions=400, pool=4000)
ONLY = TaggingSettings(topics="only", embedder="words")


class NoReader(Candidate):
    """Right about everything but what a sign says."""

    def _answer(self, request: Request) -> str:
        facts = request.images[0].facts
        assert facts is not None
        examined = facts.examine(request.text)
        assert examined.answer is not None
        wrong = examined.tags["type"] == "reading" and random.Random(request.text).random() < 0.9
        return "xyz" if wrong else examined.answer


def interview(tagging: TaggingSettings = ONLY) -> Interview:
    return Interview(NoReader(), FactsVerifier(), tagger=Tagger(tagging))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("topics") / "run"
    with Run.open(path, command="discover", config={}) as run:
        loop.discover(run, ShapesWorld(), interview(), SETTINGS, seed=0)
    # Another process: the topics come from the run.
    with Run.open(path, command="confirm", config=None) as run:
        confirm(run, ShapesWorld(), interview(), SETTINGS, PROOF, seed=0)
    build(path)
    return Run.read(path)


def test_every_question_of_the_run_is_tagged_alike_before_and_after_the_topics_were_found(run: Run) -> None:
    model = topics_of(run.ledger)
    assert model is not None
    topic_of = assigner(model)
    for phase in ("discover", "baseline", "confirm", "confirm-base"):
        asked = run.ledger.observations(phase)
        assert [row.tags.get("topic") for row in asked] == topic_of([row.question for row in asked])
        assert all("skill" in row.tags for row in asked), "the other tags stay"


def test_with_topics_only_nothing_else_but_the_image_names_a_mode_and_it_is_confirmed(run: Run) -> None:
    modes = run.ledger.modes()
    keys = {condition.key for mode in modes for condition in mode.predicate.conditions}
    assert "topic" in keys
    assert keys <= {"topic", "things", "signs", "background", "occluded"}
    confirmed = [mode for mode in modes if mode.status == "confirmed"]
    assert any("on the topic" in mode.description and "reading" in mode.skills for mode in confirmed)


def test_the_account_tells_the_top_of_the_taxonomy(run: Run) -> None:
    account = account_of_discovery(run.ledger)
    assert account is not None
    assert account.taxonomy is not None
    told, whole = account.taxonomy, taxonomy_of(run.ledger)
    assert told.topics_found_by == "agglomerative clustering on words"
    assert (told.skills, told.combinations) == (whole.skills, whole.combinations)
    assert told.questions == 2 * SETTINGS.steps * SETTINGS.queries
    assert {taxon.depth for taxon in told.by_skill} == {1, 2}
    assert {taxon.depth for taxon in whole.by_skill} == {1, 2, 3}
    assert told.by_skill[0].path == ("reading",)


def test_the_report_shows_the_tree(run: Run) -> None:
    page = (run.path / "report.html").read_text()
    assert "What was asked" in page
    assert "agglomerative clustering on words" in page
    model = topics_of(run.ledger)
    assert model is not None
    assert any(topic.name in page for topic in model.topics)


def test_stopped_and_started_again_the_topics_are_the_same(run: Run, tmp_path: Path) -> None:
    with Run.open(tmp_path / "run", command="discover", config={}) as first:
        loop.ask_all(first, ShapesWorld(), interview(), SETTINGS, 0)
    with Run.open(tmp_path / "run", command="discover", config={}) as again:
        loop.discover(again, ShapesWorld(), interview(), SETTINGS, seed=0)
        assert topics_of(again.ledger) == topics_of(run.ledger)
        assert again.ledger.observations("discover") == run.ledger.observations("discover")


def test_where_tags_are_exact_no_topics_are_looked_for(tmp_path: Path) -> None:
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        few = SETTINGS.model_copy(update={"steps": 1})
        loop.discover(run, ShapesWorld(), interview(TaggingSettings()), few, seed=0)
        assert topics_of(run.ledger) is None
        assert run.ledger.done("topics") == {"questions": 0}
        assert all("topic" not in row.tags for row in run.ledger.observations("discover"))


def test_topics_of_a_run_can_be_adopted_only_where_its_embedder_is_installed(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> None:
        raise ModelError("sentence embeddings need sentence_transformers, which the bare install leaves out")

    monkeypatch.setattr(topics, "open_embedder", absent)
    with pytest.raises(ModelError, match="bare install"):
        adopt_topics(run, Tagger(ONLY))


def test_without_the_extra_the_words_do_and_minilm_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topics, "sentences_available", lambda: False)
    monkeypatch.setattr("scotoma.discover.verification.sentences_available", lambda: False)
    assert topics.embedder_name(TaggingSettings()) == "words"
    with pytest.raises(ModelError, match="bare install") as refused:
        open_tagger(TaggingSettings(embedder="minilm"))
    assert "scotoma[topics]" in str(refused.value.hint)
    open_tagger(TaggingSettings(embedder="minilm", topics="never"))


def test_a_spiral_mends_by_exact_tags_and_refuses_topics() -> None:
    with pytest.raises(ConfigError, match=r"tagging\.topics"):
        EvolveSettings(tagging=ONLY)


def test_a_large_corpus_is_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "MOST", 100)
    seen: list[Sequence[str]] = []
    embed = topics.open_embedder("words")
    monkeypatch.setattr(
        topics,
        "open_embedder",
        lambda name: lambda questions, tags: (seen.append(questions), embed(questions, tags))[1],
    )
    fit([f"is thing {i} red ?" for i in range(1000)], "words", seed=0)
    assert len(seen[0]) == 100
    assert (seen[0][0], seen[0][-1]) == ("is thing 0 red ?", "is thing 990 red ?")


def test_a_model_that_only_answers_is_a_candidate() -> None:
    """`NoReader` is wrong where it should be: the tests above rest on it."""
    record = ShapesWorld().image("discover", 0, 0)
    [reply] = NoReader().answer([Request((record,), "how many things are there ?")])
    assert isinstance(reply, Reply)
    assert record.facts is not None
    assert reply.text == record.facts.examine("how many things are there ?").answer
