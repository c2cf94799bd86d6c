"""The chat-completions protocol: what is sent for a request, and what a server's reply says.

    body = request_body("gpt-5-mini", request, urls, Dialect())
    reading = read_completion(text)  # a Completion, or the Fault that it is

Servers differ in which fields they take (newer OpenAI models know no `max_tokens`, Gemini no `seed`, Claude one of
`temperature` and `top_p`); a `Dialect` learns that from the first refusal.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from scotoma.core import Request, Turn
from scotoma.models.faults import Fault, fault_of_status

OPTIONAL_FIELDS = ("seed", "top_p", "temperature")
"""What a request can do without, if the server will not have it."""

_UNWANTED = (
    "unsupported",
    "not supported",
    "does not support",
    "unrecognized",
    "unexpected",
    "extra",
    "not permitted",
    "unknown name",
    "cannot find field",
    "cannot both",
    "deprecated",
)
"""Words by which servers refuse a field: of OpenAI, vLLM, Gemini (`Unknown name "seed": Cannot find field.`) and Claude
(`temperature` and `top_p` cannot both be specified)."""

_WITHHELD = ("content_filter", "safety", "recitation", "prohibited_content", "blocklist")
"""How finish reasons begin, in small letters, where a filter withheld the answer: OpenAI's, then Gemini's own, which it
and gateways also write behind the first (`content_filter: PROHIBITED_CONTENT`)."""

_SILENT_TOKENS = 2
"""The most tokens that a model which says nothing is counted: the end of its turn, and of the text."""

Structured = Literal["off", "json_schema", "json_object"]
"""How a server is told the schema of a reply, if at all."""


@dataclass(frozen=True)
class Dialect:
    """How a server wants to be asked. `left_out` are sampling fields that it refuses."""

    length_field: str = "max_tokens"
    left_out: frozenset[str] = frozenset()

    def learn(self, message: str) -> Dialect | None:
        """The dialect to ask in after a refusal; None when the refusal is about something else."""
        said = message.lower()
        if not any(words in said for words in _UNWANTED):
            return None
        if self.length_field == "max_tokens" and "max_tokens" in said:
            return replace(self, length_field="max_completion_tokens")
        for name in OPTIONAL_FIELDS:
            if name in said and name not in self.left_out:
                return replace(self, left_out=self.left_out | {name})
        return None


@dataclass(frozen=True)
class Completion:
    """A reply. `tokens` is (in, out) as the server counted them, None where it did not or not sensibly."""

    text: str
    tokens: tuple[int, int] | None


def request_body(
    model: str,
    request: Request,
    urls: Sequence[str],
    dialect: Dialect,
    thinking_tokens: int = 0,
    structured: Structured = "off",
) -> bytes:
    """The JSON document for one request. `urls` are its images as `data:` URLs, which stand at the beginning of the
    first user turn, as they do for a model in this process. `structured`: a reply that must be JSON is asked for in
    the form of its schema, in one of the two ways that servers know.
    """
    sampling = request.sampling
    fields = {"temperature": sampling.temperature, "top_p": sampling.top_p, "seed": sampling.seed}
    if sampling.temperature == 0:  # then it says nothing; else servers would take the checkpoint's own for it
        del fields["top_p"]
    head = json.dumps(
        {
            "model": model,
            dialect.length_field: sampling.max_tokens + thinking_tokens,
            **{name: value for name, value in fields.items() if name not in dialect.left_out},
            **_form(request.reply_schema, structured),
        }
    )
    turns = (*request.history, Turn("user", request.text))
    first = next(place for place, turn in enumerate(turns) if turn.role == "user")
    messages = (_message(turn, urls if place == first else ()) for place, turn in enumerate(turns))
    return f'{head[:-1]}, "messages": [{", ".join(messages)}]}}'.encode()


def _form(schema: str | None, structured: Structured) -> dict[str, Any]:
    if schema is None or structured == "off":
        return {}
    document = json.loads(schema)
    if structured == "json_object":
        return {"response_format": {"type": "json_object", "schema": document}}
    named = {"name": "reply", "strict": True, "schema": document}
    return {"response_format": {"type": "json_schema", "json_schema": named}}


def _message(turn: Turn, urls: Sequence[str]) -> str:
    """A turn in JSON. The images go in as they are: a `data:` URL holds nothing that JSON escapes, and looking for it
    takes four times as long as all the rest (5 ms for a megabyte).
    """
    if not urls:
        return json.dumps({"role": turn.role, "content": turn.text})
    parts = [f'{{"type": "image_url", "image_url": {{"url": "{url}"}}}}' for url in urls]
    parts.append(json.dumps({"type": "text", "text": turn.text}))
    return f'{{"role": "{turn.role}", "content": [{", ".join(parts)}]}}'


def read_completion(text: str) -> Completion | Fault:
    """Read the body of a reply with status 200. Never raises."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return Fault("unparsable", f"the reply is no JSON: {_excerpt(text)}", transient=True)
    if not isinstance(document, Mapping):
        return Fault("unparsable", f"the reply is no JSON object: {_excerpt(text)}", transient=True)
    if isinstance(error := document.get("error"), Mapping) and "choices" not in document:
        code = error.get("code")  # some gateways report an upstream error under status 200
        return fault_of_status(code if isinstance(code, int) else 500, str(error.get("message", error)))
    tokens = _tokens(document.get("usage"))
    choices = document.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], Mapping):
        found = f"{len(choices)} choices" if isinstance(choices, list) else "no list of choices"
        return Fault(
            "unparsable", f"one choice was asked for, and {found} came", transient=True, tokens=tokens
        )
    return _read_choice(choices[0], tokens)


