"""The questioner's reward: pay for valid, new questions that the candidate gets wrong.

    R_Q = λ_scale · (δ_emb + δ_ifreq) · V_Q · (1 − C_Q) − λ_penalty · (1 − V_Q)          (arXiv 2604.04733)
          + λ_naturalness · V_Q · t_Q                                                    (ours, 0 by default)

>>> from scotoma.discover.novelty import Novelty
>>> wrong = Verdict(valid=True, correct=0.0)
>>> reward(wrong, Novelty(emb=0.5, ifreq=0.25))
0.75
>>> reward(Verdict(valid=True, error="timeout"), Novelty(emb=0.5, ifreq=0.25)) is None
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from scotoma.core import Verdict

if TYPE_CHECKING:  # the settings hold `RewardTerms`, and `--help` must not wait for scikit-learn
    from scotoma.discover.novelty import Novelty


class RewardTerms(BaseModel):
    """λ's and switches. λ's default to 1 (the source does not print its own, so these are ours).

    `emb` and `ifreq` off: novelty counts 1, every failure is paid alike. `failure` off: valid questions are paid for
    novelty alone. `validity` off: no penalty, invalid questions earn 0. `surrogate` on, where one chooses what is asked
    (`discover.surrogate`): (1 − C_Q) · s is paid in place of 1 − C_Q, with the surrogate's score s, and s itself for a
    valid question that was not put to the candidate (ours: exploring and harvesting are two jobs; the paper has no
    surrogate). So the questioner mostly learns the surrogate's score, which is steadier than single answers; paid
    alike, by s² or by 1 − C_Q and s, it found fewer failures (docs/measurements.md).
    `naturalness` is the weight of t_Q, how typical a question is of the reference set
    (`discover.naturalness.Typicality`), failing or not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scale: float = Field(1.0, ge=0)
    penalty: float = Field(1.0, ge=0)
    emb: bool = True
    ifreq: bool = True
    failure: bool = True
    validity: bool = True
    surrogate: bool = True
    naturalness: float = Field(0.0, ge=0)


_PAPER = RewardTerms(surrogate=False)


def reward(
    verdict: Verdict,
    novelty: Novelty,
    terms: RewardTerms = _PAPER,
    score: float | None = None,
    typicality: float = 0.0,
) -> float | None:
    """R_Q of one question, in [−penalty, 2 · scale + naturalness]; None masks the rollout.

    None after an infrastructure error, where nobody could decide validity, and where failure is paid for and a valid
    question has no C_Q (and no surrogate score to stand for it): no reward at all, never 0.

    Args:
        verdict: V_Q and C_Q (`correct`: the mean over k sampled answers).
        novelty: δ_emb and δ_ifreq, each in [0, 1].
        terms: λ's and switches.
        score: the surrogate's failure probability in [0, 1]; used only if `terms.surrogate`.
        typicality: t_Q in [0, 1]; used only if `terms.naturalness` is above 0.
    """
    if verdict.error is not None or verdict.valid is None:
        return None
    if not verdict.valid:
        return -terms.penalty if terms.validity else 0.0
    guide = score if terms.surrogate and score is not None else None
    if not terms.failure:
        failing = 1.0
    elif verdict.correct is not None:
        failing = (1 - verdict.correct) * (1.0 if guide is None else guide)
    elif guide is not None:
        failing = guide
    else:
        return None
    return terms.scale * _novelty(novelty, terms) * failing + terms.naturalness * typicality


def _novelty(novelty: Novelty, terms: RewardTerms) -> float:
    if not terms.emb and not terms.ifreq:
        return 1.0
    return (novelty.emb if terms.emb else 0.0) + (novelty.ifreq if terms.ifreq else 0.0)
