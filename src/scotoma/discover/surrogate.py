"""The surrogate picks what the candidate is asked: a cheap model of where it fails, learnt from its answers so far.

The questioner proposes several times more questions than can be asked. Bagged trees on the tags (and embeddings, if
given) predict failure; Thompson sampling draws a random tree for every slot and takes that tree's likeliest failure, so
regions that few answers speak about get their turn. A random share, a quota and logged selection probabilities keep it
honest: small regions are reached, no skill takes over, and rates can be corrected.

    surrogate = Surrogate()
    picked = surrogate.choose(tags, n=64, rng=np.random.default_rng(0))
    surrogate.observe([tags[i] for i in picked.indices], failed)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from sklearn.ensemble import ExtraTreesClassifier

from scotoma.core import ConfigError, Tags, skills_of

Floats = npt.NDArray[np.float32]
Reason = Literal["random", "thompson", "quota", "fill"]


class SurrogateSettings(BaseModel):
    """`random_share` of every pick is uniform. `combination_share` is the most that one combination of skills (tag
    `skills`) may take of the picks, `skill_share` the least that every proposed skill gets where n allows; once a
    combination holds more than `failure_share` of all failures seen (or 1.5 times its part, where few combinations
    fail) its quota shrinks. `replicates` is
    how often the choice is repeated to estimate selection probabilities. The forest is fitted again when the
    observations have grown by `refit_growth` (and by 32).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trees: int = Field(16, ge=2)
    max_depth: int = Field(12, ge=1)
    min_leaf: int = Field(3, ge=1)
    random_share: float = Field(0.3, ge=0, le=1)
    combination_share: float = Field(0.2, gt=0, le=1)
    failure_share: float = Field(0.2, gt=0, le=1)
    skill_share: float = Field(0.02, ge=0, lt=1)
    replicates: int = Field(32, ge=1)
    refit_growth: float = Field(0.05, gt=0)
    seed: int = 0


