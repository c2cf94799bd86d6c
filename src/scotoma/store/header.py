"""`run.yaml`: which command a run is of, under which config, made by which versions: enough to make it again.

header = RunHeader.new("evolve", plain_config(settings.model_dump()))
header.write(Path("runs/demo"))
RunHeader.read(Path("runs/demo")).differences({**header.config, "seed": 1})     # ["seed (0 there, 1 now)"]
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import scotoma
from scotoma.core import RunError, RunVersion
from scotoma.store.configuration import dotted
from scotoma.store.durable import read_if_there, write_durably

RUN_SCHEMA = "scotoma.run/1"

SPENDING = (
    "max_usd",
    "price_in",
    "price_out",
    "max_tokens_total",
    "concurrency",
    "timeout",
    "retries",
    "key_env",
    "cache",
)
"""Options of an endpoint's spec (`models.options`) that say how it is asked and what it may cost: no answer changes."""

_FILE = "run.yaml"
_PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "numpy",
    "pillow",
    "scikit-learn",
)
_ABSENT = object()


class RunHeader(BaseModel):
    """What a run is. `versions` maps package to version, `config` is the whole resolved config."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    schema_: str = Field(default=RUN_SCHEMA, alias="schema")
    command: str
    started: datetime
    seed: int | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    config: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def new(cls, command: str, config: Mapping[str, Any]) -> RunHeader:
        """Of a run that begins now, with what is installed here; `config` as `plain_config` makes it."""
        versions = {"scotoma": scotoma.__version__, "python": platform.python_version()}
        for package in _PACKAGES:
            # Asked of the installed metadata, so that nothing heavy is imported.
            with suppress(metadata.PackageNotFoundError):
                versions[package] = metadata.version(package)
        seed = config.get("seed")
        return cls(
            command=command,
            started=datetime.now(UTC),
            seed=seed if isinstance(seed, int) else None,
            versions=versions,
            config=dict(config),
        )

    @classmethod
    def read(cls, run: Path) -> RunHeader | None:
        """That of the run in this folder, or None where there is none.

        Raises:
            RunVersion: another version of Scotoma wrote it.
            RunError: it is damaged, or something else.
        """
        text = read_if_there(run / _FILE)
        if text is None:
            return None
        try:
            document = yaml.safe_load(text)
        except (
            yaml.YAMLError,
            ValueError,
            RecursionError,
        ) as error:  # ValueError: a date that no calendar has
            raise RunError(f"{run / _FILE} is damaged", hint="restore it, or use another folder") from error
        if not isinstance(document, dict) or "schema" not in document:
            raise RunError(f"{run / _FILE} is no run of Scotoma", hint="use another folder")
        if document["schema"] != RUN_SCHEMA:
            versions = document.get("versions")
            writer = versions.get("scotoma") if isinstance(versions, dict) else None
            raise RunVersion(
                f"the run in {run} has the format {document['schema']!r};"
                f" this Scotoma ({scotoma.__version__}) uses {RUN_SCHEMA!r}",
                hint=f"open it with Scotoma {writer}, or use another folder"
                if writer
                else "use another folder",
            )
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            key = ".".join(map(str, error.errors()[0]["loc"]))
            raise RunError(f"{run / _FILE} is damaged at {key!r}", hint="restore it from a copy") from error

    def write(self, run: Path) -> None:
        """Put it into the run's folder.

        Raises:
            StorageError: the disk is full or the folder is read-only.
        """
        document = self.model_dump(mode="json", by_alias=True)
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
        write_durably(run / _FILE, text.encode())

    def differences(
        self,
        config: Mapping[str, Any],
        *,
        may_grow: Collection[str] = (),
        may_change: Collection[str] = (),
        own: str = "there",
        other: str = "now",
    ) -> list[str]:
        """Where another config would make it another run: `discover.steps (48 there, 7 now)`.

        `config` is as `plain_config` makes it. `may_grow` and `may_change` hold top-level or dotted keys: numbers that
        may get larger, and what changes no result. Nor does what an endpoint may cost. `own` and `other` say whose
        value is whose.
        """
        stored, asked = dotted(self.config), dotted(config)
        return [
            f"{key} ({_show(stored, key)} {own}, {_show(asked, key)} {other})"
            for key in sorted({*stored, *asked})
            if _telling(stored.get(key, _ABSENT)) != _telling(asked.get(key, _ABSENT))
            and key not in may_change
            and not (key in may_grow and _grows(stored.get(key), asked.get(key)))
        ]


def plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config as it comes back from `run.yaml`: lists for tuples, strings for paths."""
    return dict(json.loads(json.dumps(dict(config), default=str)))


def _telling(value: Any) -> Any:
    """A config's value without what changes no result: a run that stopped at `max_usd` goes on with a higher one."""
    if isinstance(value, list):
        return [_telling(item) for item in value]
    if isinstance(value, str) and value.startswith("openai:"):
        return re.sub(rf"(?<=[?&])(?:{'|'.join(SPENDING)})=[^&]*&?", "", value).rstrip("?&")
    return value


def _grows(stored: Any, asked: Any) -> bool:
    return isinstance(stored, int | float) and isinstance(asked, int | float) and asked >= stored


def _show(flat: Mapping[str, Any], key: str) -> str:
    return repr(flat[key]) if key in flat else "absent"
