"""Discovery, from the top: look at images, propose questions, pick what to ask, ask, judge, pay, learn; then name.

    with Run.open("runs/first", command="discover", config=…) as run:
        modes = discover(run, source, interview, settings, seed=0)

The questioner over-generates; the surrogate picks what the candidate is asked; every question proposed is paid by the
reward of DESIGN.md §4. Everything random in a step follows from the seed and the step's number, and a block of steps
is one stage of the ledger, so a killed run goes on as if it had not been.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import fmean

import numpy as np

from scotoma.core import Claim, FailureMode, ImageRecord, ImageSource, ModelError, Observation, Tags, Verdict
from scotoma.diagnose.modes import suspect
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.novelty import HashedWords, Memory, Novelty, terms
from scotoma.discover.pool import Pool, check_source, endless, pictures_so_far
from scotoma.discover.progress import Progress, silent
from scotoma.discover.questioner import Questioner, open_questioner, prompt_for, prompt_style
from scotoma.discover.reward import reward
from scotoma.discover.settings import DiscoverSettings
from scotoma.discover.surrogate import Surrogate, SurrogateSettings
from scotoma.discover.topics import find_topics, narrowed, taxonomy_of
from scotoma.grpo.rollout import Prompt, Rollout
from scotoma.store.ledger import CurvePoint
from scotoma.store.run import Run
from scotoma.verify.consensus import rulings
from scotoma.verify.facts import FactsVerifier


def discover(
    run: Run,
    source: ImageSource,
    interview: Interview,
    settings: DiscoverSettings,
    seed: int,
    progress: Progress = silent,
) -> list[FailureMode]:
    """Find suspected failure modes on the `discover` split; resumes where the run was stopped.

    Raises:
        ConfigError: the images carry no facts, and the interview has no judge.
    """
    ask_all(run, source, interview, settings, seed, progress)
    ask_uniformly(run, source, interview, settings, seed, progress)
    find_topics(run, interview.tagger, seed)
    if run.ledger.done("suspect") is None:
        asked = run.ledger.observations("discover")
        uniform = run.ledger.observations("baseline")
        search = narrowed(settings.search, interview.tagger, run, [*asked, *uniform])
        modes = suspect([*asked, *uniform], search, uniform)
        named = interview.tagger.named(modes, [*asked, *uniform])
        run.ledger.finish("suspect", {"modes": len(modes), "tagged": dict(named.lost)}, modes=named.modes)
    if run.ledger.done("taxonomy") is None:
        run.ledger.finish("taxonomy", taxonomy_of(run.ledger).model_dump(mode="json"))
    return run.ledger.modes()


def ask_all(
    run: Run,
    source: ImageSource,
    interview: Interview,
    settings: DiscoverSettings,
    seed: int,
    progress: Progress = silent,
) -> None:
    """The questioner's episodes, block after block."""
    blocks = range(0, settings.steps, settings.block)
    remaining = [start for start in blocks if run.ledger.done(_state(start)) is None]
    if not remaining:
        return
    check_source(source, seed, judged=not isinstance(interview.verifier, FactsVerifier))
    episodes = Episodes(interview, settings, seed)
    if remaining[0] > 0:
        before = run.checkpoint(_state(remaining[0] - settings.block))
        episodes.restore(before, run.ledger.observations("discover"))
    images = islice(endless(source, "discover", seed), remaining[0] * settings.images, None)
    for start in remaining:
        observations: list[Observation] = []
        records: list[ImageRecord] = []
        curve: list[CurvePoint] = []
        unjudged: Counter[str] = Counter()
        ruled, tagged = rulings(interview.verifier), interview.tagger.counted
        for step in range(start, min(start + settings.block, settings.steps)):
            shown = list(islice(images, settings.images))
            episode = episodes.step(step, shown)
            observations += episode.observations
            records += shown
            unjudged.update(episode.unjudged)
            curve += [CurvePoint(step, name, value) for name, value in episode.figures.items()]
            progress("discover", step + 1, settings.steps)
        run.images.put_all(records)
        _check_answered(observations)
        # Under the block's name: a stop before the ledger has the block must find the state of the one before.
        run.save_checkpoint(_state(start), episodes.save)
        run.ledger.finish(
            _state(start),
            {
                "unjudged": dict(unjudged),
                "rulings": dict(rulings(interview.verifier) - ruled),
                "tagged": dict(interview.tagger.counted - tagged),
                **pictures_so_far(source),
            },
            observations=observations,
            images=records,
            curve=curve,
        )
        if start > 0:
            run.drop_checkpoint(_state(start - settings.block))


def _state(start: int) -> str:
    """The name of the block that begins with this step: of its stage, and of the questioner's state after it."""
    return f"discover/{start:04d}"


