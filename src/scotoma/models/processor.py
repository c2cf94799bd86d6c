"""The stock processor of a checkpoint: tokenizer, image processor and chat template, or an error that says what to do.

Many families come with a *video* processor that needs torchvision. Scotoma shows images only, so without
torchvision the stock processor is built around `NoVideos`; what is saved later is the checkpoint's own configuration
again. Image processors need no torchvision: transformers falls back to Pillow by itself.

    processor = open_processor("Qwen/Qwen2.5-VL-7B-Instruct")
    processor = open_processor("google/paligemma2-3b-pt-448", chat_template="prefix.jinja")
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from typing import Any, NoReturn

import torch
from transformers import AutoConfig, AutoImageProcessor, AutoProcessor, AutoTokenizer, ProcessorMixin
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.video_processing_utils import BaseVideoProcessor

from scotoma.core import ModelError

TEMPLATES = Path(__file__).parent / "templates"
"""Chat templates for families whose checkpoints have none by design: one `MODEL_TYPE.jinja` each."""

_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)
"""What transformers raises for a processor that is not there or not whole."""


class NoVideos(BaseVideoProcessor):  # type: ignore[misc]  # transformers is untyped
    """Stands where a video processor would need torchvision: it knows its configuration, and refuses videos."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self._config = config

    def preprocess(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises ModelError: Scotoma shows images only."""
        raise ModelError("videos need torchvision, which is not installed", hint=torchvision_hint())

    def to_dict(self) -> dict[str, Any]:
        """The configuration that it stands for, so that a saved checkpoint is whole where torchvision is installed."""
        return dict(self._config)


def images_only(stock: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """The processor class `stock`, under its own name, that also takes `NoVideos` for its video processor.

    Without torchvision transformers has no base class to check a video processor against, and so refuses every one.
    """

    class ImagesOnly(stock):  # type: ignore[misc]  # a base that is only known at run time
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            if isinstance(argument, NoVideos):
                return NoVideos
            return super().check_argument_for_proper_class(argument_name, argument)

    ImagesOnly.__name__ = stock.__name__  # what a saved checkpoint calls it
    return ImagesOnly


def open_processor(source: str, chat_template: str | os.PathLike[str] | None = None) -> ProcessorMixin:
    """Load the processor of a folder or Hugging Face id; it pads on the left, as generation needs.

    `chat_template` is a Jinja file that replaces the checkpoint's own. PaliGemma has none: its prompts are a plain
    prefix, which the built-in template writes (images, then the texts of all turns).

    Raises:
        ModelError: no processor for images and text, no chat template, or a library that is not installed.
    """
    try:
        processor: Any = AutoProcessor.from_pretrained(source)
    except ImportError as error:
        processor = _without_videos(source, error)
    except _UNREADABLE as error:
        if "torchvision" not in str(error):
            raise ModelError(f"cannot load the processor of {source}: {_first_line(error)}") from error
        processor = _without_videos(source, error)
    if not hasattr(processor, "image_processor") or not hasattr(processor, "tokenizer"):
        raise ModelError(
            f"{source} has no processor for images and text",
            hint="save it with processor.save_pretrained beside the weights",
        )
    processor.chat_template = _template(source, processor, chat_template)
    processor.tokenizer.padding_side = "left"
    return processor


def torchvision_hint() -> str:
    """The command that installs the torchvision that belongs to the torch that is here.

    torchvision 0.N is built against torch 2.(N - 15), for the same CPU or CUDA (https://pytorch.org/get-started).
    """
    release, _, build = torch.__version__.partition("+")
    major, minor = (int(part) for part in release.split(".")[:2])
    if not build and torch.version.cuda:
        build = "cu" + torch.version.cuda.replace(".", "")
    package = f"'torchvision==0.{minor + 15}.*'" if major == 2 else "torchvision"
    index = f" --index-url https://download.pytorch.org/whl/{build}" if build else ""
    return f"pip install {package}{index}"


def _without_videos(source: str, error: Exception) -> Any:
    """The same stock processor, with `NoVideos` for the part that is missing.

    Raises:
        ModelError: torchvision is here after all, or something else is missing as well.
    """
    config = AutoConfig.from_pretrained(source)
    stock: Any = PROCESSOR_MAPPING.get(type(config), None)
    if stock is None or "video_processor" not in stock.get_attributes() or _installed("torchvision"):
        raise _missing(source, error)
    try:
        settings, _ = stock.get_processor_dict(source)
        video, _ = BaseVideoProcessor.get_video_processor_dict(source)
        parts: dict[str, Any] = {
            "image_processor": AutoImageProcessor.from_pretrained(source),
            "tokenizer": AutoTokenizer.from_pretrained(source),
            "video_processor": NoVideos(video),
        }
        build: Any = images_only(stock).from_args_and_dict
        return build([parts[name] for name in stock.get_attributes()], settings)
    except ImportError as other:
        raise _missing(source, other) from other
    except _UNREADABLE as other:
        raise ModelError(f"cannot load the processor of {source}: {_first_line(other)}") from other


def _missing(source: str, error: Exception) -> ModelError:
    """The error of a processor that needs a library: what it is, and how to install the build that fits."""
    said = str(error)
    if "torchvision" in said.lower():
        library, hint = "torchvision", torchvision_hint()
    elif "num2words" in said:
        library, hint = "num2words", "pip install num2words"
    else:
        library, hint = "a library that is missing", "install the library that it names"
    return ModelError(f"the processor of {source} needs {library}: {_first_line(error)}", hint=hint)


def _template(source: str, processor: Any, chosen: str | os.PathLike[str] | None) -> Any:
    if chosen is not None:
        try:
            return Path(chosen).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ModelError(
                f"cannot read the chat template {os.fspath(chosen)}: {_first_line(error)}",
                hint="give a Jinja file",
            ) from error
    if processor.chat_template is not None:
        return processor.chat_template
    own = TEMPLATES / f"{AutoConfig.from_pretrained(source).model_type}.jinja"
    if own.is_file():
        return own.read_text(encoding="utf-8")
    raise ModelError(
        f"{source} has no chat template",
        hint="a base model has none: give one with chat_template=FILE (Jinja, as in the instruction-tuned sibling), "
        "or add a chat_template.jinja to the checkpoint",
    )


def _installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
