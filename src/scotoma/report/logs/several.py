"""A question that was answered several times: which answers are none, and the mean score of the others.

>>> answered(["3", "API error 500"], "accuracy", [1.0, 0.0])
('3', [1.0], None)
>>> mean_score("accuracy", [1.0, 0.0])
0.5
"""

from __future__ import annotations

from typing import Any

from scotoma.report.logs import fields

_SINGULAR = {"accuracies": "accuracy", "scores": "score", "rewards": "reward"}


def answered(told: Any, metric: str | None, score: Any) -> tuple[str | None, Any, str | None]:
    """The first answer, what is left of the score, and the error where there is no answer.

    Of several responses those that a call failed to bring are left out with their scores: a tool scores them as wrong.
    """
    responses = [fields.leaf_of(item) for item in (told if isinstance(told, list) else [told])]
    if not responses:
        return None, score, "no_response"
    paired = isinstance(score, list) and len(score) == len(responses)
    scores = score if paired else [None] * len(responses)
    failures = [_failure(response, metric, own) for response, own in zip(responses, scores, strict=True)]
    kept = [at for at, failure in enumerate(failures) if failure is None]
    if not kept:
        return responses[0], score, failures[0]
    if len(kept) < len(responses):
        # One score of them all has the failed ones in it, too: nothing can be said from it.
        score = [scores[at] for at in kept] if paired else None
    return responses[kept[0]], score, None


def mean_score(metric: str, value: Any) -> float | None:
    """C_Q: of several scores the mean, where every one is clear."""
    if not isinstance(value, list):
        return _score(metric, value)
    scores = [_score(metric, item) for item in value]
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known and len(known) == len(scores) else None


def _score(metric: str, value: Any) -> float | None:
    return fields.score_of(_SINGULAR.get(metric, metric), value)


def _failure(response: str | None, metric: str | None, score: Any) -> str | None:
    if response is None:
        return "no_response"
    failure = fields.failure_in(response)
    # A dialog in the picture may say "Connection failed": what the log holds for right is an answer.
    right = metric is not None and (_score(metric, score) or 0.0) >= 0.5
    return None if right and failure == "api_error" else failure
