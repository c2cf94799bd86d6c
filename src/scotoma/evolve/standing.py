"""Where the candidates of a comparison stand, computed from the ledger and nothing else.

run.write_summary(summarise(run, ("pupil", "hf:my/checkpoint"), alpha=0.05))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from scotoma.core import FailureMode, Observation, skills_of
from scotoma.diagnose import modes as diagnosis
from scotoma.diagnose.ranking import Ranking, rank
from scotoma.diagnose.statistics import clustered_rate, holm, paired_test
from scotoma.discover.calibration import calibration_of
from scotoma.store.ledger import Ledger
from scotoma.store.run import Run
from scotoma.store.summary import (
    CandidateSummary,
    PairSummary,
    RankingSummary,
    SharedModeSummary,
    Summary,
)

Kind = Literal["universal", "partial", "specific", "unproven"]


class SharedMode(BaseModel):
    """A failure mode and the candidates, or runs, in which it was found."""

    model_config = ConfigDict(frozen=True)

    mode: FailureMode
    found_in: tuple[str, ...]


@dataclass(frozen=True)
class _Answers:
    """What one candidate answered, by the question's number: what it is ranked on, and what tells of modes."""

    uniform: dict[str, Observation]
    members: dict[str, Observation]
    base: dict[str, Observation]
    each: int

    def inside(self, mode: FailureMode) -> dict[str, Observation]:
        """A fair sample of one mode: the first `each` of its members, and every uniform question that falls into it."""
        drawn = {k: row for k, row in self.members.items() if mode.predicate.matches(row.tags)}
        uniform = {k: row for k, row in self.base.items() if mode.predicate.matches(row.tags)}
        return dict(islice(drawn.items(), self.each)) | uniform


def phase_of(number: int, paper: str) -> str:
    """The phase under which candidate `number` answers a paper, `test` or `proof`."""
    return f"compare/{number}/{paper}"


def shared_modes(ledger: Ledger) -> list[SharedMode]:
    """The modes that are compared; [] before they are known."""
    kept = ledger.done("modes") or {"modes": []}
    return [SharedMode.model_validate(mode) for mode in kept["modes"]]


def summarise(run: Run, candidates: Sequence[str], alpha: float) -> Summary:
    """The summary of a comparison as far as it has come; without a ranking before everybody was asked."""
    answers = [_answers(run.ledger, number) for number in range(len(candidates))]
    return Summary(
        command=run.header.command,
        seed=run.header.seed or 0,
        wall_seconds=run.wall_seconds,
        candidate=" | ".join(candidates),
        ranking=_ranking(run.ledger, candidates, answers, alpha),
    )


def _answers(ledger: Ledger, number: int) -> _Answers:
    def read(paper: str, part: str) -> dict[str, Observation]:
        phase = f"{phase_of(number, paper)}/{part}"
        return {row.key.removeprefix(phase_of(number, "")): row for row in ledger.observations(phase)}

    uniform = read("test", "uniform")
    proof = "test" if (drawn := ledger.done("draw/proof")) is None else "proof"
    each = (drawn or ledger.done("draw/test") or {"each": 0})["each"]
    return _Answers(uniform, read(proof, "members"), read(proof, "uniform"), each)


def _ranking(
    ledger: Ledger, candidates: Sequence[str], answers: Sequence[_Answers], alpha: float
) -> RankingSummary | None:
    drawn = ledger.done("draw/test")
    if drawn is None or any(len(own.uniform) < len(drawn["uniform"]) for own in answers):
        return None
    rows = [own.uniform for own in answers]
    common = _answered_by_all(rows)
    if not common:
        return None
    images = [rows[0][key].image_id for key in common]
    ranked = rank([_correct(own, common) for own in rows], images, alpha)
    best_first = sorted(range(len(candidates)), key=lambda i: (ranked.standings[i].rank.value, i))
    return RankingSummary(
        questions=len(drawn["uniform"]),
        compared=len(common),
        asked_from=drawn["asked_by"],
        candidates=[
            CandidateSummary(
                candidate=candidates[i],
                rank=ranked.standings[i].rank,
                accuracy=ranked.standings[i].accuracy,
                infrastructure_errors=sum(row.outcome == "infrastructure" for row in rows[i].values()),
                skills=_by_skill(rows[i], common),
            )
            for i in best_first
        ],
        pairs=_pairs(ranked, candidates),
        modes=_modes(ledger, candidates, answers, alpha),
    )


