"""Rehearsal: what the candidate knows already, shown to every arm beside the samples, so that less of it is unlearnt.

Uniform questions about pictures of the `train` split are put to the untouched candidate, and those that it answers
rightly are rehearsed in the supervised steps (Robins 1995). Nobody makes or picks them, so they are no samples: all
arms get the same, and what tells the arms apart stays their samples alone.

    rehearsed = rehearsal(shop)        # `settings.repair.rehearsal` questions were asked, once in a run
    rehearsed[0].answer                # the right one
"""

from __future__ import annotations

from itertools import islice

from scotoma.core import Sample
from scotoma.discover.interview import Asked
from scotoma.discover.outage import MOST_LOST, check_answered
from scotoma.discover.pool import Pool
from scotoma.evolve.lesson import verifier_of
from scotoma.evolve.workshop import Workshop

STAGE = "rehearsal"

_SEED = 700_001
"""Added to the run's seed: other pictures than the samples'."""


def rehearsal(shop: Workshop) -> list[Sample]:
    """What is rehearsed; asked once, then read from the ledger.

    Raises:
        ModelError, BudgetError, StorageError: see `scotoma.core.errors`.
    """
    settings, ledger = shop.settings, shop.run.ledger
    if not settings.repair.rehearses:
        return []
    if ledger.done(STAGE) is None:
        shop.progress(STAGE, 0, 1)
        pool = Pool(shop.source, settings.discover, verifier_of(settings.judge))
        chosen = list(islice(pool.questions("train", settings.seed + _SEED), settings.repair.rehearsal))
        asked = [
            Asked(f"{STAGE}/{i}", item.image, item.question, pool.asked_by, verdict=item.verdict)
            for i, item in enumerate(chosen)
        ]
        images = list({item.image.id: item.image for item in chosen}.values())
        observations = shop.interview(settings.candidate).ask(asked, STAGE)
        check_answered(observations, MOST_LOST)
        ledger.finish(STAGE, observations=observations, images=shop.run.images.put_all(images))
        shop.progress(STAGE, 1, 1)
    return [
        Sample(
            id=known.key,
            image_id=known.image_id,
            question=known.question,
            answer=known.verdict.truth,
            purpose="rehearsal",
        )
        for known in ledger.observations(STAGE, outcome="correct")
        if known.verdict.truth is not None
    ]
