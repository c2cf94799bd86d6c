"""What may stand after the `?` of a model spec: typed options, and one clear line for each mistake.

>>> read_options(EndpointOptions, "concurrency=8&timeout=30").concurrency
8
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import Field, ValidationError

from scotoma.core import SpecError
from scotoma.models.completions import Structured
from scotoma.models.spending import Budget
from scotoma.store.configuration import Settings
from scotoma.store.spec_options import given_options, unknown_option, written_options

NO_KEY = "none"
"""`key_env=none`: the server wants no key."""


class CheckpointOptions(Settings):
    """Options of `hf:`; those that are given go to `open_checkpoint`, `token_budget` to `TransformersModel`."""

    dtype: str | None = None
    device: str | None = None
    device_map: str | None = None
    adapter: str | None = None
    chat_template: str | None = None
    token_budget: int | None = Field(default=None, gt=0)


class EndpointOptions(Budget):
    """Options of `openai:`.

    `key_env` names the environment variable that holds the key. `concurrency` is the most requests at once, `timeout`
    the seconds one attempt may take, `retries` the attempts after the first. `thinking_tokens` is what a reasoning
    model may write before its answer, on top of the caller's `max_tokens`. `structured` has the server enforce the form
    of replies that must be JSON (judges' and taggers'), told in the way of OpenAI, vLLM and llama.cpp (`json_schema`)
    or of llama-cpp-python, Together and Fireworks (`json_object`, the schema beside it). `cache` is `on`, `off` or a
    file.
    """

    key_env: str = Field(default="OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    concurrency: int = Field(default=64, ge=1, le=1000)
    timeout: float = Field(default=120.0, gt=0)
    retries: int = Field(default=6, ge=0, le=50)
    thinking_tokens: int = Field(default=0, ge=0)
    structured: Structured = "off"
    cache: str = Field(default="on", min_length=1)


OptionsType = TypeVar("OptionsType", bound=Settings)


def read_options(model: type[OptionsType], text: str) -> OptionsType:
    """Read `name=value&name=value` (`store.spec_options`).

    Raises:
        SpecError: an option is unknown, wrong or given twice. Its value is not repeated: it may be a key.
    """
    given = given_options(text)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _spec_error(model, error) from None


def write_options(options: Settings) -> str:
    """The options that were given, as they are written; a key is never among them, only its variable's name."""
    given = [name for name in type(options).model_fields if name in options.model_fields_set]
    return written_options({name: getattr(options, name) for name in given})


def _spec_error(model: type[Settings], error: ValidationError) -> SpecError:
    mistake = error.errors(include_input=False)[0]
    name = str(mistake["loc"][0]) if mistake["loc"] else ""
    if mistake["type"] == "extra_forbidden":
        if name.replace("-", "_") in ("key", "api_key", "apikey", "token"):
            return SpecError(
                f"unknown option {name!r}",
                hint="keys are read from the environment only: key_env=NAME says from which variable",
            )
        return unknown_option(name, model.model_fields)
    if name == "key_env":
        return SpecError(
            "the option 'key_env' is no name of an environment variable",
            hint="put the key into a variable, and its name here",
        )
    said = mistake["msg"].removeprefix("Value error, ")
    return SpecError(f"the option {name!r}: {said[:1].lower()}{said[1:]}" if name else said)
