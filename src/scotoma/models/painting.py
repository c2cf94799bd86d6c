"""Models that change a picture as they are told in words: what they really did, only somebody who looks can say.

    painter = open_painter("openai:gpt-image-1")
    painter.paint(record, "add two more mugs to the shelf")     # the new picture's bytes, or a ReplyError

`openai:MODEL@BASE_URL` is any server with OpenAI's `/images/edits` (extra `agents`); `diffusers:PATH_OR_ID` is an
instruction-following pipeline in this process (extra `paint`, `scotoma.models.diffusion`).
"""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any, Protocol

from scotoma.core import ConfigError, ImageRecord, ModelError, ReplyError, SpecError
from scotoma.models.session import read_key
from scotoma.models.spec import parse_model_spec, server_of

DIFFUSERS = "diffusers:"


class Painter(Protocol):
    """A generative editor. `name` is stable and goes into provenance."""

    name: str

    def paint(self, record: ImageRecord, instruction: str) -> bytes | ReplyError:
        """The changed picture, encoded; or why there is none, which is an infrastructure error.

        Raises:
            ImageError: the picture cannot be read.
            ModelError: every picture would fail alike.
        """
        ...


def open_painter(spec: str) -> Painter:
    """Open a generative editor.

    Raises:
        SpecError: the spec names none.
        ConfigError: the library that it needs is not installed.
        ModelError: a key is missing, or the pipeline cannot be loaded.
    """
    if spec.startswith(DIFFUSERS):
        from scotoma.models.diffusion import DiffusionPainter

        return DiffusionPainter(spec.removeprefix(DIFFUSERS))
    return EndpointPainter(spec)


class EndpointPainter:
    """Usable from several threads. A reply that is a URL in place of a picture is not followed."""

    def __init__(self, spec: str) -> None:
        parsed = parse_model_spec(spec)
        if parsed.kind != "openai":
            raise SpecError(
                f"{spec!r} names no image editor", hint="write openai:MODEL@BASE_URL or diffusers:PATH_OR_ID"
            )
        try:
            from openai import DefaultHttpxClient, OpenAI
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"an image-edit endpoint needs {error.name}, which the bare install leaves out",
                hint="pip install 'scotoma[agents]'",
            ) from error
        options, base_url = parsed.served, server_of(parsed.base_url)
        if options.max_usd is not None or options.max_tokens_total is not None:
            raise SpecError(
                f"{spec!r}: no budget is kept for an image editor, whose server may charge by the picture",
                hint="leave out max_usd and max_tokens_total, and bound it by the samples that are made",
            )
        self.name = f"openai:{parsed.target}@{base_url}"
        self._model = parsed.target
        self._client = OpenAI(
            base_url=base_url,
            api_key=read_key(options.key_env, base_url),
            timeout=options.timeout,
            max_retries=options.retries,
            # A redirect would take the picture to a server that nobody named.
            http_client=DefaultHttpxClient(follow_redirects=False, timeout=options.timeout),
        )

    def paint(self, record: ImageRecord, instruction: str) -> bytes | ReplyError:
        """See `Painter`."""
        import openai

        picture = io.BytesIO()
        record.open().save(picture, "PNG")
        try:
            reply = self._client.images.edit(
                model=self._model,
                image=("picture.png", picture.getvalue(), "image/png"),
                prompt=instruction,
            )
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise ModelError(f"{self.name} cannot be used: {error}") from error
        except openai.APITimeoutError as error:
            return ReplyError("timeout", str(error))
        except openai.APIConnectionError as error:
            raise ModelError(
                f"{self.name} cannot be reached: {error}", hint="is the server running?"
            ) from error
        except openai.RateLimitError as error:
            return ReplyError("rate_limit", str(error))
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            return ReplyError("refused", str(error))
        except openai.OpenAIError as error:
            if isinstance(error, openai.APIStatusError) and error.response.is_redirect:
                raise ModelError(
                    f"{self.name} redirects ({error.status_code}), where no picture follows",
                    hint="if the model is served there, write that server's base URL after the @ of its spec",
                ) from error
            return ReplyError("crashed", str(error))
        return _picture_of(reply)


def _picture_of(reply: Any) -> bytes | ReplyError:
    encoded = getattr((getattr(reply, "data", None) or [None])[0], "b64_json", None)
    if not isinstance(encoded, str):
        return ReplyError("unparsable", "the server gave no picture in its reply")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        return ReplyError("unparsable", f"the picture in the server's reply is damaged: {error}")
