"""Prompts are encoded as the stock processor encodes them, and questions about one image share its tree."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest
import torch

from scotoma.core import ImageRecord, ModelError, ReplyError, Request, Turn
from scotoma.models.checkpoint import Checkpoint
from scotoma.models.prompts import Encoded, PromptEncoder, image_trees, stack
from tests.models import plain
from tests.models.conftest import picture, question, requests

HISTORY = (Turn("user", "is there a star ?"), Turn("assistant", "no"))


@pytest.mark.parametrize("images", [0, 1, 2])
@pytest.mark.parametrize("history", [(), HISTORY], ids=["fresh", "continued"])
def test_prompts_are_those_of_the_stock_processor(
    checkpoint: Checkpoint, images: int, history: tuple[Turn, ...]
) -> None:
    encoder = PromptEncoder(checkpoint.processor)
    asked = [
        Request(tuple(picture(7 * q + i) for i in range(images)), question(q), history) for q in range(10)
    ]
    for request, encoded in zip(asked, encoder.encode(asked), strict=True):
        stock = plain.inputs(checkpoint, request)
        assert isinstance(encoded, Encoded)
        assert list(encoded.ids) == stock["input_ids"][0].tolist()
        assert encoded.ids[: encoded.image_end].count(encoder.image_token_id) == images * 16
        assert encoder.image_token_id not in encoded.ids[encoded.image_end :]
        for key, tensor in (stack(encoded.pixels) or {}).items():
            assert torch.equal(tensor.flatten(), stock[key].flatten())


def test_an_image_is_processed_once(idefics3: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    processed = []
    real = ImageRecord.open
    monkeypatch.setattr(ImageRecord, "open", lambda record: processed.append(record.id) or real(record))
    encoder = PromptEncoder(idefics3.processor, images_kept=2)
    encoder.encode(requests(2, 5))
    encoder.encode(requests(2, 5))
    assert processed == [request.images[0].id for request in requests(2, 1)]
    encoder.encode(requests(3, 1))  # a third image: the one used least recently goes
    encoder.encode(requests(1, 1))
    assert len(processed) == 4


def test_what_cannot_be_encoded_is_named_and_harms_nobody(idefics3: Checkpoint) -> None:
    good = requests(1, 1)[0]
    broken = Request((ImageRecord(id="0" * 64, source="test", data=b"no image"),), "is there a star ?")
    injected = replace(good, text="what is <image> ?")
    first, bad, placeholder, last = PromptEncoder(idefics3.processor).encode([good, broken, injected, good])
    assert isinstance(first, Encoded)
    assert first == last
    assert isinstance(bad, ReplyError)
    assert bad.kind == "bad_image"
    assert "not an image that can be read" in bad.message
    assert isinstance(placeholder, ReplyError)
    assert placeholder.kind == "unparsable"
    assert "<image>" in placeholder.message


def test_a_template_that_fails_is_the_checkpoints_fault(idefics3: Checkpoint) -> None:
    template = idefics3.processor.chat_template
    idefics3.processor.chat_template = "{{ raise_exception('no system turns') }}"
    try:
        with pytest.raises(ModelError, match="chat template failed: no system turns"):
            PromptEncoder(idefics3.processor).encode(requests(1, 1))
    finally:
        idefics3.processor.chat_template = template


def _encode(checkpoint: Checkpoint, asked: list[Request]) -> list[Encoded]:
    return [e for e in PromptEncoder(checkpoint.processor).encode(asked) if isinstance(e, Encoded)]


def test_a_tree_is_an_image_and_its_branches_are_the_prompts(idefics3: Checkpoint) -> None:
    asked = requests(3, 4)
    encoded = _encode(idefics3, asked[::2] + asked[1::2])  # in mixed order
    trees = image_trees(encoded)
    assert len(trees) == 3
    for tree in trees:
        assert tree.tree.prefix.count(4) == 16
        for branch, members in zip(tree.tree.branches, tree.members, strict=True):
            assert 4 not in branch.tokens
            for member in members:
                assert encoded[member].ids == tree.tree.prefix + branch.tokens
                assert encoded[member].images == tree.images
    assert sorted(chain(*(chain(*tree.members) for tree in trees))) == list(range(12))


def test_equal_prompts_share_a_branch(idefics3: Checkpoint) -> None:
    one, other = requests(1, 2)
    (tree,) = image_trees(_encode(idefics3, [one, other, one]))
    assert tree.members == ((0, 2), (1,))


def test_leaves_stand_in_the_order_of_the_prompts_that_a_branch_asks(idefics3: Checkpoint) -> None:
    one, other = requests(1, 2)
    (bare,) = image_trees(_encode(idefics3, [one, other, one]))
    leafy = bare.with_leaves([(7,), (8, 2), (9,)])
    assert [branch.leaves for branch in leafy.tree.branches] == [((7,), (9,)), ((8, 2),)]
    assert [branch.leaves for branch in bare.tree.branches] == [(), ()]
    assert replace(leafy, tree=bare.tree) == bare


def test_the_prefix_is_as_long_as_it_can_be(idefics3: Checkpoint) -> None:
    image = picture(0)
    texts = ("is there a red star ?", "is there a red circle ?", "is there a small star ?")
    (tree,) = image_trees(_encode(idefics3, [Request((image,), text) for text in texts]))
    shared = idefics3.processor.tokenizer.convert_ids_to_tokens(list(tree.tree.prefix[-3:]))
    assert shared == ["is", "there", "a"]


def test_texts_that_differ_before_the_image_get_trees_of_their_own(idefics3: Checkpoint) -> None:
    image = picture(0)
    asked = [Request((image,), "is there a star ?", (Turn("system", text),)) for text in ("red", "blue")]
    assert len(image_trees(_encode(idefics3, asked))) == 2


def test_rows_are_cut_at_their_budget(idefics3: Checkpoint) -> None:
    encoded = _encode(idefics3, requests(1, 12))
    trees = image_trees(encoded, row_tokens=30)
    assert len(trees) > 2
    for tree in trees:
        sizes = [len(branch.tokens) for branch in tree.tree.branches]
        assert sum(sizes) <= 30 or len(sizes) == 1
    assert list(chain(*(chain(*tree.members) for tree in trees))) == list(range(12))


def test_images_of_several_tile_counts_stack_with_padding_tiles() -> None:
    one, two = {"pixel_values": torch.ones(1, 1, 3, 4, 4)}, {"pixel_values": 2 * torch.ones(1, 2, 3, 4, 4)}
    stacked = (stack([one, two]) or {})["pixel_values"]
    assert stacked.shape == (2, 2, 3, 4, 4)
    assert stacked[:, :, 0, 0, 0].tolist() == [[1, 0], [2, 2]]
    assert stack([]) is None
