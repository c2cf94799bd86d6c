"""Tiny, randomly initialised vision-language checkpoints, saved to disk and loaded by the stock Auto classes.

They answer nonsense, but exactly: what packing and stock `generate` make of them must be equal.
"""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from transformers.models.clip import CLIPImageProcessor, CLIPVisionConfig
from transformers.models.idefics3 import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
)
from transformers.models.llama import LlamaConfig
from transformers.models.llava import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
from transformers.models.siglip import SiglipImageProcessor, SiglipVisionConfig

SPECIAL = (
    "<pad>",
    "<bos>",
    "<end_of_utterance>",
    "<unk>",
    "<image>",
    "<fake_token_around_image>",
    "<global-img>",
)
WORDS = """
is there a an no any how many what which colour shape size digit of the object and or in on to not ?
red blue green yellow purple orange circle square triangle star small large left right above below
more fewer than same yes no 0 1 2 3 4 5 6 7 8 9 question answer : user assistant
""".split()  # noqa: SIM905
TEMPLATE = (
    "{{ '<bos>' }}{% for m in messages %}"
    "{% if m['content'] is string %}{{ m['content'] }} {% else %}"
    "{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %} {{ c['text'] }} {% endif %}"
    "{% endfor %}"
    "{% endif %}{% if m['role'] == 'user' %} answer : {% else %}<end_of_utterance>{% endif %}{% endfor %}"
)
IMAGE = 32
PATCH = 8
WIDTH = 32


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word."""
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys((*SPECIAL, *WORDS)))}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<end_of_utterance>",
        unk_token="<unk>",
        additional_special_tokens=["<image>", "<fake_token_around_image>", "<global-img>"],
        padding_side="left",
    )


def _text(words: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(words),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        pad_token_id=words.pad_token_id,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        # Wide weights: a freshly initialised model must not give every question the same answer.
        initializer_range=0.3,
    )


def _vision() -> dict[str, int]:
    return {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": IMAGE,
        "patch_size": PATCH,
    }


def _size() -> dict[str, int]:
    return {"height": IMAGE, "width": IMAGE}


def _save(model: torch.nn.Module, processor: object, words: PreTrainedTokenizerFast, where: Path) -> Path:
    with torch.no_grad():  # the default initialisation of the towers all but ignores the image
        for name, weight in model.named_parameters():
            if weight.ndim >= 2 and ("vision" in name or "connector" in name or "projector" in name):
                weight.normal_(0, 1.2 / weight[0].numel() ** 0.5)
    model.generation_config.eos_token_id = words.eos_token_id
    model.generation_config.pad_token_id = words.pad_token_id
    model.save_pretrained(where)
    processor.save_pretrained(where)
    return where


def idefics3(where: Path, seed: int = 0) -> Path:
    """A tiny Idefics3 checkpoint (16 image tokens) in the folder `where`."""
    torch.manual_seed(seed)
    words = tokenizer()
    config = Idefics3Config(
        text_config=_text(words),
        vision_config=_vision(),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=1,
        pad_token_id=words.pad_token_id,
        tie_word_embeddings=False,
    )
    images = Idefics3ImageProcessor(
        size={"longest_edge": IMAGE}, max_image_size={"longest_edge": IMAGE}, do_image_splitting=False
    )
    processor = Idefics3Processor(images, words, image_seq_len=(IMAGE // PATCH) ** 2, chat_template=TEMPLATE)
    return _save(Idefics3ForConditionalGeneration(config), processor, words, where)


def llava(where: Path, tower: str = "clip", seed: int = 0) -> Path:
    """A tiny LLaVA checkpoint with a CLIP or SigLIP tower (16 image tokens) in the folder `where`."""
    torch.manual_seed(seed)
    words = tokenizer()
    clip = tower == "clip"
    config = LlavaConfig(
        text_config=_text(words),
        vision_config=(CLIPVisionConfig if clip else SiglipVisionConfig)(**_vision()),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy="default" if clip else "full",
        vision_feature_layer=-1,
        tie_word_embeddings=False,
    )
    images = (
        CLIPImageProcessor(size=_size(), crop_size=_size()) if clip else SiglipImageProcessor(size=_size())
    )
    processor = LlavaProcessor(
        images,
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="default" if clip else "full",
        num_additional_image_tokens=1 if clip else 0,
        chat_template=TEMPLATE,
    )
    return _save(LlavaForConditionalGeneration(config), processor, words, where)
