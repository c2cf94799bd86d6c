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
from scotoma.discover.baseline import Baseline
from scotoma.discover.curriculum import Curriculum, complexity
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.novelty import HashedWords, Memory, Novelty, terms
from scotoma.discover.pool import check_source, endless, pictures_so_far
from scotoma.discover.progress import Progress, silent
from scotoma.discover.questioner import KEPT, Questioner, open_questioner, prompt_for, prompt_style
from scotoma.discover.reference import Reference, naturalness_of, open_reference
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
        ConfigError: the images carry no facts, and the interview has no judge; or the reference set cannot be read.
    """
    ask_all(run, source, interview, settings, seed, progress)
    ask_uniformly(run, source, interview, settings, seed, progress)
    compare_with_reference(run, source, settings, seed)
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


def compare_with_reference(run: Run, source: ImageSource, settings: DiscoverSettings, seed: int) -> None:
    """How natural the questions were, for the account."""
    if run.ledger.done("naturalness") is None:
        found = naturalness_of(run.ledger, open_reference(source, settings, seed), seed=seed)
        run.ledger.finish("naturalness", found.model_dump(mode="json") if found is not None else {})


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
        keep_questioner(run, settings, seed)
        return
    baseline = Baseline(run, source, interview, settings, seed, progress)
    if remaining[0] > 0 and baseline.enough(remaining[0]):
        keep_questioner(run, settings, seed)
        return
    check_source(source, seed, judged=not isinstance(interview.verifier, FactsVerifier))
    # What cannot be read is refused now, not when everything was asked.
    wanted = settings.reference is not None or settings.reward.naturalness > 0
    reference = open_reference(source, settings, seed) if wanted else None
    episodes = Episodes(interview, settings, seed, reference)
    if remaining[0] > 0:
        before = run.checkpoint(_state(remaining[0] - settings.block))
        episodes.restore(before, run.ledger.observations("discover"))
    images = islice(endless(source, "discover", seed), remaining[0] * settings.images, None)
    for start in remaining:
        observations: list[Observation] = []
        records: list[ImageRecord] = []
        curve: list[CurvePoint] = []
        unjudged: Counter[str] = Counter()
        invalid: Counter[str] = Counter()
        proposed = 0
        ruled, tagged = rulings(interview.verifier), interview.tagger.counted
        for step in range(start, min(start + settings.block, settings.steps)):
            shown = list(islice(images, settings.images))
            episode = episodes.step(step, shown)
            observations += episode.observations
            records += shown
            unjudged.update(episode.unjudged)
            invalid.update(episode.invalid)
            proposed += episode.proposed
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
                "proposed": proposed,
                "invalid": dict(invalid),
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
        if start != remaining[-1] and baseline.enough(start + settings.block):
            break
    keep_questioner(run, settings, seed, episodes.questioner)


def keep_questioner(
    run: Run, settings: DiscoverSettings, seed: int, questioner: Questioner | None = None
) -> None:
    """Keep the trained questioner as a stock checkpoint, `checkpoints/questioner`, once: it can ask other candidates.

    Without a `questioner` at hand (the run was stopped just before) it is restored from the state after the last block.
    """
    states = [_state(start) for start in range(0, settings.steps, settings.block)]
    last = next((state for state in reversed(states) if run.ledger.done(state) is not None), None)
    if not settings.reinforce or last is None or run.checkpoint(KEPT).exists():
        return
    if questioner is None:
        if not run.checkpoint(last).exists():  # the run was copied without it
            return
        questioner = open_questioner(settings, seed)
        questioner.restore(run.checkpoint(last))
    run.save_checkpoint(KEPT, questioner.export)


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
    """The baseline: as many questions as the questioner put, that nothing selected."""
    Baseline(run, source, interview, settings, seed, progress).finish()


@dataclass(frozen=True)
class Episode:
    """What one step found, and its figures for the learning curve."""

    observations: tuple[Observation, ...]
    figures: dict[str, float]
    unjudged: Counter[str]
    """Proposals that were lost or that nobody could judge, by error: neither paid nor asked."""
    invalid: Counter[str]
    """Proposals that were judged invalid, by reason, as whoever ruled named it."""
    proposed: int
    """Proposals whose validity was decided."""


@dataclass(frozen=True)
class Proposal:
    """A proposed question: who proposed it, V_Q and truth before anybody was asked, its tags, its novelty, and how
    typical it is of the reference set (0 where that is not paid).
    """

    rollout: Rollout
    verdict: Verdict
    tags: Tags
    novelty: Novelty
    typicality: float

    @property
    def eligible(self) -> bool:
        """Whether it may be put to the candidate: valid, and about what was wished."""
        wish = self.rollout.prompt.meta["wish"]
        return bool(self.verdict.valid) and (
            wish is None or "type" not in self.tags or self.tags["type"] == wish
        )


class Episodes:
    """The state of the loop between steps: questioner, memory, surrogate and curriculum."""

    def __init__(
        self,
        interview: Interview,
        settings: DiscoverSettings,
        seed: int,
        reference: Reference | None = None,
    ) -> None:
        self.interview = interview
        self.settings = settings
        self.seed = seed
        self.questioner: Questioner = open_questioner(settings, seed)
        self.memory = Memory()
        self.embed = HashedWords()
        self.surrogate = Surrogate(
            SurrogateSettings(
                random_share=settings.random_share,
                lead_share=settings.lead_share,
                settled_share=settings.settled_share,
                seed=seed,
            )
        )
        self._answered: list[Observation] = []
        self.curriculum = Curriculum(settings.curriculum)
        natural = reference is not None and settings.reward.naturalness > 0
        self.typicality = reference.typicality(self.embed) if reference is not None and natural else None
        self.style = prompt_style(settings)

    def step(self, step: int, images: Sequence[ImageRecord]) -> Episode:
        """One look at a few images: `turns` times propose, pick, ask, pay, learn."""
        earlier: dict[str, list[tuple[str, str]]] = {}
        found: list[Observation] = []
        paid: list[float] = []
        validity: list[bool] = []
        kl: list[float] = []
        unjudged: Counter[str] = Counter()
        invalid: Counter[str] = Counter()
        # At the beginning of a block, where a resume begins too.
        if self.settings.settled_share < 1 and step and step % self.settings.block == 0:
            self._settle()
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
            invalid.update(v.reason or "unnamed" for v in verdicts if v.valid is False)
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
            validity += [v.valid for v in verdicts if v.valid is not None]
            kl += [update.kl] if update is not None else []
        answered = [o for o in found if o.outcome in ("correct", "failure")]
        figures = {
            "reward": fmean(paid) if paid else 0.0,
            "valid_rate": fmean(validity) if validity else 0.0,
            "failure_rate": fmean(o.outcome == "failure" for o in answered) if answered else 0.0,
            "kl": fmean(kl) if kl else 0.0,
            "complexity": fmean(complexity(o.tags) for o in answered) if answered else 0.0,
        }
        if self.settings.curriculum != "off":
            figures["level"] = float(self.curriculum.level)
        return Episode(tuple(found), figures, unjudged, invalid, len(validity))

    def _prompts(
        self, step: int, turn: int, images: Sequence[ImageRecord], earlier: dict[str, list[tuple[str, str]]]
    ) -> list[Prompt]:
        rng = random.Random(f"{self.seed}/{step}/{turn}/wishes")
        count = min(self.settings.wishes_per_image, len(self.settings.wishes))
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
            for wish in self.curriculum.wishes(rng, self.settings.wishes, count)
        ]

    def _weigh(self, rollouts: Sequence[Rollout]) -> list[Proposal]:
        """Validity, tags and novelty of every proposal, before the candidate is asked anything."""
        claims = [Claim(image=rollout.prompt.image, question=rollout.text) for rollout in rollouts]
        verdicts = self.interview.verifier.judge(claims)
        tags = self.interview.tagger.tags(claims, verdicts)
        questions = [rollout.text for rollout in rollouts]
        bags = [terms(question, tag) for question, tag in zip(questions, tags, strict=True)]
        vectors = self.embed(questions, tags)
        novelties = self.memory.novelty(vectors, bags)
        typical = self.typicality(vectors) if self.typicality is not None else [0.0] * len(rollouts)
        return [Proposal(*parts) for parts in zip(rollouts, verdicts, tags, novelties, typical, strict=True)]

    def _ask(self, step: int, turn: int, proposals: Sequence[Proposal]) -> dict[int, Observation]:
        """Pick among the eligible proposals (each question once per image) and put them to the candidate."""
        distinct: dict[tuple[str, str], int] = {}
        for i, proposal in enumerate(proposals):
            if proposal.eligible:
                distinct.setdefault((proposal.rollout.prompt.image.id, proposal.rollout.text), i)
        eligible = list(distinct.values())
        budget = self.settings.questions // self.settings.turns
        budget += self.settings.questions % self.settings.turns if turn == 0 else 0
        rng = np.random.default_rng([self.seed, step, turn])
        chances: dict[int, float] = {}
        for portion in self.curriculum.portions([proposals[i].tags for i in eligible], budget):
            part = [eligible[index] for index in portion.indices]
            chances |= self._pick(proposals, part, portion.count, rng)
        asked = [
            Asked(
                key=f"discover/{step}/{turn}/{n}",
                image=proposals[i].rollout.prompt.image,
                question=proposals[i].rollout.text,
                asked_by="questioner",
                turn=turn,
                step=step,
                selection=chance,
                verdict=proposals[i].verdict,
            )
            for n, (i, chance) in enumerate(chances.items())
        ]
        observations = self.interview.ask(asked, "discover", self.settings.samples)
        return dict(zip(chances, observations, strict=True))

    def _pick(
        self, proposals: Sequence[Proposal], part: Sequence[int], count: int, rng: np.random.Generator
    ) -> dict[int, float]:
        """`count` of these proposals, each with the probability with which it was picked among them."""
        if self.settings.surrogate:
            picked = self.surrogate.choose([proposals[i].tags for i in part], count, rng)
            return {part[i]: chance for i, chance in zip(picked.indices, picked.probabilities, strict=True)}
        count = min(count, len(part))
        indices = rng.choice(len(part), count, replace=False) if part else ()
        return {part[int(i)]: count / len(part) for i in indices}

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
                proposal.typicality,
            )
            for i, proposal in enumerate(proposals)
        ]

    def _remember(self, proposals: Sequence[Proposal], observations: dict[int, Observation]) -> None:
        asked = [proposals[i] for i in observations]
        questions, tags = [p.rollout.text for p in asked], [p.tags for p in asked]
        bags = [terms(question, tag) for question, tag in zip(questions, tags, strict=True)]
        self.memory.remember(self.embed(questions, tags), bags)
        self._teach(list(observations.values()))
        self.curriculum.learn(
            [(p.rollout.prompt.meta["wish"], p.tags) for p in proposals if p.verdict.valid],
            [
                (o.tags, (1 - o.verdict.correct) * proposals[i].novelty.mean)
                for i, o in observations.items()
                if o.verdict.correct is not None and o.outcome in ("correct", "failure")
            ],
        )

    def _settle(self) -> None:
        """Name the modes anew from all that was answered: those with enough failures need no more of the budget."""
        failures = [o for o in self._answered if o.outcome == "failure"]
        self.surrogate.settle(
            [
                mode.predicate
                for mode in suspect(self._answered, self.settings.search)
                if sum(mode.predicate.matches(failure.tags) for failure in failures)
                >= self.settings.settled_failures
            ]
        )

    def _teach(self, observations: Sequence[Observation]) -> None:
        answered = [o for o in observations if o.outcome in ("correct", "failure")]
        self._answered += answered
        self.surrogate.observe([o.tags for o in answered], [o.outcome == "failure" for o in answered])

    def save(self, folder: Path) -> None:
        """Questioner, memory and curriculum; the surrogate is rebuilt from the ledger."""
        folder.mkdir(parents=True, exist_ok=True)
        self.questioner.save(folder)
        (folder / "memory.json").write_text(json.dumps(self.memory.state()))
        (folder / "curriculum.json").write_text(json.dumps(self.curriculum.state()))

    def restore(self, folder: Path, observations: Sequence[Observation]) -> None:
        """The state after these observations, exactly: the surrogate sees them in the same portions as before."""
        self.questioner.restore(folder)
        self.memory = Memory.restore(json.loads((folder / "memory.json").read_text()))
        self.curriculum.restore(json.loads((folder / "curriculum.json").read_text()))
        portions: dict[tuple[int, int], list[Observation]] = {}
        for observation in observations:
            portions.setdefault((observation.step, observation.turn), []).append(observation)
        for portion in portions.values():
            self.surrogate.score([portion[0].tags])  # fits when it is due, as `choose` did then
            self._teach(portion)
