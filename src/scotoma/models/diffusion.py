"""An instruction-following diffusion pipeline as a generative editor (InstructPix2Pix and the like), by `diffusers`.

Untested here: the library and its weights could not be had. It is the pipeline's plain call, and nothing else.

    DiffusionPainter("timbrooks/instruct-pix2pix").paint(record, "make the mug blue")
"""

from __future__ import annotations

import importlib
import io
import threading
from typing import Any

from scotoma.core import ConfigError, ImageRecord, ModelError, ReplyError


class DiffusionPainter:
    """One picture at a time; on a GPU where there is one.

    Raises:
        ConfigError: the extra `paint` is not installed.
        ModelError: the pipeline cannot be loaded.
    """

    def __init__(self, target: str) -> None:
        self.name = f"diffusers:{target}"
        try:
            diffusers = importlib.import_module("diffusers")
            torch = importlib.import_module("torch")
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"{self.name} needs {error.name}, which the bare install leaves out",
                hint="pip install 'scotoma[paint]'",
            ) from error
        try:
            pipeline: Any = diffusers.DiffusionPipeline.from_pretrained(target)
        except (OSError, ValueError) as error:
            raise ModelError(f"{self.name} cannot be loaded: {error}") from error
        self._pipeline = pipeline.to("cuda" if torch.cuda.is_available() else "cpu")
        self._one_at_a_time = threading.Lock()

    def paint(self, record: ImageRecord, instruction: str) -> bytes | ReplyError:
        """See `models.painting.Painter`."""
        picture = record.open()
        with self._one_at_a_time:
            try:
                painted = self._pipeline(prompt=instruction, image=picture).images[0]
            except (RuntimeError, ValueError, TypeError) as error:
                return ReplyError("crashed", str(error))
        data = io.BytesIO()
        painted.save(data, "PNG")
        return data.getvalue()