def _check_answered(observations: Sequence[Observation]) -> None:
    """Refuse to go on, and to write anything down, where infrastructure failed in every single question of a block.

    Raises:
        ModelError: it did.
    """
    errors = Counter(o.verdict.error or "undecided" for o in observations if o.outcome == "infrastructure")
    if observations and errors.total() == len(observations):
        told = ", ".join(f"{count} × {error}" for error, count in errors.most_common(3))
        raise ModelError(
            f"none of {len(observations)} questions was answered and judged: {told}",
            hint="does the candidate take images, and is its server well? The same command goes on",
        )


def ask_uniformly(
    run: Run,
    source: ImageSource,
    interview: Interview,
    settings: DiscoverSettings,
    seed: int,
    progress: Progress,
) -> None:
    """The baseline: as many questions as the questioner put, from the uniform template questioner on other images, or,
    where the images come with no templates, from the frozen questioner and picked by nobody.
    """
    if run.ledger.done("baseline") is not None:
        return
    budget = settings.steps * settings.queries
    tagged = interview.tagger.counted
    pool = Pool(source, settings, interview.verifier, tagger=interview.tagger)
    chosen = list(islice(pool.questions("discover", seed + 500_009), budget))
    progress("baseline", 0, budget)
    asked = [
        Asked(f"baseline/{i}", item.image, item.question, pool.asked_by, verdict=item.verdict)
        for i, item in enumerate(chosen)
    ]
    observations = interview.ask(asked, "baseline")
    records = list({item.image.id: item.image for item in chosen}.values())
    run.images.put_all(records)
    payload = {"unjudged": dict(pool.unjudged), "tagged": dict(interview.tagger.counted - tagged)}
    run.ledger.finish("baseline", payload, observations=observations, images=records)
    progress("baseline", budget, budget)


@dataclass(frozen=True)
class Episode:
    """What one step found, and its figures for the learning curve."""

    observations: tuple[Observation, ...]
    figures: dict[str, float]
    unjudged: Counter[str]
    """Proposals that were lost or that nobody could judge, by error: neither paid nor asked."""


@dataclass(frozen=True)
class Proposal:
    """A proposed question: who proposed it, V_Q and truth before anybody was asked, its tags and its novelty."""

    rollout: Rollout
    verdict: Verdict
    tags: Tags
    novelty: Novelty

    @property
    def eligible(self) -> bool:
        """Whether it may be put to the candidate: valid, and about what was wished."""
        wish = self.rollout.prompt.meta["wish"]
        return bool(self.verdict.valid) and (
            wish is None or "type" not in self.tags or self.tags["type"] == wish
        )