def _read_choice(choice: Mapping[str, Any], tokens: tuple[int, int] | None) -> Completion | Fault:
    message, failed, finish = choice.get("message"), choice.get("error"), choice.get("finish_reason")
    finish = finish.lower() if isinstance(finish, str) else ""
    if finish in ("error", "abort") or isinstance(failed, Mapping):
        # Gateways report an upstream failure so under status 200; a server that is shut down, what it broke off.
        told = failed.get("message") if isinstance(failed, Mapping) else None
        return Fault("crashed", str(told or f"the server ended it: {finish}"), transient=True, tokens=tokens)
    if finish.startswith(_WITHHELD):
        return Fault("refused", f"the server's content filter withheld the answer ({finish})", tokens=tokens)
    if not isinstance(message, Mapping):
        return Fault("unparsable", "the choice holds no message", transient=True, tokens=tokens)
    if isinstance(refusal := message.get("refusal"), str) and refusal:
        return Fault("refused", refusal, tokens=tokens)
    content = message.get("content")
    if isinstance(content, list):
        parts = [
            part.get("text") for part in content if isinstance(part, Mapping) and part.get("type") == "text"
        ]
        content = "".join(part for part in parts if isinstance(part, str))
    if content is not None and not isinstance(content, str):
        return Fault("unparsable", "the message's content is no text", transient=True, tokens=tokens)
    if content is None and message.get("tool_calls"):
        return Fault("unparsable", "the model called a tool instead of answering", tokens=tokens)
    # Half an emoji is legal JSON, but in no ledger.
    text = (content or "").encode("utf-8", "replace").decode("utf-8").strip()
    thought = bool(message.get("reasoning_content") or message.get("reasoning"))
    if not content or (thought and not text):
        # Hidden thinking shows in no field that all servers have; whatever it was, it is no answer.
        if finish == "length":
            said = "the tokens ran out before an answer began (thinking, maybe): allow more with ?thinking_tokens=…"
            return Fault("too_long", said, tokens=tokens)
        if thought or (tokens and tokens[1] > _SILENT_TOKENS):
            said = "tokens were written, and no answer came of them"
            return Fault("unparsable", said, transient=True, tokens=tokens)
    return Completion(text, tokens)


def _tokens(usage: Any) -> tuple[int, int] | None:
    if not isinstance(usage, Mapping):
        return None
    counts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
    match counts:
        case (int(tokens_in), int(tokens_out)) if 0 <= tokens_in < 2**40 and 0 <= tokens_out < 2**40:
            return tokens_in, tokens_out
    return None


def _excerpt(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}…")
