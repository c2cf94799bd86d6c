"""Discovery, from the top: look at images, propose questions, pick what to ask, ask, judge, pay, learn; then name.

    with Run.open("runs/first", command="discover", config=…) as run:
        modes = discover(run, source, interview, settings, seed=0)

The questioner over-generates; the surrogate picks what the candidate is asked; every question proposed is paid by the
reward that docs/concepts.md gives. Everything random in a step follows from the seed and the step's number, and a block
of steps is one stage of the ledger, so a killed run goes on as if it had not been.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from itertools import islice

from scotoma.core import FailureMode, ImageSource
from scotoma.diagnose.modes import suspect
from scotoma.discover.baseline import Baseline
from scotoma.discover.block import Block
from scotoma.discover.episodes import Episodes, question_embedder
from scotoma.discover.interview import Interview
from scotoma.discover.outage import Outage, check_answered
from scotoma.discover.pictures import acquaint, pictures_of
from scotoma.discover.pool import check_source, endless, pictures_so_far
from scotoma.discover.progress import Progress, silent
from scotoma.discover.questioner import KEPT, Questioner, open_questioner
from scotoma.discover.reference import naturalness_of, open_reference
from scotoma.discover.settings import DiscoverSettings
from scotoma.discover.tagger_calibration import adopt_tagger_calibration
from scotoma.discover.topics import find_topics, narrowed, taxonomy_of
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
        ConfigError: the images carry no facts, and the interview has no judge; the reference set cannot be read; or the
            questioner's first block brought nothing to ask.
        ModelError: a server is down: so many questions in a row were lost to errors.
    """
    acquaint(source, run)
    adopt_tagger_calibration(run, interview.tagger.settings)
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
        found = naturalness_of(
            run.ledger, open_reference(source, settings, seed), question_embedder(settings), seed
        )
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
    episodes = Episodes(interview, source, settings, seed, reference)
    if remaining[0] > 0:
        before = run.checkpoint(_state(remaining[0] - settings.block))
        known = run.ledger.observations("discover")
        episodes.restore(before, known, partial(pictures_of, run, source), remaining[0])
    images = islice(endless(source, "discover", seed), remaining[0] * episodes.images_per_step, None)
    outages: defaultdict[str, Outage] = defaultdict(Outage)
    for start in remaining:
        block = Block()
        ruled, tagged = rulings(interview.verifier), interview.tagger.counted
        for step in range(start, min(start + settings.block, settings.steps)):
            shown = list(islice(images, episodes.images_per_step))
            episode = episodes.step(step, shown)
            block.add(step, episode, shown)
            for who, passage in episode.passages.items():
                outages[who].note(passage, len(shown))
            progress("discover", step + 1, settings.steps)
        run.images.put_all(block.images)
        check_answered(block.observations)
        if start == 0:
            block.check_asked(settings)
        # Under the block's name: a stop before the ledger has the block must find the state of the one before.
        run.save_checkpoint(_state(start), episodes.save)
        run.ledger.finish(
            _state(start),
            {
                **block.payload(),
                "rulings": dict(rulings(interview.verifier) - ruled),
                "tagged": dict(interview.tagger.counted - tagged),
                **pictures_so_far(source),
            },
            observations=block.observations,
            images=block.images,
            curve=block.curve,
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
    if not settings.trains or last is None or run.checkpoint(KEPT).exists():
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