class Episodes:
    """The state of the loop between steps: questioner, memory and surrogate."""

    def __init__(self, interview: Interview, settings: DiscoverSettings, seed: int) -> None:
        self.interview = interview
        self.settings = settings
        self.seed = seed
        self.questioner: Questioner = open_questioner(settings, seed)
        self.memory = Memory()
        self.embed = HashedWords()
        self.surrogate = Surrogate(SurrogateSettings(random_share=settings.random_share, seed=seed))
        self.style = prompt_style(settings)

    def step(self, step: int, images: Sequence[ImageRecord]) -> Episode:
        """One look at a few images: `turns` times propose, pick, ask, pay, learn."""
        earlier: dict[str, list[tuple[str, str]]] = {}
        found: list[Observation] = []
        paid: list[float] = []
        proposals_valid: list[float] = []
        kl: list[float] = []
        unjudged: Counter[str] = Counter()
        for turn in range(self.settings.turns):
            prompts = self._prompts(step, turn, images, earlier)
            rollouts = self.questioner.propose(
                prompts, self.settings.group_size, f"{self.seed}/{step}/{turn}"
            )
            unjudged.update(self.questioner.lost)
            self.questioner.lost.clear()
            proposals = self._weigh(rollouts)
            verdicts = [proposal.verdict for proposal in proposals]
            unjudged.update(v.error or v.reason or "undecided" for v in verdicts if v.valid is None)
            observations = self._ask(step, turn, proposals)
            rewards = self._pay(proposals, observations)
            update = self.questioner.learn(
                [replace(p.rollout, reward=value) for p, value in zip(proposals, rewards, strict=True)]
            )
            self._remember(proposals, observations)
            for observation in observations.values():
                if observation.outcome in ("correct", "failure"):
                    earlier.setdefault(observation.image_id, []).append(
                        (observation.question, observation.answer)
                    )
            found += observations.values()
            paid += [value for value in rewards if value is not None]
            proposals_valid += [float(v.valid) for v in verdicts if v.valid is not None]
            kl += [update.kl] if update is not None else []
        answered = [o for o in found if o.outcome in ("correct", "failure")]
        figures = {
            "reward": fmean(paid) if paid else 0.0,
            "valid_rate": fmean(proposals_valid) if proposals_valid else 0.0,
            "failure_rate": fmean(o.outcome == "failure" for o in answered) if answered else 0.0,
            "kl": fmean(kl) if kl else 0.0,
        }
        return Episode(tuple(found), figures, unjudged)

    def _prompts(
        self, step: int, turn: int, images: Sequence[ImageRecord], earlier: dict[str, list[tuple[str, str]]]
    ) -> list[Prompt]:
        rng = random.Random(f"{self.seed}/{step}/{turn}/wishes")
        count = min(self.settings.wishes_per_image, max(1, len(self.settings.wishes)))
        return [
            prompt_for(
                image,
                wish=wish,
                # The last answer is enough: the embedded questioner was taught one earlier turn.
                earlier=earlier.get(image.id, [])[-1:],
                style=self.style,
                name=f"{step}/{turn}/{number}/{wish}",
            )
            for number, image in enumerate(images)
            for wish in (rng.sample(self.settings.wishes, count) if self.settings.wishes else [None])
        ]

    def _weigh(self, rollouts: Sequence[Rollout]) -> list[Proposal]:
        """Validity, tags and novelty of every proposal, before the candidate is asked anything."""
        claims = [Claim(image=rollout.prompt.image, question=rollout.text) for rollout in rollouts]
        verdicts = self.interview.verifier.judge(claims)
        tags = self.interview.tagger.tags(claims, verdicts)
        questions = [rollout.text for rollout in rollouts]
        bags = [terms(question, tag) for question, tag in zip(questions, tags, strict=True)]
        novelties = self.memory.novelty(self.embed(questions, tags), bags)
        return [Proposal(*parts) for parts in zip(rollouts, verdicts, tags, novelties, strict=True)]

    def _ask(self, step: int, turn: int, proposals: Sequence[Proposal]) -> dict[int, Observation]:
        """Pick among the eligible proposals (each question once per image) and put them to the candidate."""
        distinct: dict[tuple[str, str], int] = {}
        for i, proposal in enumerate(proposals):
            if proposal.eligible:
                distinct.setdefault((proposal.rollout.prompt.image.id, proposal.rollout.text), i)
        eligible = list(distinct.values())
        budget = self.settings.queries // self.settings.turns
        budget += self.settings.queries % self.settings.turns if turn == 0 else 0
        rng = np.random.default_rng([self.seed, step, turn])
        if self.settings.surrogate:
            picked = self.surrogate.choose([proposals[i].tags for i in eligible], budget, rng)
            indices, chances = picked.indices, picked.probabilities
        else:
            count = min(budget, len(eligible))
            indices = (
                tuple(int(i) for i in rng.choice(len(eligible), count, replace=False)) if eligible else ()
            )
            chances = (count / max(len(eligible), 1),) * count
        asked = [
            Asked(
                key=f"discover/{step}/{turn}/{n}",
                image=proposals[eligible[index]].rollout.prompt.image,
                question=proposals[eligible[index]].rollout.text,
                asked_by="questioner",
                turn=turn,
                step=step,
                selection=chance,
                verdict=proposals[eligible[index]].verdict,
            )
            for n, (index, chance) in enumerate(zip(indices, chances, strict=True))
        ]
        observations = self.interview.ask(asked, "discover")
        return {
            eligible[index]: observation for index, observation in zip(indices, observations, strict=True)
        }

    def _pay(self, proposals: Sequence[Proposal], observations: dict[int, Observation]) -> list[float | None]:
        """R_Q per proposal; a valid one that does not answer the wish earns nothing, and costs nothing."""
        scores = self.surrogate.score([p.tags for p in proposals]) if self.settings.surrogate else None
        return [
            0.0
            if proposal.verdict.valid and not proposal.eligible
            else reward(
                observations[i].verdict if i in observations else proposal.verdict,
                proposal.novelty,
                self.settings.reward,
                float(scores[i]) if scores is not None else None,
            )
            for i, proposal in enumerate(proposals)
        ]

    def _remember(self, proposals: Sequence[Proposal], observations: dict[int, Observation]) -> None:
        asked = [proposals[i] for i in observations]
        questions, tags = [p.rollout.text for p in asked], [p.tags for p in asked]
        bags = [terms(question, tag) for question, tag in zip(questions, tags, strict=True)]
        self.memory.remember(self.embed(questions, tags), bags)
        self._teach(list(observations.values()))

    def _teach(self, observations: Sequence[Observation]) -> None:
        answered = [o for o in observations if o.outcome in ("correct", "failure")]
        self.surrogate.observe([o.tags for o in answered], [o.outcome == "failure" for o in answered])

    def save(self, folder: Path) -> None:
        """Questioner and memory; the surrogate is rebuilt from the ledger."""
        folder.mkdir(parents=True, exist_ok=True)
        self.questioner.save(folder)
        (folder / "memory.json").write_text(json.dumps(self.memory.state()))

    def restore(self, folder: Path, observations: Sequence[Observation]) -> None:
        """The state after these observations, exactly: the surrogate sees them in the same portions as before."""
        self.questioner.restore(folder)
        self.memory = Memory.restore(json.loads((folder / "memory.json").read_text()))
        portions: dict[tuple[int, int], list[Observation]] = {}
        for observation in observations:
            portions.setdefault((observation.step, observation.turn), []).append(observation)
        for portion in portions.values():
            self.surrogate.score([portion[0].tags])  # fits when it is due, as `choose` did then
            self._teach(portion)
