"""What stands behind the `?` of a spec, `name=value&name=value`: read and written in one place, whatever it is of.

>>> given_options("licence=CC%26BY&max_pixels=5")
{'licence': 'CC&BY', 'max_pixels': '5'}
>>> written_options({"licence": "CC&BY", "max_pixels": 5})
'licence=CC%26BY&max_pixels=5'
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from urllib.parse import unquote

from scotoma.core import SpecError


def given_options(text: str) -> dict[str, str]:
    """The values by name; they may be percent-encoded (`%26` stands for an `&`).

    Raises:
        SpecError: an option has no value, or is given twice. No value is repeated: it may be a key.
    """
    given: dict[str, str] = {}
    for part in filter(None, text.split("&")):
        name, _, value = part.partition("=")
        if not value:
            raise SpecError(f"the option {name!r} has no value", hint=f"write {name}=…")
        if name in given:
            raise SpecError(f"the option {name!r} is given twice")
        given[name] = unquote(value)
    return given


def unknown_option(name: str, known: Collection[str]) -> SpecError:
    """The error of an option that there is not, with the nearest that there is."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the options are {', '.join(known)}"
    return SpecError(f"unknown option {name!r}", hint=hint)


def written_options(values: Mapping[str, object]) -> str:
    """The other way round, without the `?`; empty where there are none."""
    return "&".join(f"{name}={_plain(value)}" for name, value in values.items())


def _plain(value: object) -> str:
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return text.replace("%", "%25").replace("&", "%26")
