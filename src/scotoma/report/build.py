"""A run directory becomes one HTML file that opens from disk: offline, light and dark, on a phone, on paper.

build(Path("runs/demo"))        # writes runs/demo/report.html and returns its path
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from scotoma.report import quantity
from scotoma.report.page import Page
from scotoma.store import Run
from scotoma.store.durable import write_durably

# What no HTML or XML document may hold, and what turns the reading direction of the text around it.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def build(run: Path | Run, out: Path | None = None) -> Path:
    """Write the report of a run, finished, unfinished or copied, and return its path (`report.html` in the run).

    Raises:
        RunError: there is no run, or its ledger is damaged.
        RunVersion: another version of Scotoma made it.
        StorageError: the file cannot be written; an earlier report is untouched.
    """
    if isinstance(run, Run):
        path = out or run.path / "report.html"
        write_durably(path, render(Page.of(run)).encode())
        return path
    with Run.read(run) as opened:
        return build(opened, out)


def render(page: Page) -> str:
    """The report as HTML that is well-formed XML too; every text of the run is escaped."""
    environment = _environment()
    script = _source(environment, "page.js")
    # The policy lets this one script run and nothing be fetched, whatever the texts of a run may hold.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html.jinja").render(
        page=page,
        summary=page.summary,
        style=Markup(_source(environment, "page.css")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


_FILTERS = (
    "count",
    "duration",
    "factor",
    "factor_interval",
    "percent",
    "percent_interval",
    "points",
    "points_interval",
    "probability",
)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("scotoma.report"),
        autoescape=True,
        finalize=_printable,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(quantity, name) for name in _FILTERS}
    environment.filters["headword"] = _headword
    return environment


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _printable(value: Any) -> Any:
    """Strip what would break the document; markup of our own passes as it is."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", value)


def _headword(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]