@dataclass(frozen=True)
class Selection:
    """Which proposals to ask. `probabilities[i]` in (0, 1] is the chance with which `indices[i]` was picked among the
    proposals; `reasons[i]` says by which rule.
    """

    indices: tuple[int, ...]
    probabilities: tuple[float, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class _Slate:
    """What one choice is made from: each tree's ranking of the proposals (none before a first fit) and the quotas."""

    size: int
    rankings: npt.NDArray[np.intp] | None
    combination: tuple[str, ...]
    quota: dict[str, int]
    skills: tuple[frozenset[str], ...]
    least: int


class Surrogate:
    """Learns from (tags, failed), scores and chooses. Holds no random state but its settings' seed: observing the same
    answers again after a resume rebuilds it.
    """

    def __init__(self, settings: SurrogateSettings | None = None) -> None:
        self.settings = settings or SurrogateSettings()
        self._rows: list[Floats] = []
        self._columns = Columns()
        self._failed: list[bool] = []
        self._embeddings: list[Floats] = []
        self._failures: Counter[str] = Counter()
        self._forest: Any = None
        self._fitted = 0
        self._width = 0

    def __len__(self) -> int:
        return len(self._failed)

    def observe(self, tags: Sequence[Tags], failed: Sequence[bool], embeddings: Floats | None = None) -> None:
        """Add answered, valid questions. `embeddings` (n × d), if ever given, must be given always.

        Raises:
            ConfigError: the lists differ in length, or embeddings come only now and then.
        """
        if len(tags) != len(failed):
            raise ConfigError(f"{len(tags)} questions but {len(failed)} outcomes")
        if self._failed and tags and (embeddings is not None) != bool(self._embeddings):
            raise ConfigError("the surrogate was given embeddings for some observations only")
        self._rows += [self._columns.encode(tag, grow=True) for tag in tags]
        self._failed += [bool(fail) for fail in failed]
        self._failures.update(_combination(tag) for tag, fail in zip(tags, failed, strict=True) if fail)
        if embeddings is not None:
            self._embeddings += list(np.asarray(embeddings, dtype=np.float32))

    def score(self, tags: Sequence[Tags], embeddings: Floats | None = None) -> Floats:
        """Predicted probability of failure per question, in [0, 1]; the smoothed mean rate before anything is known."""
        votes = self._votes(tags, embeddings)
        if votes is None:
            prior = (sum(self._failed) + 1) / (len(self) + 2)
            return np.full(len(tags), prior, dtype=np.float32)
        return np.asarray(votes.mean(axis=0), dtype=np.float32)

    def choose(
        self, tags: Sequence[Tags], n: int, rng: np.random.Generator, embeddings: Floats | None = None
    ) -> Selection:
        """Pick `n` of the proposals (all of them where there are no more).

        The probability of a pick has no closed form: trees, quotas and the picks before it all matter. It is estimated
        by repeating the whole choice `replicates` times with fresh randomness on the same proposals and forest. The
        guided picks (a tree's, a skill's minimum) are counted; the rest of the slots are spread evenly over what the
        guided ones leave, π = t + (1 − t) · rest / Σ(1 − t), which is exact but for the quotas and far steadier than
        counting rare random picks.
        """
        votes = self._votes(tags, embeddings)
        if n >= len(tags):
            everything: tuple[Reason, ...] = tuple("fill" for _ in tags)
            return Selection(tuple(range(len(tags))), (1.0,) * len(tags), everything)
        slate = self._slate(tags, votes, n, rng)
        chosen = self._draw(slate, n, rng)
        guided = np.zeros(len(tags))
        for _ in range(self.settings.replicates):
            guided[[i for i, why in self._draw(slate, n, rng).items() if why in ("thompson", "quota")]] += 1
        # One uniform replicate as a prior: without a random share nothing else would keep a probability from 0.
        guided = (guided + n / len(tags)) / (self.settings.replicates + 1)
        left = 1 - guided
        probability = np.minimum(guided + left * max(0.0, n - guided.sum()) / left.sum(), 1.0)
        indices = tuple(chosen)
        return Selection(indices, tuple(float(probability[i]) for i in indices), tuple(chosen.values()))

    def _slate(self, tags: Sequence[Tags], votes: Floats | None, n: int, rng: np.random.Generator) -> _Slate:
        rankings = None
        if votes is not None:
            # Leaves tie by the hundred; without the jitter the first proposals would win them all.
            rankings = np.argsort(-(votes + rng.uniform(0, 1e-3, votes.shape)), axis=1)
        combination = tuple(map(_combination, tags))
        skills = tuple(frozenset(skills_of(tag)) for tag in tags)
        kinds = len(frozenset().union(*skills))
        # Rounded down: where n is small, one pick for every skill would be a third of all.
        least = min(int(self.settings.skill_share * n), n // (2 * kinds)) if kinds else 0
        quota = {name: self._quota(name, n) for name in set(combination)}
        return _Slate(len(tags), rankings, combination, quota, skills, least)

    def _quota(self, combination: str, n: int) -> int:
        share = self.settings.combination_share
        failures = sum(self._failures.values())
        if failures >= 20:
            held = self._failures[combination] / failures
            # Where few combinations fail at all, each must hold a large share: only more than its part is too much.
            fair = max(self.settings.failure_share, 1.5 / len(self._failures))
            share *= min(1.0, fair / max(held, 1e-9)) ** 2
        return max(1, int(share * n))

    def _draw(self, slate: _Slate, n: int, rng: np.random.Generator) -> dict[int, Reason]:
        """One run of the whole choice: index → reason, in the order picked."""
        random_order = [int(i) for i in rng.permutation(slate.size)]
        is_random = rng.random(n) < self.settings.random_share
        trees = (
            rng.integers(len(slate.rankings), size=n)
            if slate.rankings is not None
            else np.zeros(n, dtype=int)
        )
        picked: dict[int, Reason] = {}
        taken: Counter[str] = Counter()

        def take(index: int, reason: Reason) -> None:
            picked[index] = reason
            taken[slate.combination[index]] += 1

        def free(index: int) -> bool:
            return (
                index not in picked
                and taken[slate.combination[index]] < slate.quota[slate.combination[index]]
            )

        for index in self._skill_minimum(slate, random_order):
            if len(picked) < n and free(index):
                take(index, "quota")
        orders: dict[int, Any] = {}
        for slot in range(len(picked), n):
            by_chance = is_random[slot] or slate.rankings is None
            tree = -1 if by_chance else int(trees[slot])
            if tree not in orders:
                orders[tree] = iter(
                    random_order if slate.rankings is None or by_chance else slate.rankings[tree]
                )
            # What is taken or over quota now stays so: each order is walked once.
            best = next((int(i) for i in orders[tree] if free(int(i))), None)
            if best is not None:
                take(best, "random" if by_chance else "thompson")
        for index in random_order:
            if len(picked) >= n:
                break
            if index not in picked:
                take(index, "fill")
        return picked

    def _skill_minimum(self, slate: _Slate, order: Sequence[int]) -> list[int]:
        """The first proposals of a random order that give every skill its least number of picks."""
        counts: Counter[str] = Counter()
        needed = []
        for index in order if slate.least else ():
            if any(counts[skill] < slate.least for skill in slate.skills[index]):
                counts.update(slate.skills[index])
                needed.append(index)
        return needed

    def _votes(self, tags: Sequence[Tags], embeddings: Floats | None) -> Floats | None:
        """Each tree's failure probability per question (trees × n); None before both outcomes were seen."""
        self._refit()
        if self._forest is None or not tags:
            return None
        features = self._features([self._columns.encode(tag) for tag in tags], embeddings)
        failing = list(self._forest.classes_).index(True)
        return np.stack([tree.predict_proba(features)[:, failing] for tree in self._forest.estimators_])

    def _refit(self) -> None:
        grown = len(self) - self._fitted
        due = self._forest is None or grown >= max(32, self.settings.refit_growth * self._fitted)
        if not due or grown == 0 or len(set(self._failed)) < 2:
            return
        self._width = len(self._columns)
        features = self._features(self._rows, np.stack(self._embeddings) if self._embeddings else None)
        self._forest = ExtraTreesClassifier(
            n_estimators=self.settings.trees,
            max_depth=self.settings.max_depth,
            min_samples_leaf=self.settings.min_leaf,
            max_features=0.3,
            bootstrap=True,
            n_jobs=1,
            random_state=(self.settings.seed + len(self)) % 2**32,
        ).fit(features, np.array(self._failed, dtype=bool))
        self._fitted = len(self)

    def _features(self, rows: Sequence[Floats], embeddings: Floats | None) -> Floats:
        """Encoded tags beside embeddings, n × d, with as many tag columns as the forest was (or is now) fitted on."""
        if bool(self._embeddings) != (embeddings is not None):
            raise ConfigError("give the surrogate embeddings either always or never")
        table = np.zeros((len(rows), self._width), dtype=np.float32)
        for index, row in enumerate(rows):
            known = row[:, row[0] < self._width]
            table[index, known[0].astype(np.intp)] = known[1]
        return table if embeddings is None else np.concatenate([table, embeddings], axis=1)


class Columns:
    """Tags as numbers: text, flags and sets one-hot, whole numbers as they are. A column is added when its value is
    first seen, so that a row is encoded once, however often the forest is fitted.
    """

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._index)

    def encode(self, tags: Tags, grow: bool = False) -> Floats:
        """A row's non-zero cells, 2 × m: column numbers over values. Unknown values are left out unless `grow`."""
        cells: dict[str, float] = {}
        for key, value in tags.items():
            if isinstance(value, int) and not isinstance(value, bool):
                # The flag tells a count of 0 from a question that counts nothing.
                cells |= {key: float(value), f"{key}?": 1.0}
            else:
                for item in value if isinstance(value, tuple) else (value,):
                    cells[f"{key}={item}"] = 1.0
        if grow:
            for name in cells:
                self._index.setdefault(name, len(self._index))
        known = [(self._index[name], value) for name, value in cells.items() if name in self._index]
        return np.array(known, dtype=np.float32).reshape(-1, 2).T


def _combination(tags: Tags) -> str:
    """The combination of skills: the tag `skills`, or the set of `skill` written alike."""
    return str(tags["skills"]) if "skills" in tags else "+".join(sorted(skills_of(tags)))
