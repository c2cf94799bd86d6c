"""Episodes of discovery: a step in which a few images are looked at, and what is kept from one step to the next.

The questioner proposes, the surrogate picks, the candidate answers, every proposal is paid, and all of them learn. An
explorer, if one is set, asks its share of the questions beside them (`discover.explorer`). Everything random in a step
follows from the seed and the step's number.

    episodes = Episodes(interview, source, settings, seed=0)
    episode = episodes.step(0, images)     # as many as episodes.images_per_step
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from scotoma.core import Claim, ImageRecord, ImageSource, Observation, Tags, World
from scotoma.discover.curriculum import Curriculum
from scotoma.discover.episode import Episode, Explored, Proposal, Turn
from scotoma.discover.explorer import Explorer
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.novelty import Embedder, HashedWords, Memory, Vectors, terms
from scotoma.discover.pictures import Pictures
from scotoma.discover.pool import Pool
from scotoma.discover.questioner import Questioner, open_questioner, prompt_for, prompt_style
from scotoma.discover.reference import Reference
from scotoma.discover.reward import reward
from scotoma.discover.settings import DiscoverSettings
from scotoma.discover.surrogate import Surrogate, SurrogateSettings
from scotoma.grpo.report import StepReport, Update
from scotoma.grpo.rollout import Prompt, Rollout
from scotoma.models.sentences import SentenceEmbedder

EXPLORED = -1
"""The turn of an explorer's question, which comes before the questioner's turns."""


def question_embedder(settings: DiscoverSettings) -> Embedder:
    """What tells how near questions are in meaning.

    Raises:
        ModelError: the extra that it is part of is not installed.
    """
    return SentenceEmbedder() if settings.embedder == "minilm" else HashedWords()


class Episodes:
    """The state of the loop between steps: questioner, memory, surrogate, curriculum and explorer."""

    def __init__(
        self,
        interview: Interview,
        source: ImageSource,
        settings: DiscoverSettings,
        seed: int,
        reference: Reference | None = None,
    ) -> None:
        self.interview = interview
        self.source = source
        self.settings = settings
        self.seed = seed
        self.questioner: Questioner = open_questioner(settings, seed)
        self.memory = Memory()
        self.embed = question_embedder(settings)
        self.surrogate = Surrogate(SurrogateSettings(random_share=settings.random_share, seed=seed))
        pool = Pool(source, settings, interview.verifier, tagger=interview.tagger)
        self.explorer = Explorer(pool, settings, seed) if settings.explored else None
        self.curriculum = Curriculum(settings.curriculum)
        natural = reference is not None and settings.reward.naturalness > 0
        self.typicality = reference.typicality(self.embed) if reference is not None and natural else None
        self.style = prompt_style(settings)

    def step(self, step: int, images: Sequence[ImageRecord]) -> Episode:
        """One look at a few images: the explorer's questions about its own, then the questioner's turns."""
        explored = None
        if self.explorer is not None:
            explored = self._explore(self.explorer, step, images[self.settings.looked_at :])
        earlier: dict[str, list[tuple[str, str]]] = {}
        turns: list[Turn] = []
        for number in range(self.turns):
            turn = self._turn(step, number, images[: self.settings.looked_at], earlier)
            for o in turn.observations:
                if o.answered:
                    earlier.setdefault(o.image_id, []).append((o.question, o.answer))
            turns.append(turn)
        level = None if self.settings.curriculum == "off" else float(self.curriculum.level)
        return Episode.of(explored, turns, level)

    def _turn(
        self,
        step: int,
        turn: int,
        images: Sequence[ImageRecord],
        earlier: Mapping[str, list[tuple[str, str]]],
    ) -> Turn:
        """Propose, pick, ask, pay, learn."""
        prompts = self._prompts(step, turn, images, earlier)
        rollouts = self.questioner.propose(prompts, self.settings.group_size, f"{self.seed}/{step}/{turn}")
        lost, words = Counter(self.questioner.lost), dict(self.questioner.words)
        self.questioner.lost.clear()
        proposals = self._weigh(rollouts)
        words |= {
            p.verdict.error: p.verdict.reason for p in proposals if p.verdict.error and p.verdict.reason
        }
        picked: Counter[str] = Counter()
        observations = self._ask(step, turn, proposals, picked)
        scores = self._scores(proposals)
        rewards = self._pay(proposals, observations, scores)
        scored = [replace(p.rollout, reward=value) for p, value in zip(proposals, rewards, strict=True)]
        update = self.questioner.learn(scored)
        self._remember(proposals, observations)
        return Turn(
            proposals=proposals,
            observations=list(observations.values()),
            rewards=rewards,
            terms=self._terms(proposals, scores),
            picked=picked,
            kl=None if update is None else update.kl,
            training=_diagnostics(step, scored, update) if self.settings.trains else {},
            lost=lost,
            words=words,
        )

    @property
    def turns(self) -> int:
        """The questioner's turns about every image that it looks at; none where the explorer asks everything."""
        return self.settings.turns if self.settings.looked_at else 0

    @property
    def images_per_step(self) -> int:
        """New images that a step takes: the questioner's, then the explorer's."""
        return self.settings.looked_at + self.settings.explored_images(isinstance(self.source, World))

    def _explore(self, explorer: Explorer, step: int, images: Sequence[ImageRecord]) -> Explored:
        """The explorer's questions of this step; the surrogate learns of them too."""
        pool = explorer.pool
        ruled, unjudged = pool.ruled, Counter(pool.unjudged)
        picks = explorer.pick(images, step)
        asked = [
            Asked(
                key=f"discover/{step}/explore/{n}",
                image=pick.item.image,
                question=pick.item.question,
                asked_by="explorer",
                step=step,
                turn=EXPLORED,
                selection=pick.selection,
                verdict=pick.item.verdict,
            )
            for n, pick in enumerate(picks)
        ]
        observations = self.interview.ask(asked, "discover", self.settings.samples)
        explorer.observe(picks, observations)
        self._teach(observations)
        return Explored(observations, pool.ruled - ruled, pool.unjudged - unjudged, dict(pool.words))

    def _prompts(
        self,
        step: int,
        turn: int,
        images: Sequence[ImageRecord],
        earlier: Mapping[str, list[tuple[str, str]]],
    ) -> list[Prompt]:
        rng = random.Random(f"{self.seed}/{step}/{turn}/wishes")
        count = min(self.settings.wishes_per_image, len(self.settings.wishes))
        return [
            prompt_for(
                image,
                wish=wish,
                earlier=self._shown(earlier.get(image.id, [])),
                style=self.style,
                name=f"{step}/{turn}/{number}/{wish}",
            )
            for number, image in enumerate(images)
            for wish in self.curriculum.wishes(rng, self.settings.wishes, count)
        ]

    def _shown(self, earlier: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """What the questioner is told of the candidate's earlier answers about an image, the latest."""
        most = min(self.settings.history, 1) if self.style == "short" else self.settings.history
        return earlier[max(0, len(earlier) - most) :]

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

    def _ask(
        self, step: int, turn: int, proposals: Sequence[Proposal], picked: Counter[str]
    ) -> dict[int, Observation]:
        """Pick among the eligible proposals (each question once per image) and put them to the candidate; `picked`
        counts by which rule the surrogate picked.
        """
        distinct: dict[tuple[str, str], int] = {}
        for i, proposal in enumerate(proposals):
            if proposal.eligible:
                distinct.setdefault((proposal.rollout.prompt.image.id, proposal.rollout.text), i)
        eligible = list(distinct.values())
        questions = self.settings.questions - self.settings.explored
        budget = questions // self.settings.turns + (questions % self.settings.turns if turn == 0 else 0)
        rng = np.random.default_rng([self.seed, step, turn])
        chances: dict[int, float] = {}
        for portion in self.curriculum.portions([proposals[i].tags for i in eligible], budget):
            part = [eligible[index] for index in portion.indices]
            chances |= self._pick(proposals, part, portion.count, rng, picked)
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
        self,
        proposals: Sequence[Proposal],
        part: Sequence[int],
        count: int,
        rng: np.random.Generator,
        picked: Counter[str],
    ) -> dict[int, float]:
        """`count` of these proposals, each with the probability with which it was picked among them."""
        if self.settings.surrogate:
            tags = [proposals[i].tags for i in part]
            meanings = self._meanings([proposals[i].rollout.text for i in part], tags)
            choice = self.surrogate.choose(tags, count, rng, meanings)
            picked.update(choice.reasons)
            return {part[i]: chance for i, chance in zip(choice.indices, choice.probabilities, strict=True)}
        count = min(count, len(part))
        indices = rng.choice(len(part), count, replace=False) if part else ()
        return {part[int(i)]: count / len(part) for i in indices}

    def _scores(self, proposals: Sequence[Proposal]) -> list[float] | None:
        """The surrogate's failure probability of each, where there is one."""
        if not self.settings.surrogate:
            return None
        tags = [p.tags for p in proposals]
        found = self.surrogate.score(tags, self._meanings([p.rollout.text for p in proposals], tags))
        return [float(score) for score in found]

    def _terms(self, proposals: Sequence[Proposal], scores: Sequence[float] | None) -> dict[str, list[float]]:
        """What each term of the reward is for the proposals that may be asked, for the learning curves."""
        eligible = [i for i, proposal in enumerate(proposals) if proposal.eligible]
        paid = {
            "semantic_novelty": [proposals[i].novelty.emb for i in eligible],
            "inverse_frequency": [proposals[i].novelty.ifreq for i in eligible],
        }
        if self.typicality is not None:
            paid["naturalness"] = [proposals[i].typicality for i in eligible]
        if scores is not None:
            paid["surrogate_score"] = [scores[i] for i in eligible]
        return paid

    def _pay(
        self,
        proposals: Sequence[Proposal],
        observations: dict[int, Observation],
        scores: Sequence[float] | None,
    ) -> list[float | None]:
        """R_Q per proposal; a valid one that does not answer the wish earns nothing, and costs nothing."""
        return [
            0.0
            if proposal.verdict.valid and not proposal.eligible
            else reward(
                observations[i].verdict if i in observations else proposal.verdict,
                proposal.novelty,
                self.settings.reward,
                scores[i] if scores is not None else None,
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
        if self.explorer is not None:
            self.explorer.learn(list(observations.values()))
        self.curriculum.learn(
            [(p.rollout.prompt.meta["wish"], p.tags) for p in proposals if p.verdict.valid],
            [
                (o.tags, (1 - o.verdict.correct) * proposals[i].novelty.mean)
                for i, o in observations.items()
                if o.verdict.correct is not None and o.answered
            ],
        )

    def _teach(self, observations: Sequence[Observation]) -> None:
        answered = [o for o in observations if o.answered]
        tags = [o.tags for o in answered]
        meanings = self._meanings([o.question for o in answered], tags)
        self.surrogate.observe(tags, [o.outcome == "failure" for o in answered], meanings)

    def _meanings(self, questions: Sequence[str], tags: Sequence[Tags]) -> Vectors | None:
        """What the surrogate looks at beside the tags: sentence embeddings. Hashed words say what tags say already."""
        return self.embed(questions, tags) if self.settings.embedder == "minilm" else None

    def save(self, folder: Path) -> None:
        """Questioner, memory and curriculum; the surrogate is rebuilt from the ledger."""
        folder.mkdir(parents=True, exist_ok=True)
        self.questioner.save(folder)
        (folder / "memory.json").write_text(json.dumps(self.memory.state()))
        (folder / "curriculum.json").write_text(json.dumps(self.curriculum.state()))
        if self.explorer is not None:
            self.explorer.save(folder)

    def restore(
        self, folder: Path, observations: Sequence[Observation], pictures: Pictures, steps: int
    ) -> None:
        """The state after so many steps and their observations, exactly: the surrogate sees them in the same portions
        as before. `pictures` opens earlier ones by their ids.
        """
        self.questioner.restore(folder)
        self.memory = Memory.restore(json.loads((folder / "memory.json").read_text()))
        self.curriculum.restore(json.loads((folder / "curriculum.json").read_text()))
        portions: dict[tuple[int, int], list[Observation]] = {}
        for observation in observations:
            portions.setdefault((observation.step, observation.turn), []).append(observation)
        for step in range(steps):
            self._teach(portions.get((step, EXPLORED), []))
            for turn in range(self.turns):
                if self.settings.surrogate:
                    # Fits when it is due, as in that turn, whether or not there was anything to ask.
                    self.surrogate.score([])
                self._teach(portions.get((step, turn), []))
        if self.explorer is not None:
            self.explorer.restore(folder, observations, pictures)


def _diagnostics(step: int, scored: Sequence[Rollout], update: Update | None) -> dict[str, float]:
    """What tells a training that collapses, stalls or explodes."""
    return StepReport.of(step, scored, [update] if update is not None else []).diagnostics
