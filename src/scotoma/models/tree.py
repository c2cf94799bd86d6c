"""One row per image: image → questions → completions, packed as a tree under a 4-D attention mask.

The image is encoded once and each question is read once; every token sees exactly its ancestors, so nothing
changes but the cost (Prefix Grouper, arXiv 2506.05433, does this for one level; two levels and the sharing of
equal completions are ours). Written against generic transformers interfaces: image features, input
embeddings, attention mask, position ids. Sampling from such trees is in `scotoma.models.growth`.

    trees = [Tree(prefix=image_tokens, branches=(Branch(question, leaves=(answer_a, answer_b)),))]
    packed = pack(trees, pad_id=0)
    log_probs(model, family, packed, pixels)  # one per token of every leaf, differentiable
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scotoma.core import BudgetError, ModelError
from scotoma.models.families import Family, Pixels, unwrapped

_NOWHERE = -1
"""Branch or leaf number of a token that belongs to none."""


@dataclass(frozen=True)
class Branch:
    """What follows the prefix for one prompt, and its completions (`leaves`), each of at least one token."""

    tokens: tuple[int, ...]
    leaves: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class Tree:
    """One image: `prefix` holds its placeholders, expanded, and whatever else the branches have in common."""

    prefix: tuple[int, ...]
    branches: tuple[Branch, ...]


@dataclass(frozen=True)
class Packed:
    """Trees laid out as the rows of a batch: B rows of L columns, N leaf tokens, U places that predict one.

    Branches and leaves are numbered through the whole batch, in order. Leaf tokens are flat, leaf after leaf.
    A leaf's last token predicts nothing and is not fed; leaves of a branch that agree up to it share columns.
    """

    input_ids: Tensor
    """(B, L) token ids, padded on the right."""
    position_ids: Tensor
    """(B, L) depth in the tree."""
    mask: Tensor
    """(B, 1, L, L) bool: row token i may see column j. Padding sees itself only."""
    branch_rows: Tensor
    """(branches,) the row of each branch."""
    branch_columns: Tensor
    """(branches,) where its last token is (the prefix's last if the branch is empty)."""
    tokens: Tensor
    """(N,) the leaf tokens."""
    token_leaf: Tensor
    """(N,) the leaf of each leaf token."""
    token_branch: Tensor
    """(N,) the branch of each leaf token."""
    token_place: Tensor
    """(N,) index into `places` of the position whose logits predict the token."""
    places: Tensor
    """(U,) the distinct predicting positions, as row * L + column."""
    leaves: int
    """How many leaves there are."""

    @property
    def rows(self) -> Tensor:
        """(N,) the row of the position whose logits predict each leaf token."""
        return self.places[self.token_place] // self.input_ids.shape[1]

    @property
    def columns(self) -> Tensor:
        """(N,) the column of the position whose logits predict each leaf token."""
        return self.places[self.token_place] % self.input_ids.shape[1]

    @property
    def widths(self) -> Tensor:
        """(B,) how many columns of each row are no padding: those that see the prefix's first token."""
        return self.mask[:, 0, :, 0].sum(-1)

    def to(self, device: torch.device | str) -> Packed:
        """The same on another device."""
        moved: dict[str, Any] = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)


class _Row:
    """The columns of one row while it is laid out: tokens with their depth, branch and segment."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.positions: list[int] = []
        self.branches: list[int] = []
        self.segments: list[int] = []

    def add(self, tokens: Sequence[int], start: int, branch: int, segment: int) -> int:
        """Append tokens at depth `start`; returns the column of the first."""
        column = len(self.tokens)
        self.tokens.extend(tokens)
        self.positions.extend(range(start, start + len(tokens)))
        self.branches.extend([branch] * len(tokens))
        self.segments.extend([segment] * len(tokens))
        return column


def pack(trees: Sequence[Tree], pad_id: int, device: torch.device | str = "cpu") -> Packed:
    """Lay trees out as rows, one tree a row.

    Raises:
        ValueError: a tree without prefix, or a leaf without tokens.
    """
    rows = [_Row() for _ in trees]
    ends: list[tuple[int, int]] = []
    tokens: list[int] = []
    token_leaf: list[int] = []
    token_branch: list[int] = []
    token_at: list[tuple[int, int]] = []
    leaves = segments = 0
    for number, (tree, row) in enumerate(zip(trees, rows, strict=True)):
        if not tree.prefix:
            raise ValueError("a tree needs a prefix of at least one token")
        row.add(tree.prefix, 0, _NOWHERE, _NOWHERE)
        for branch in tree.branches:
            name = len(ends)
            row.add(branch.tokens, len(tree.prefix), name, _NOWHERE)
            end = len(row.tokens) - 1 if branch.tokens else len(tree.prefix) - 1
            ends.append((number, end))
            depth = len(tree.prefix) + len(branch.tokens)
            shared: dict[tuple[int, ...], int] = {}
            for leaf in branch.leaves:
                if not leaf:
                    raise ValueError("a leaf needs at least one token")
                fed = leaf[:-1]
                if fed not in shared:
                    shared[fed] = row.add(fed, depth, name, segments)
                    segments += 1
                tokens.extend(leaf)
                token_leaf.extend([leaves] * len(leaf))
                token_branch.extend([name] * len(leaf))
                token_at.append((number, end))
                token_at.extend((number, shared[fed] + i) for i in range(len(fed)))
                leaves += 1
    length = max((len(row.tokens) for row in rows), default=0)

    def table(columns: list[list[int]], fill: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        out = np.full((len(columns), length), fill, dtype=np.int64)
        for i, values in enumerate(columns):
            out[i, : len(values)] = values
        return out

    branch_ids = torch.from_numpy(table([row.branches for row in rows], _NOWHERE)).to(device)
    segment_ids = torch.from_numpy(table([row.segments for row in rows], _NOWHERE)).to(device)
    widths = torch.tensor([len(row.tokens) for row in rows], dtype=torch.long, device=device)
    at = np.asarray(token_at, dtype=np.int64).reshape(-1, 2)
    places, token_place = np.unique(at[:, 0] * length + at[:, 1], return_inverse=True)
    branch_ends = torch.tensor(ends, dtype=torch.long, device=device).reshape(-1, 2)

    def flat(values: Any) -> Tensor:
        return torch.as_tensor(np.asarray(values, dtype=np.int64), device=device)

    return Packed(
        input_ids=torch.from_numpy(table([row.tokens for row in rows], pad_id)).to(device),
        position_ids=torch.from_numpy(table([row.positions for row in rows], 0)).to(device),
        mask=_ancestors(branch_ids, segment_ids, widths),
        branch_rows=branch_ends[:, 0],
        branch_columns=branch_ends[:, 1],
        tokens=flat(tokens),
        token_leaf=flat(token_leaf),
        token_branch=flat(token_branch),
        token_place=flat(token_place.reshape(-1)),
        places=flat(places),
        leaves=leaves,
    )


def _ancestors(branches: Tensor, segments: Tensor, widths: Tensor) -> Tensor:
    """(B, 1, L, L): whether column j lies on the path from the root to i (or is i itself)."""
    length = branches.shape[1]
    steps = torch.arange(length, device=branches.device)
    own_branch = (branches[:, None, :] == _NOWHERE) | (branches[:, None, :] == branches[:, :, None])
    own_leaf = (segments[:, None, :] == _NOWHERE) | (segments[:, None, :] == segments[:, :, None])
    real = steps[None, :] < widths[:, None]
    seen = own_branch & own_leaf & (steps[None, :] <= steps[:, None]) & real[:, :, None]
    return (seen | torch.eye(length, dtype=torch.bool, device=branches.device))[:, None]


Images = Pixels | Tensor | None
"""The images of the rows, in order: the processor's tensors, or ready features (image tokens, h), or none."""


