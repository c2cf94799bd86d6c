"""The baseline: as many questions as the questioner put, which nothing selected; and the stop rule that reads them.

Uniform questions say what share of all failures is of a kind that nobody has seen yet (`diagnose.richness`). With
`discover.stop_below` they are asked portion by portion beside the questioner's blocks, at no further cost, and
discovery ends when that share is surely small: when the upper end of its 95 % interval is below the limit. Each
decision is the payload of a stage, so a resumed run takes the same one.

    baseline = Baseline(run, source, interview, settings, seed)
    if baseline.enough(steps=10): ...       # between two blocks
    baseline.finish()
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from scotoma.core import ImageSource, Observation, Rate
from scotoma.diagnose.richness import missing_mass
from scotoma.discover.interview import Asked, Interview
from scotoma.discover.outage import check_answered
from scotoma.discover.pool import Pool, ValidQuestion
from scotoma.discover.progress import Progress, silent
from scotoma.discover.settings import DiscoverSettings
from scotoma.store.ledger import Ledger
from scotoma.store.rows import skill_combination
from scotoma.store.run import Run
from scotoma.store.summary import StopSummary

_PORTION = "baseline/"


class Baseline:
    """Uniform questions on the `discover` split: from the template questioner on other images than the questioner's
    or, where the images come with no templates, from the frozen questioner and picked by nobody.
    """

    def __init__(
        self,
        run: Run,
        source: ImageSource,
        interview: Interview,
        settings: DiscoverSettings,
        seed: int,
        progress: Progress = silent,
    ) -> None:
        self.run = run
        self.interview = interview
        self.settings = settings
        self.progress = progress
        self._pool = Pool(source, settings, interview.verifier, tagger=interview.tagger)
        self._stream = self._new(self._pool.questions("discover", seed + 500_009))
        self._counted_from = self._counters()

    def enough(self, steps: int) -> bool:
        """Whether discovery ends after so many steps; asks the uniform questions due until then.

        Always False without `stop_below`.
        """
        limit = self.settings.stop_below
        if limit is None:
            return False
        stage = f"{_PORTION}{steps:04d}"
        decided = self.run.ledger.done(stage)
        if decided is None:
            decided = self._ask(stage, steps * self.settings.questions, limit)
        return bool(decided["stop"])

    def finish(self) -> None:
        """Ask what is left of them: in all as many as the questioner put."""
        if self.run.ledger.done("baseline") is None:
            stop = stopped(self.run.ledger)
            self._ask("baseline", (stop.steps if stop else self.settings.steps) * self.settings.questions)

    def _ask(self, stage: str, until: int, limit: float | None = None) -> dict[str, Any]:
        """Ask from where the ledger ends up to number `until`; with a limit, decide."""
        earlier = self.run.ledger.observations("baseline")
        self._counted_from = self._counters()
        chosen = list(islice(self._stream, max(0, until - len(earlier))))
        unjudged, tagged = (
            now - before for now, before in zip(self._counters(), self._counted_from, strict=True)
        )
        self.progress("baseline", len(earlier), until)
        observations = self.interview.ask(
            [
                Asked(f"baseline/{i}", item.image, item.question, self._pool.asked_by, verdict=item.verdict)
                for i, item in enumerate(chosen, len(earlier))
            ],
            "baseline",
            self.settings.samples,
        )
        check_answered(observations)
        payload: dict[str, Any] = {
            "unjudged": dict(unjudged),
            "tagged": dict(tagged),
        }
        if limit is not None:
            mass = undiscovered_failure_mass(
                self.run.ledger.observations("discover"), [*earlier, *observations]
            )
            payload |= {"undiscovered": mass.model_dump(), "below": limit, "stop": mass.high < limit}
        records = list({item.image.id: item.image for item in chosen}.values())
        self.run.images.put_all(records)
        self.run.ledger.finish(stage, payload, observations=observations, images=records)
        self.progress("baseline", until, until)
        return payload

    def _new(self, stream: Iterator[ValidQuestion]) -> Iterator[ValidQuestion]:
        """What an earlier session has not asked: told by the questions, not by how many, for what an error had lost
        then may come through now. Templates may ask the same of a picture twice.
        """
        asked = Counter((o.image_id, o.question) for o in self.run.ledger.observations("baseline"))
        for item in stream:
            question = (item.image.id, item.question)
            if asked[question]:
                asked[question] -= 1
                self._counted_from = self._counters()  # what an earlier session counted is not counted again
            else:
                yield item

    def _counters(self) -> tuple[Counter[str], Counter[str]]:
        """What could not be judged so far, and what a model tagged."""
        return Counter(self._pool.unjudged), self.interview.tagger.counted


def undiscovered_failure_mass(asked: Iterable[Observation], uniform: Sequence[Observation]) -> Rate:
    """The share, in [0, 1], of the failures of uniform questions whose combination of skills was never seen failing.

    The questioner's finds on other images make a combination known, however they were selected; the share itself is
    taken over the uniform questions alone (why: `diagnose.richness.missing_mass`).
    """
    failures = [row for row in uniform if row.outcome == "failure"]
    return missing_mass(
        [skill_combination(row.tags) for row in failures],
        [row.image_id for row in failures],
        kinds_found(asked),
    )


def kinds_found(asked: Iterable[Observation]) -> dict[Hashable, set[Hashable]]:
    """The combinations of skills that failed, and on which images."""
    found: dict[Hashable, set[Hashable]] = defaultdict(set)
    for row in asked:
        if row.outcome == "failure":
            found[skill_combination(row.tags)].add(row.image_id)
    return dict(found)


def stopped(ledger: Ledger) -> StopSummary | None:
    """Where and why the stop rule ended the discovery, if it did."""
    for stage in ledger.stages(_PORTION):
        decided = ledger.done(stage) or {}
        if decided.get("stop"):
            return StopSummary(
                steps=int(stage.removeprefix(_PORTION)),
                below=decided["below"],
                undiscovered=Rate.model_validate(decided["undiscovered"]),
            )
    return None
