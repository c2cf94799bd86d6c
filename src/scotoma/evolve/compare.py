"""The comparison, from the top: the same questions to every candidate, then the failure modes of any to all of them.

    with Run.open(settings.out, command="compare", config=settings.model_dump(mode="json")) as run:
        summary = compare(run, settings)

Candidates are ranked on uniform questions of the `test` split, or on those with which another run was proved. Failure
modes come from runs, or are searched for in what each candidate answered; those found here are proved on the `confirm`
split. Work is kept in portions, so a killed comparison goes on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, model_validator

from scotoma.core import ConfigError, FailureMode, ImageSource, Predicate, RunError, Split
from scotoma.diagnose.conditions import Mask, members
from scotoma.diagnose.modes import suspect
from scotoma.diagnose.proven import proven_modes
from scotoma.discover.calibration import adopt_calibration
from scotoma.discover.confirm import Drawn, draw
from scotoma.discover.interview import Interview
from scotoma.discover.outage import check_answered
from scotoma.discover.pictures import acquaint
from scotoma.discover.pool import Pool, check_source, open_source
from scotoma.discover.progress import Progress, silent
from scotoma.discover.questioner import check_questioner
from scotoma.discover.settings import (
    AnswerSettings,
    DiscoverSettings,
    DiscoverySettings,
    JudgeSettings,
    TaggingSettings,
)
from scotoma.discover.verification import open_tagger, open_verifier
from scotoma.evolve.paper import Paper
from scotoma.evolve.standing import SharedMode, phase_of, shared_modes, summarise
from scotoma.models.spec import check_model, checkpoint_path, load_model, parse_model_spec, same_model
from scotoma.store.configuration import HomePath, Settings
from scotoma.store.run import Run
from scotoma.store.summary import Summary

PORTION = 500
"""Questions that are asked and written down together."""


class CompareSettings(Settings):
    """Everything a comparison is decided by; `run.yaml` keeps it.

    Attributes:
        candidates: model specs, at least two different ones.
        images: image spec.
        embedder, similarity: as in a discovery.
        out: the run directory.
        seed: with the stage's name it fixes everything random.
        questions: uniform questions on the `test` split, on which the candidates are ranked.
        questions_from: a run whose proof's questions are asked instead, and whose confirmed modes are compared.
        modes_from: runs whose confirmed modes are compared; none: modes are searched for in the answers.
        mode_questions: per failure mode, on images that did not suggest it.
        base_questions: uniform questions on the `confirm` split, the base rate of modes found here.
        pool: the most uniform questions to look through for members of the modes.
        alpha: of the ranks' tests (all together) and of the modes' false-discovery rate.
        discover: who asks where images come with no templates, and how modes are searched for.
        judge: who judges where the images carry no facts.
        answers: how a question is put to the candidates.
        tagging: whose tags decide what failure mode a question is in, beside the wording and where no facts do; as in
            the runs whose modes are compared.
    """

    candidates: tuple[str, ...]
    images: str = "worlds:shapes"
    embedder: str | None = None
    similarity: float = Field(default=0.997, gt=0, le=1)
    out: HomePath = Path("runs/comparison")
    seed: int = Field(default=0, ge=0)
    questions: int = Field(default=2000, ge=50)
    questions_from: HomePath | None = None
    modes_from: tuple[HomePath, ...] = ()
    mode_questions: int = Field(default=100, ge=10)
    base_questions: int = Field(default=1000, ge=50)
    pool: int = Field(default=20_000, ge=500)
    alpha: float = Field(default=0.05, gt=0, lt=1)
    discover: DiscoverSettings = DiscoverSettings()
    judge: JudgeSettings = JudgeSettings()
    answers: AnswerSettings = AnswerSettings()
    tagging: TaggingSettings = TaggingSettings()

    @model_validator(mode="after")
    def _comparable(self) -> CompareSettings:
        # No ValueErrors: pydantic would show the whole config instead of the message.
        if len(self.candidates) < 2:
            raise ConfigError("a comparison needs two candidates or more", hint="scotoma compare SPEC SPEC …")
        counts = Counter(map(_identity, self.candidates))
        twice = next((spec for spec in self.candidates if counts[_identity(spec)] > 1), None)
        if twice is not None:
            raise ConfigError(f"{twice} is named twice", hint="name each candidate once")
        if self.questions_from is not None and self.modes_from:
            raise ConfigError(
                "the questions of a run come with its own failure modes",
                hint="give --from or --modes, not both",
            )
        if self.tagging.topics in ("beside", "only") or self.tagging.name_modes or self.tagging.calibration:
            raise ConfigError(
                "tagging: a comparison finds no topics, names no modes and tells no tagger's errors",
                hint="leave out all but tagging.model and max_tokens; modes by topic are compared with --from RUN",
            )
        for spec in self.candidates:
            self.discovery(spec)
        return self

    @property
    def names_modes(self) -> bool:
        """Whether the modes come from runs, and are not searched for here."""
        return bool(self.modes_from) or self.questions_from is not None

    def discovery(self, candidate: str) -> DiscoverySettings:
        """What a discovery of one candidate would be decided by.

        Raises:
            ConfigError: the candidate is to judge itself.
        """
        shared = DiscoverySettings.model_fields.keys() & type(self).model_fields.keys()
        return DiscoverySettings(candidate=candidate, **{name: getattr(self, name) for name in shared})


def check_before(settings: CompareSettings) -> None:
    """Look at the models and into the runs that the settings name, before a run of our own is begun. Whoever has
    answered all in the run that is resumed need not be there any more.

    Raises:
        ConfigError: another tagger than ours decided what is in a mode, or topics did, which no comparison finds.
        ConfigError: the embedded questioner is to ask about photos, which it cannot.
        SpecError, ModelError: a candidate or judge who is still needed cannot be opened.
        RunError: there is none, it confirmed nothing, or it holds no questions that could be asked again.
    """
    if settings.questions_from is None:
        asks = settings.discover.model_copy(update={"reinforce": False})  # nobody is trained here
        check_questioner(asks, open_source(settings.discovery(settings.candidates[0])), settings.seed)
    for path in (*settings.modes_from, *filter(None, (settings.questions_from,))):
        with Run.read(path) as other:
            proven = proven_modes(other)
            if path in settings.modes_from:
                _check_tagger(other, settings)
                _check_named_by_tags(path, proven)
            if path == settings.questions_from and other.header.command not in ("discover", "evolve"):
                raise RunError(
                    f"{path} is a run of `scotoma {other.header.command}`, whose questions cannot be asked again",
                    hint="--from takes a run of `scotoma discover` or `scotoma evolve`; --modes takes any",
                )
    for spec in _needed(settings):
        check_model(spec)


def _needed(settings: CompareSettings) -> list[str]:
    """Who is to be opened: the judges, and the candidates that have not answered in the run that is there."""
    if not (settings.out / "run.yaml").exists():
        return [*settings.candidates, *settings.judge.specs]
    with Run.read(settings.out) as run:
        if run.ledger.done("compared") is not None:
            return []
        phases = [phase_of(number, "test") for number in range(len(settings.candidates))]
        silent = [
            s for s, phase in zip(settings.candidates, phases, strict=True) if not run.ledger.stages(phase)
        ]
    return [*silent, *settings.judge.specs]


def compare(run: Run, settings: CompareSettings, progress: Progress = silent) -> Summary:
    """Ask, rank, find and prove; resumes where it was stopped.

    Raises:
        ConfigError: nobody can say what is right about these images.
        RunError: a run that was named has no confirmed modes.
        SpecError, ModelError: a candidate cannot be opened, or answers nothing at all.
    """
    source = open_source(settings.discovery(settings.candidates[0]))
    check_source(source, settings.seed, judged=bool(settings.judge.specs))
    adopt_calibration(run, settings.judge)
    acquaint(source, run)
    modes = _modes_of_runs(run, settings, source)
    first = _first_paper(run, settings, source, modes)
    _ask_everyone(run, settings, first, "test", progress)
    if run.ledger.done("modes") is None:
        modes = modes or _search(run, settings)
        run.ledger.finish("modes", {"modes": [mode.model_dump(mode="json") for mode in modes]})
    run.write_summary(summarise(run, settings.candidates, settings.alpha))
    modes = shared_modes(run.ledger)
    if modes and not settings.names_modes:
        fresh = _drawn(run, settings, source, "draw/proof", "confirm", settings.base_questions, modes)
        _ask_everyone(run, settings, fresh, "proof", progress)
    run.ledger.finish("compared")
    summary = summarise(run, settings.candidates, settings.alpha)
    run.write_summary(summary)
    return summary


def _modes_of_runs(run: Run, settings: CompareSettings, source: ImageSource) -> list[SharedMode]:
    """The confirmed modes of the runs that the settings name, each once; [] where modes are to be searched for. No
    near-copy of those runs' pictures is asked about.
    """
    if run.ledger.done("modes") is not None:
        return shared_modes(run.ledger) if settings.names_modes else []
    found: dict[str, SharedMode] = {}
    for path in (*settings.modes_from, *filter(None, (settings.questions_from,))):
        with Run.read(path) as other:
            acquaint(source, other)
            for mode in proven_modes(other):
                known = found.get(mode.id)
                found[mode.id] = SharedMode(
                    mode=mode, found_in=(*(known.found_in if known else ()), str(path))
                )
    return list(found.values())


def _first_paper(
    run: Run, settings: CompareSettings, source: ImageSource, modes: Sequence[SharedMode]
) -> Paper:
    """What the candidates are ranked on; with members of the modes, where these are known already."""
    if settings.questions_from is None:
        return _drawn(run, settings, source, "draw/test", "test", settings.questions, modes)
    if run.ledger.done("draw/test") is None:
        with Run.read(settings.questions_from) as other:
            _keep(run, "draw/test", Paper.of_proof(other, source))
    return Paper.read(run, "draw/test", source)


def _drawn(
    run: Run,
    settings: CompareSettings,
    source: ImageSource,
    stage: str,
    split: Split,
    uniform: int,
    modes: Sequence[SharedMode],
) -> Paper:
    """The paper of a stage; drawn, if it was not yet: so many uniform questions, and members of the modes."""
    if run.ledger.done(stage) is None:
        tagger = open_tagger(settings.tagging)
        pool = Pool(source, settings.discover, open_verifier(settings.judge), tagger=tagger)
        predicates = [shared.mode.predicate for shared in modes]
        limit = max(settings.pool, uniform) if predicates else uniform
        drawn = draw(pool, split, settings.seed, predicates, settings.mode_questions, uniform, limit)
        _check_told(predicates, drawn)
        _keep(run, stage, Paper(drawn.uniform, drawn.modes, pool.asked_by, settings.mode_questions))
    return Paper.read(run, stage, source)


def _check_told(predicates: Sequence[Predicate], drawn: Drawn) -> None:
    """Refuse modes that speak of what no question here is tagged with, as topics and what a model had told.

    Raises:
        ConfigError: there is one, and so no question is in it.
    """
    known = {key for item in (*drawn.uniform, *drawn.modes) for key in item.tags}
    for predicate in predicates:
        if unknown := [each.key for each in predicate.conditions if each.key not in known]:
            raise ConfigError(
                f"no question of a comparison is tagged with {unknown[0]!r}, as the mode {str(predicate)!r} needs",
                hint="ask the questions of the run that found it: --from RUN",
            )


def _check_named_by_tags(path: Path, modes: Sequence[FailureMode]) -> None:
    """Before a pool is gone through in vain: no question of a comparison has a topic.

    Raises:
        ConfigError: a mode is by one.
    """
    for mode in modes:
        if any(condition.key == "topic" for condition in mode.predicate.conditions):
            raise ConfigError(
                f"the mode {str(mode.predicate)!r} of {path} is by topic, which only its own run can tell",
                hint=f"ask the questions of that run: --from {path}",
            )


def _check_tagger(other: Run, settings: CompareSettings) -> None:
    """Modes of another run are looked for among new questions: whoever tagged those must tag these.

    Raises:
        ConfigError: it was another, or nobody.
    """
    theirs, ours = other.settings(TaggingSettings, "tagging").model, settings.tagging.model
    if theirs != ours and not (theirs and ours and same_model(theirs, ours)):
        raise ConfigError(
            f"the questions of {other.path} were tagged by {theirs or 'nobody but their wording'}, and those of this "
            f"comparison would be by {ours or 'nobody but theirs'}: a mode would hold other questions",
            hint=f"set tagging.model: {theirs or 'null'} in --config, or ask that run's own questions: --from RUN",
        )


def _keep(run: Run, stage: str, paper: Paper) -> None:
    run.images.put_all(paper.images)
    run.ledger.finish(stage, paper.payload(), images=paper.images)


def _ask_everyone(run: Run, settings: CompareSettings, paper: Paper, name: str, progress: Progress) -> None:
    """Put a paper to one candidate after the other, portion by portion."""
    for number, spec in enumerate(settings.candidates):
        portions = [
            (f"{phase}/{start:06d}", phase, asked[start : start + PORTION])
            for phase, asked in paper.asked(phase_of(number, name))
            for start in range(0, len(asked), PORTION)
        ]
        missing = [portion for portion in portions if run.ledger.done(portion[0]) is None]
        if not missing:
            continue
        interview = Interview(load_model(spec), open_verifier(settings.judge), settings.answers)
        for stage, phase, asked in missing:
            progress(f"{name}: {spec}", portions.index((stage, phase, asked)), len(portions))
            observations = interview.ask(asked, phase)
            check_answered(observations, who=spec)
            run.ledger.finish(stage, observations=observations)
        progress(f"{name}: {spec}", len(portions), len(portions))


def _search(run: Run, settings: CompareSettings) -> list[SharedMode]:
    """Modes suspected in any candidate's answers; of near-equal ones the first, with everybody in whom it was found."""
    search = settings.discover.search
    found: list[SharedMode] = []
    where: list[Mask] = []
    for number, spec in enumerate(settings.candidates):
        rows = run.ledger.observations(phase_prefix=f"{phase_of(number, 'test')}/")
        tags = [row.tags for row in rows]
        for mode in suspect(rows, search, rows):
            inside = members(mode.predicate, tags)
            same = next(
                (i for i, known in enumerate(where) if _jaccard(inside, known) >= search.max_overlap), None
            )
            if same is None:
                found.append(SharedMode(mode=mode, found_in=(spec,)))
                where.append(inside)
            elif spec not in found[same].found_in:
                found[same] = SharedMode(mode=found[same].mode, found_in=(*found[same].found_in, spec))
    return found


def _jaccard(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def _identity(spec: str) -> str:
    """What two specs of the same model have in common: the folder of its weights, with the options."""
    parsed = parse_model_spec(spec)
    if parsed.kind not in ("embedded", "hf"):
        return str(parsed)
    path = Path(checkpoint_path(str(parsed).partition("?")[0]))
    return f"{path.resolve() if path.exists() else path}?{parsed.options or ''}"