def embeddings(model: nn.Module, family: Family, input_ids: Tensor, images: Images) -> Tensor:
    """(B, L, h): token embeddings with the image features in the place of the placeholders.

    Raises:
        BudgetError: the images give another number of features than there are placeholders.
    """
    embedded: Tensor = unwrapped(model).get_input_embeddings()(input_ids)
    if images is None:
        return embedded
    features = images if isinstance(images, Tensor) else family.image_features(model, images)
    placeholders = input_ids == family.image_token_id(model)
    check_features(features, int(placeholders.sum()))
    return embedded.masked_scatter(placeholders[..., None], features.to(embedded.dtype))


def check_features(features: Tensor, placeholders: int) -> None:
    """Whether every placeholder gets its feature.

    Raises:
        BudgetError: there are more or fewer features than placeholders.
    """
    if len(features) != placeholders:
        raise BudgetError(
            f"the prompts hold {placeholders} image tokens but the images give {len(features)} features",
            hint="the processor's image size, patch size and image_seq_len must match the model's",
        )


def attention_mask(model: nn.Module, seen: Tensor, dtype: torch.dtype) -> Tensor:
    """Turn a boolean (B, 1, Q, K) mask into what the model's attention takes: additive, 0 where seen.

    Raises:
        ModelError: the model was loaded with an attention that takes no 4-D mask.
    """
    implementation = unwrapped(model).config.get_text_config()._attn_implementation
    if implementation not in ("sdpa", "eager"):
        raise ModelError(
            f"attention {implementation!r} cannot read a tree's mask",
            hint='load it with attn_implementation="sdpa"',
        )
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(
        ~seen, torch.finfo(dtype).min
    )


def hidden_states(
    model: nn.Module, family: Family, packed: Packed, images: Images, cache: Any = None
) -> Tensor:
    """(B, L, h): the decoder's last hidden states; `cache` (a transformers `Cache`) is filled when given."""
    embedded = embeddings(model, family, packed.input_ids, images)
    return decoded(family.language_model(model), model, packed, embedded, cache)


def decoded(
    decoder: nn.Module, model: nn.Module, packed: Packed, states: Tensor, cache: Any = None
) -> Tensor:
    """(B, L, h): what a decoder of the model, or a part of one, makes of the states (B, L, h) that go into it."""
    output = decoder(
        inputs_embeds=states,
        attention_mask=attention_mask(model, packed.mask, states.dtype),
        position_ids=packed.position_ids,
        past_key_values=cache,
        use_cache=cache is not None,
    )
    found: Tensor = output.last_hidden_state
    return found


def leaf_logits(model: nn.Module, family: Family, packed: Packed, images: Images) -> Tensor:
    """(U, vocabulary) float32 logits at `packed.places` only; row `token_place[i]` predicts leaf token i."""
    states = hidden_states(model, family, packed, images).flatten(0, 1)[packed.places]
    logits: Tensor = family.lm_head(model)(states)
    return logits.float()


def log_probs(
    model: nn.Module,
    family: Family,
    packed: Packed,
    images: Images,
    temperature: float = 1.0,
) -> Tensor:
    """(N,) log softmax(logits / temperature) of every leaf token given its path; differentiable."""
    table = torch.log_softmax(leaf_logits(model, family, packed, images) / temperature, dim=-1)
    return table[packed.token_place, packed.tokens]
