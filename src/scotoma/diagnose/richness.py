"""How much is still undiscovered: mass and number of kinds of failure, estimated from those seen once or twice.

A kind is a combination of tags, skills for instance. Many kinds that were seen a single time mean that many were never
seen at all.
What is estimated is a share of *all* failures, so the failures counted here must be those of questions that nothing
selected; whatever selected questions found besides (`elsewhere`) only makes a kind known.

>>> missing_mass(["hue"] * 9 + ["count"] * 6 + ["size"]).value
0.0625
>>> missing_mass(["hue", "hue", "count", "size"], elsewhere={"size": {"another picture"}}).value
0.25
>>> chao1([9, 6, 2, 1, 1]).value
5.5
>>> round(chao1([5, 3, 1]).high, 2)
3.93
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping, Sequence
from math import exp, log, sqrt

from scipy import stats

from scotoma.core import Rate
from scotoma.diagnose.statistics import clustered_rate

Elsewhere = Mapping[Hashable, Collection[Hashable]]
"""Kinds that selected questions found, and the images that showed them."""

_NOTHING: Elsewhere = {}
_Z = float(stats.norm.ppf(0.975))


def missing_mass(
    kinds: Sequence[Hashable],
    clusters: Sequence[Hashable] | None = None,
    elsewhere: Elsewhere = _NOTHING,
) -> Rate:
    """Probability in [0, 1] that a further failure is of a kind never seen: the missing mass, 1 − coverage (Good 1953).

    The share of the failures whose kind no *other* image showed, here or `elsewhere`. Left out one image at a time,
    that is Good's f₁/n where every image has one failure, and its expectation is the missing mass for one image less,
    whatever chose what was found elsewhere (ours). Weighting the selected finds by 1 / selection instead would not do:
    once a kind has failed, a surrogate asks more of it, so that what it finds is seldom seen once, and the estimate is
    too low (`tests/diagnose/test_richness.py`).

    The interval is Wilson's, clustered by image (`statistics.clustered_rate`), widened by Esty's (1983) variance of
    what was seen in two images: the missing mass varies too. No failures: [0, 1], the value 1 is a placeholder.

    Args:
        kinds: of each failure, of questions that nothing selected.
        clusters: the image of each; without them every failure is its own.
        elsewhere: kinds that selected questions found, and on which images: the same ones tell nothing new.
    """
    n = len(kinds)
    if n == 0:
        return Rate(value=1.0, low=0.0, high=1.0, n=0)
    images = _images(kinds, clusters)
    known = _known(images, elsewhere)
    rate = clustered_rate([kind not in known and len(images[kind]) == 1 for kind in kinds], clusters)
    twice = sum(kind not in known and len(images[kind]) == 2 for kind in kinds)
    extra = _Z * sqrt(twice) / n
    return Rate(
        value=rate.value,
        low=max(0.0, rate.value - sqrt((rate.value - rate.low) ** 2 + extra**2)),
        high=min(1.0, rate.value + sqrt((rate.high - rate.value) ** 2 + extra**2)),
        n=n,
    )


def kinds_in_all(
    kinds: Sequence[Hashable],
    clusters: Sequence[Hashable] | None = None,
    elsewhere: Elsewhere = _NOTHING,
) -> Rate:
    """Lower bound on the number of kinds of failure, seen and unseen, with its interval, n the failures.

    Chao's bound (`chao1`) on the number of images that show each kind (Chao 1987: incidence), over the kinds that were
    not found elsewhere; those that were are added. Arguments as in `missing_mass`.
    """
    images = _images(kinds, clusters)
    known = _known(images, elsewhere)
    rest, more = chao1([len(where) for kind, where in images.items() if kind not in known]), len(known)
    return Rate(value=rest.value + more, low=rest.low + more, high=rest.high + more, n=len(kinds))


def chao1(counts: Sequence[int]) -> Rate:
    """Lower bound on the number of modes, seen and unseen, with its log-normal interval (Chao 1987), n the failures.

    Bias-corrected form: S + f₁(f₁ − 1) / (2(f₂ + 1)). The low end is never below S, the number seen.

    With one singleton or none that adds nothing, and its variance has nothing to scale. The high end is then that of
    EstimateS (Colwell's user's guide, appendix B, equation 14): were all kinds equally frequent, a share P = e^(−n/S)
    of them would still be unseen, so that there are up to S/(1 − P) + z·√(S·P/(1 − P)). EstimateS does so without
    singletons; with a single one too is ours. The low end is S, as equation 14's may lie above the estimate. Kinds of
    unequal frequency can be more: it is a lower bound's interval.
    """
    seen = sum(1 for count in counts if count > 0)
    once, twice = (sum(1 for count in counts if count == times) for times in (1, 2))
    unseen = once * (once - 1) / (2 * (twice + 1))
    if unseen == 0:
        n = sum(counts)
        missing = exp(-n / seen) if seen else 0.0
        high = seen / (1 - missing) + _Z * sqrt(seen * missing / (1 - missing))
        return Rate(value=float(seen), low=float(seen), high=high, n=n)
    variance = (
        unseen
        + once * (2 * once - 1) ** 2 / (4 * (twice + 1) ** 2)
        + once**2 * twice * (once - 1) ** 2 / (4 * (twice + 1) ** 4)
    )
    factor = exp(_Z * sqrt(log(1 + variance / unseen**2)))
    return Rate(value=seen + unseen, low=seen + unseen / factor, high=seen + unseen * factor, n=sum(counts))


def _known(images: Mapping[Hashable, set[Hashable]], elsewhere: Elsewhere) -> set[Hashable]:
    """The kinds that an image elsewhere showed which is not one of those that show it here."""
    return {
        kind for kind, where in elsewhere.items() if kind not in images or not images[kind].issuperset(where)
    }


def _images(kinds: Sequence[Hashable], clusters: Sequence[Hashable] | None) -> dict[Hashable, set[Hashable]]:
    """The images that show each kind."""
    shown: dict[Hashable, set[Hashable]] = defaultdict(set)
    for number, kind in enumerate(kinds):
        shown[kind].add(number if clusters is None else clusters[number])
    return shown
