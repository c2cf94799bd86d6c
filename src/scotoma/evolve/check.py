"""The check: a suite's questions put to a candidate, and whether it falls back on any mode or on what was retained.

    suite = Suite.read(Path("suites/first"))
    result = check(suite, ask(suite, "hf:my/checkpoint", suite.header.judge))
    result.passed

A part falls back when its accuracy is significantly lower than the baseline's on the same questions, or below the
minimum that was set for it. What infrastructure lost is in no accuracy; when it lost too much, nobody gets a verdict.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from shlex import quote
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scotoma.core import Claim, ConfigError, ModelError, Observation, Rate, Verdict, Verifier
from scotoma.diagnose.statistics import clustered_rate, holm, paired_difference, paired_test
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.progress import Progress, silent
from scotoma.discover.settings import DiscoverySettings, JudgeSettings
from scotoma.discover.verification import judge_of, open_judges
from scotoma.evolve.suite import Baseline, Suite, SuiteQuestion, baseline_of
from scotoma.models.spec import load_model
from scotoma.verify.chain import VerifierChain
from scotoma.verify.facts import FactsVerifier
from scotoma.verify.rules import match

CHECK_SCHEMA: Literal["scotoma.check/1"] = "scotoma.check/1"

PORTION = 100
"""Questions that are asked together; progress is told after each."""

ALPHA = 0.05
"""Of all tests of a check together."""

LOST = 0.05
"""The most that infrastructure may lose, of all questions and of any part; a single question of a part never counts."""

Standing = Literal["holds", "fell", "below"]
"""`fell`: significantly below the baseline; `below`: under the minimum, if not also fallen."""


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class PartResult(_Figures):
    """A mode, or the retained questions. `before` and `now` are accuracies on the questions that both answered,
    `change` their paired difference with the interval over pictures; `p_holm` is corrected over all parts. `broken`
    are the questions that were right before and are wrong now, by id.
    """

    id: str
    description: str
    predicate: str | None
    before: Rate
    now: Rate
    change: Rate
    p_value: float
    p_holm: float
    at_least: float | None
    standing: Standing
    broken: tuple[str, ...]


class CheckResult(_Figures):
    """What a check found. `lost` counts the questions without an answer that could be judged, by reason."""

    schema_: Literal["scotoma.check/1"] = Field(default=CHECK_SCHEMA, alias="schema")
    candidate: str
    against: str
    questions: int
    lost: dict[str, int]
    alpha: float
    passed: bool
    parts: tuple[PartResult, ...]

    @property
    def fallen(self) -> list[PartResult]:
        """The parts that do not hold."""
        return [part for part in self.parts if part.standing != "holds"]


@dataclass(frozen=True)
class Answered:
    """What a candidate answered to the questions of a suite, by their ids, and what was lost, by reason."""

    candidate: str
    answers: dict[str, Baseline]
    lost: dict[str, int] = field(default_factory=dict)


def judge_for(suite: Suite, named: Sequence[str]) -> JudgeSettings:
    """Who judges where rules cannot decide: those who are `named`, model specs, with the suite's own settings where
    they are its judges. A suite may be a stranger's, and who judges is told answers, pictures and a key: nobody is
    asked because a file says so.

    Raises:
        ConfigError: the suite names judges, and nobody has repeated them or named others.
    """
    known = suite.header.judge
    if sorted({*named}) == sorted(known.specs):
        return known
    if not named:
        raise ConfigError(
            f"the suite's answers are judged by {', '.join(known.specs)} where rules cannot decide, and nobody is asked"
            " because a file says so",
            hint=f"if you trust it, say so: {judge_flags(known)}",
        )
    return judged_by(named)


def judged_by(named: Sequence[str]) -> JudgeSettings:
    """The settings with these judges, model specs, one at least."""
    return JudgeSettings(model=named[0], judges=tuple(named[1:]))


def judge_flags(judge: JudgeSettings) -> str:
    """The flags of `scotoma check` that name these judges."""
    return " ".join(f"--judge {quote(spec)}" for spec in judge.specs)


def ask(suite: Suite, candidate: str, judge: JudgeSettings, progress: Progress = silent) -> Answered:
    """Put every question of the suite to a candidate, and judge the answers by facts and by the recorded truth.

    A judge is asked only where rules cannot decide.

    Raises:
        ConfigError: the candidate is to judge itself.
        SpecError, ModelError: a model cannot be opened.
        ModelError: infrastructure lost more than `LOST` of the questions, or of those of a part.
    """
    answers = suite.header.answers
    DiscoverySettings(candidate=candidate, judge=judge, answers=answers)  # refuses who would judge himself
    interview = Interview(load_model(candidate), _verifier(suite, judge), answers)
    phase, rows = f"ask {candidate}", list[Observation]()
    for start in range(0, len(suite.questions), PORTION):
        progress(phase, start, len(suite.questions))
        portion = suite.questions[start : start + PORTION]
        rows += interview.ask([_asked(suite, question) for question in portion], "check")
    progress(phase, len(suite.questions), len(suite.questions))
    lost = {row.key: _reason(row) for row in rows if not row.answered}
    _check_answered(suite, candidate, lost)
    return Answered(candidate, {row.key: baseline_of(row) for row in rows}, dict(Counter(lost.values())))


def recorded(suite: Suite) -> Answered:
    """The answers that were written down with the suite."""
    return Answered(suite.header.candidate, {q.id: q.baseline for q in suite.questions})


def check(
    suite: Suite,
    now: Answered,
    before: Answered | None = None,
    *,
    at_least: float | None = None,
    seed: int = 0,
) -> CheckResult:
    """Compare, part by part, on the questions that both answered.

    The test is exact, two-sided and clustered by picture (`paired_test`), with Holm's correction over all parts: a
    model as good as the baseline is refused with a probability of at most `ALPHA` / 2.

    Args:
        suite: whose questions were asked.
        now: the candidate's answers.
        before: the baseline's; by default those written down with the suite.
        at_least: an accuracy, [0, 1], that every mode must reach; by default what the suite says.
        seed: of the intervals' bootstrap.

    Raises:
        ModelError: there is a part of which no question was answered by both.
    """
    earlier = before or recorded(suite)
    pairs = [_pair(suite, part, now, earlier) for part in suite.parts]
    p_values = [paired_test(pair.now, pair.before, pair.images) for pair in pairs]
    modes = {mode.id: mode for mode in suite.header.modes}
    parts = []
    for pair, p_value, p_holm in zip(pairs, p_values, holm(p_values), strict=True):
        mode = modes.get(pair.part)
        minimum = None if mode is None else mode.at_least if at_least is None else at_least
        accuracy = clustered_rate(pair.now, pair.images)
        change = paired_difference(pair.now, pair.before, pair.images, seed)
        standing: Standing = "holds"
        if change.value < 0 and p_holm <= ALPHA:
            standing = "fell"
        elif minimum is not None and accuracy.value < minimum:
            standing = "below"
        parts.append(
            PartResult(
                id=pair.part,
                description=(mode.title or mode.description) if mode else "outside every mode",
                predicate=mode.predicate if mode else None,
                before=clustered_rate(pair.before, pair.images),
                now=accuracy,
                change=change,
                p_value=p_value,
                p_holm=p_holm,
                at_least=minimum,
                standing=standing,
                broken=pair.broken,
            )
        )
    return CheckResult(
        candidate=now.candidate,
        against=earlier.candidate,
        questions=len(suite.questions),
        lost=now.lost,
        alpha=ALPHA,
        passed=all(part.standing == "holds" for part in parts),
        parts=tuple(parts),
    )


@dataclass(frozen=True)
class _Pair:
    """One part's questions that both answered, in order: right or wrong now and before, about which pictures."""

    part: str
    now: list[bool]
    before: list[bool]
    images: list[str]
    broken: tuple[str, ...]


