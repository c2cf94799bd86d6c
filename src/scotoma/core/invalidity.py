"""Why a question is invalid: five names, whoever ruled, and one place that maps every finer reason onto them.

A world's executor and a judge each have words of their own (`Verdict.reason` keeps them); counts are by these names.

>>> invalidity("no_referent")
'not_grounded'
>>> invalidity("ambiguous")
'ambiguous'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Invalidity = Literal["not_grounded", "ambiguous", "several_questions", "not_answerable", "malformed"]
"""`not_grounded`: it presupposes what is not in the image. `ambiguous`: it can mean several things.
`several_questions`: it asks more than one. `not_answerable`: the image does not settle the answer. `malformed`: it is
no question about the image, as it cannot be understood, or answers itself.
"""

INVALIDITIES: tuple[Invalidity, ...] = get_args(Invalidity)

_FINER: Mapping[str, Invalidity] = {
    "no_referent": "not_grounded",
    "borderline": "not_answerable",
    "trivial": "malformed",
    "unparsable": "malformed",
}


def invalidity(reason: str | None) -> Invalidity:
    """The name of a reason, fine or named; `not_answerable` for one that nobody here knows (a judge that gave none of
    the five, a plug-in world's own): whatever it is, there is no answer to hold a candidate to.
    """
    if reason in INVALIDITIES:
        return reason
    return _FINER.get(reason or "", "not_answerable")