def _answered_by_all(rows: Sequence[Mapping[str, Observation]]) -> list[str]:
    return [key for key in rows[0] if all(key in own and own[key].answered for own in rows)]


def _correct(rows: Mapping[str, Observation], keys: Sequence[str]) -> list[bool]:
    return [rows[key].outcome == "correct" for key in keys]


def _by_skill(rows: Mapping[str, Observation], common: Sequence[str]) -> dict[str, Any]:
    needed: dict[str, list[Observation]] = {}
    for key in common:
        for name in skills_of(rows[key].tags):
            needed.setdefault(name, []).append(rows[key])
    return {
        name: clustered_rate([row.outcome == "correct" for row in own], [row.image_id for row in own])
        for name, own in sorted(needed.items())
    }


def _pairs(ranked: Ranking, candidates: Sequence[str]) -> list[PairSummary]:
    return [
        PairSummary(
            first=candidates[pair.first],
            second=candidates[pair.second],
            difference=pair.difference,
            first_only=pair.first_only,
            second_only=pair.second_only,
            p_value=pair.p_value,
            p_holm=pair.p_holm,
        )
        for pair in ranked.pairs
    ]


def _modes(
    ledger: Ledger, candidates: Sequence[str], answers: Sequence[_Answers], alpha: float
) -> list[SharedModeSummary]:
    """Every mode put to every candidate; [] before all of them have answered."""
    shared = shared_modes(ledger)
    if not shared or ledger.done("compared") is None:
        return []
    calibration = calibration_of(ledger)
    judged = [
        diagnosis.confirm(
            [one.mode for one in shared],
            list(own.members.values()),
            list(own.base.values()),
            alpha,
            calibration,
            own.each,
        )
        for own in answers
    ]
    found = []
    for at, one in enumerate(shared):
        own = {spec: modes[at] for spec, modes in zip(candidates, judged, strict=True)}
        confirmed = [i for i, modes in enumerate(judged) if modes[at].status == "confirmed"]
        found.append(
            SharedModeSummary(
                id=one.mode.id,
                description=one.mode.description,
                predicate=str(one.mode.predicate),
                kind=_kind(one.mode, confirmed, answers, alpha),
                found_in=list(one.found_in),
                confirmed_for=[candidates[i] for i in confirmed],
                failure_rates={
                    spec: m.failure_rate for spec, m in own.items() if m.failure_rate and m.failure_rate.n
                },
                base_rates={spec: m.base_rate for spec, m in own.items() if m.base_rate and m.base_rate.n},
                q_values={spec: m.q_value for spec, m in own.items() if m.q_value is not None},
            )
        )
    return found


def _kind(mode: FailureMode, confirmed: Sequence[int], answers: Sequence[_Answers], alpha: float) -> Kind:
    """Not to be confirmed is no proof of being free of it: `specific` needs a significant difference to every other."""
    if len(confirmed) in (0, len(answers)):
        return "universal" if confirmed else "unproven"
    others = [i for i in range(len(answers)) if i not in confirmed]
    if len(confirmed) == 1 and all(
        p <= alpha for p in holm([_fails_less(mode, answers[i], answers[confirmed[0]]) for i in others])
    ):
        return "specific"
    return "partial"


def _fails_less(mode: FailureMode, one: _Answers, other: _Answers) -> float:
    """p-value of "one fails as often as the other in this mode", on the questions of both; 1 where it fails more."""
    rows = [own.inside(mode) for own in (one, other)]
    keys = _answered_by_all(rows)
    right, theirs = (_correct(own, keys) for own in rows)
    images = [rows[0][key].image_id for key in keys]
    return paired_test(right, theirs, images) if sum(right) > sum(theirs) else 1.0