def _pair(suite: Suite, part: str, now: Answered, before: Answered) -> _Pair:
    both = [
        (question, is_right, was_right)
        for question in suite.part(part)
        if (is_right := now.answers[question.id].correct) is not None
        and (was_right := before.answers[question.id].correct) is not None
    ]
    if not both:
        raise ModelError(
            f"no question of {part} was answered both by {now.candidate} and by {before.candidate}",
            hint="write the suite again with other answers: scotoma check RUN --write DIR --candidate SPEC",
        )
    return _Pair(
        part=part,
        now=[is_right for _, is_right, _ in both],
        before=[was_right for _, _, was_right in both],
        images=[question.image_id for question, _, _ in both],
        broken=tuple(question.id for question, is_right, was_right in both if was_right and not is_right),
    )


def _asked(suite: Suite, question: SuiteQuestion) -> Asked:
    known = Verdict(valid=True, truth=question.truth, decided_by=question.decided_by)
    return Asked(question.id, suite.pictures[question.image_id], question.question, verdict=known)


def _reason(row: Observation) -> str:
    return row.verdict.error or row.verdict.reason or "undecided"


def _check_answered(suite: Suite, candidate: str, lost: dict[str, str]) -> None:
    """Give no verdict on what was hardly answered: neither a fall nor, what is worse, none."""
    asked = {"all questions": [q.id for q in suite.questions]} | {
        part: [q.id for q in suite.part(part)] for part in suite.parts
    }
    for part, keys in asked.items():
        reasons = Counter(lost[key] for key in keys if key in lost)
        if reasons.total() > max(1, LOST * len(keys)):
            told = ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common(3))
            raise ModelError(
                f"{candidate}: no verdict, as {reasons.total()} of {len(keys)} questions ({part}) "
                f"were not answered and judged: {told}",
                hint="name a judge who can read its answers: --judge SPEC"
                if set(reasons) == {"undecided"}
                else "is its server well? The same command asks again",
            )


def _verifier(suite: Suite, judge: JudgeSettings) -> Verifier:
    """Facts, then the recorded truth and rules, then the judge, if there is one."""
    links: list[Verifier] = [FactsVerifier(), _AnswerKey(suite)]
    if judge.specs:
        links.append(judge_of(open_judges(judge), judge.agreement))
    return VerifierChain(*links)


class _AnswerKey:
    """Judges by the truth that the claim carries and rules alone (`core.Verifier`); the unreadable stays open."""

    def __init__(self, suite: Suite) -> None:
        # Facts speak in a world's few words; where others said what is right, the answer may be a synonym of it.
        self._decided_by = {(q.image_id, q.question): q.decided_by for q in suite.questions}

    def judge(self, items: Sequence[Claim], errors: Sequence[str | None] | None = None) -> list[Verdict]:
        """One verdict per claim, in order."""
        struck = errors if errors is not None else [None] * len(items)
        return [self._judge(claim, error) for claim, error in zip(items, struck, strict=True)]

    def _judge(self, claim: Claim, error: str | None) -> Verdict:
        known = self._decided_by[claim.image.id, claim.question]
        if claim.truth is None or claim.answer is None or error is not None:
            return Verdict(valid=True, truth=claim.truth, decided_by=known, error=error)
        found = match(claim.answer, claim.truth, closed=known == "facts")
        if found == "undecided":
            return Verdict(valid=True, truth=claim.truth, reason="undecided", decided_by=known)
        correct = 1.0 if found == "correct" else 0.0
        return Verdict(valid=True, truth=claim.truth, correct=correct, decided_by="rules")
