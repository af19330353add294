"""The key-value cache: what a decoder keeps, so that a new token costs one row and not a whole pass.

Here are its parts: positions and masks that know about the past, attention with shared key-value heads, the
cache itself, and the pass and the loop that use it. Sharing memory is the business of `paged_cache`.

Shapes: B sequences, T new tokens, S columns so far with the new ones last, H query heads, K key-value heads,
d width of a head. `real` (B, S) is 1 for tokens and 0 for padding, which stands on the left only. `ids` (B,
T) is int64. A `model` comes in parts: embed(ids) -> x (B, T, D); qkv(layer, x, positions) -> q (B, H, T, d),
k and v (B, K, T, d), q and k turned by their positions; finish(layer, x, attended (B, H, T, d)) -> x;
logits(x) -> (B, T, vocabulary); and the numbers n_layers, n_heads, n_kv_heads, head_dim.
`llmlab.models.parts.Parts` takes a real model apart like this.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def changed_rows(before: Tensor, after: Tensor, tolerance: float = 1e-5) -> list[int]:
    """Which tokens' rows of an activation changed when the text became longer.

    A row is an index of dimension -2. It has changed if any of its numbers, in any sequence or head, differs
    by more than the tolerance. Where `before` has fewer columns (the scores of attention grow to the right),
    they count as 0. Rows that `before` does not have are new, so they are listed too.

    before: (..., T, C) float; after: (..., T', C'), T' >= T, C' >= C. Returns row numbers of `after`.

    >>> before = torch.tensor([[1.0, 0.0], [5.0, 6.0]])
    >>> changed_rows(before, torch.tensor([[1.0, 0.0], [5.0, 7.0], [0.0, 0.0]]))
    [1, 2]
    """
    raise NotImplementedError(
        "Lab 3, task kv_cache.changed_rows: tell which rows of an activation changed when a token was "
        "appended. Read part3/kv-cache.html#sec-changed-rows"
    )


def positions(real: Tensor, new: int) -> Tensor:
    """The position of each of the last `new` columns: how many real tokens stand before it in its row.

    Padding does not count and gets 0. Positions go on where the past ended: the first new token after a past
    of 7 tokens has position 7, whatever is in the cache.

    real: (B, S) of 0 and 1; new: 1 <= new <= S. Returns (B, new) int64.
    Source: `position_ids` in Hugging Face's `generate`.

    >>> positions(torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]), 2)
    tensor([[1, 2],
            [3, 4]])
    """
    raise NotImplementedError(
        "Lab 3, task kv_cache.positions: continue positions where the past ended, without counting "
        "padding. Read part3/kv-cache.html#sec-positions"
    )


def attention_mask(real: Tensor, new: int, window: int | None = None) -> Tensor:
    """Which columns each of the last `new` tokens may see: True where it may.

    The query of column i sees column j if j <= i, column j is a real token, and, with a window, i - j <
    window: a window of 1 shows only the token itself. A query always sees its own column, also where that is
    padding, so that no row of the softmax is empty.

    real: (B, S) of 0 and 1; new: 1 <= new <= S; window: None or >= 1. Returns (B, new, S) bool.
    Raises ValueError, naming the window, below 1.
    Source: Vaswani et al. 2017, section 3.2.3; the window as in Jiang et al. 2023, "Mistral 7B", section 2.

    >>> attention_mask(torch.tensor([[0, 1, 1, 1]]), 2).int()
    tensor([[[0, 1, 1, 0],
             [0, 1, 1, 1]]], dtype=torch.int32)
    """
    raise NotImplementedError(
        "Lab 3, task kv_cache.attention_mask: mask the future, the padding, and what lies before the "
        "window. Read part3/kv-cache.html#sec-attention-mask"
    )


def attention(q: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Scaled dot-product attention of T queries over S columns, with H query heads on K key-value heads.

    softmax(q k^T / sqrt(d)) v, over the columns that the mask allows. Query head h reads key-value head
    h // (H / K): neighbours share. K = H is multi-head, K = 1 multi-query attention.

    q: (B, H, T, d) float; keys, values: (B, K, S, d), H a multiple of K; mask: (B, T, S) bool, a True in
    every row.
    Returns (B, H, T, d), same dtype. Large scores must not overflow.
    Source: Vaswani et al. 2017, equation 1; Ainslie et al. 2023, "GQA", section 2.2.

    >>> q, keys = torch.zeros(1, 2, 1, 4), torch.zeros(1, 1, 2, 4)
    >>> values = torch.tensor([[[[1.0, 1, 1, 1], [3, 3, 3, 3]]]])
    >>> attention(q, keys, values, torch.ones(1, 1, 2, dtype=torch.bool))[0, :, 0, 0]
    tensor([2., 2.])
    """
    raise NotImplementedError(
        "Lab 3, task kv_cache.attention: attend with H query heads over K cached key-value heads. Read "
        "part3/kv-cache.html#sec-attention"
    )


class KVCache:
    """Keys and values of all tokens so far, for every layer, in memory reserved ahead.

    The first append to a layer decides B, K, d and the dtype, and reserves room for `capacity` tokens. When
    the room is used up, it at least doubles, so that n tokens cost fewer than 2n copies, not n^2 / 2.
    Raises ValueError, naming the value, for n_layers or capacity below 1, and in every method for a layer not
    in 0..n_layers - 1. In the worked example: one layer, one sequence, one head of width 2.

    >>> cache = KVCache(1, capacity=2)
    >>> for token in (1.0, 2.0, 3.0):
    ...     keys, values = cache.append(0, torch.full((1, 1, 1, 2), token), torch.zeros(1, 1, 1, 2))
    >>> keys[0, 0, :, 0], cache.length(), cache.capacity(), cache.nbytes()
    (tensor([1., 2., 3.]), 3, 4, 64)
    >>> cache.truncate(1)
    >>> cache.append(0, torch.full((1, 1, 1, 2), 9.0), torch.zeros(1, 1, 1, 2))[0][0, 0, :, 0]
    tensor([1., 9.])
    """

    def __init__(self, n_layers: int, capacity: int = 16) -> None:
        raise NotImplementedError(
            "Lab 3, task kv_cache.KVCache: keep keys and values of all layers: append, view, grow, "
            "truncate. Read part3/kv-cache.html#sec-cache-class"
        )

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add T tokens to a layer: keys and values (B, K, T, d). Returns the layer's `view`, the new tokens
        included.

        The given tensors are copied. Raises ValueError, naming the shape, if keys and values differ in shape,
        or if B, K or d are not those of the layer's earlier tokens.
        """
        raise NotImplementedError(
            "Lab 3, task kv_cache.KVCache: keep keys and values of all layers: append, view, grow, "
            "truncate. Read part3/kv-cache.html#sec-cache-class"
        )

    def view(self, layer: int) -> tuple[Tensor, Tensor]:
        """Keys and values (B, K, S, d) of a layer's S tokens: windows into the memory, true until it changes.

        Raises ValueError, naming the layer, if nothing was ever appended to it.
        """
        raise NotImplementedError(
            "Lab 3, task kv_cache.KVCache: keep keys and values of all layers: append, view, grow, "
            "truncate. Read part3/kv-cache.html#sec-cache-class"
        )

    def length(self, layer: int = 0) -> int:
        """How many tokens of each sequence this layer holds, padding included: where its next token goes."""
        raise NotImplementedError(
            "Lab 3, task kv_cache.KVCache: keep keys and values of all layers: append, view, grow, "
            "truncate. Read part3/kv-cache.html#sec-cache-class"
        )

    def capacity(self, layer: int = 0) -> int:
        """For how many tokens of each sequence this layer has memory now; 0 before its first append."""
        raise NotImplementedError(
            "Lab 3, task kv_cache.KVCache: keep keys and values of all layers: append, view, grow, "
            "truncate. Read part3/kv-cache.html#sec-cache-class"
        )

    def nbytes(self) -> int:
        """Bytes reserved for keys and values, all layers together, used or not."""
        raise NotImplementedError(
            "Lab 3, task kv_cache.KVCache: keep keys and values of all layers: append, view, grow, "
            "truncate. Read part3/kv-cache.html#sec-cache-class"
        )

    def truncate(self, length: int) -> None:
        """Keep the first `length` tokens of every layer and forget the rest, as speculative decoding must.

        The next append goes on from there. Memory stays reserved. Raises ValueError, naming the length, if it
        is negative or more than the cache holds.
        """
        raise NotImplementedError(
            "Lab 3, task kv_cache.KVCache: keep keys and values of all layers: append, view, grow, "
            "truncate. Read part3/kv-cache.html#sec-cache-class"
        )


class WindowCache:
    """A cache for attention with a sliding window: it keeps window - 1 tokens a layer, and never more.

    A query sees itself and the window - 1 tokens before it. So, when the next token comes, that many are
    still needed, and older ones never again. They cannot come back, so there is no truncate.
    Raises ValueError, naming the value, for n_layers or window below 1.

    >>> cache = WindowCache(1, window=3)
    >>> for token in (1.0, 2.0, 3.0, 4.0):
    ...     keys, values = cache.append(0, torch.full((1, 1, 1, 2), token), torch.zeros(1, 1, 1, 2))
    >>> keys[0, 0, :, 0], cache.length(), cache.nbytes()
    (tensor([2., 3., 4.]), 4, 32)
    """

    def __init__(self, n_layers: int, window: int) -> None:
        raise NotImplementedError(
            "Lab 3, task kv_cache.WindowCache: keep only what a sliding window can still see. Read "
            "part3/kv-cache.html#sec-window-cache"
        )

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add T tokens to a layer: keys and values (B, K, T, d). Returns the kept ones and then the new ones.

        These are at most window - 1 + T columns: all that the T new queries may see. Afterwards only the last
        window - 1 are kept, as copies: a slice would hold on to the memory of all the others.
        """
        raise NotImplementedError(
            "Lab 3, task kv_cache.WindowCache: keep only what a sliding window can still see. Read "
            "part3/kv-cache.html#sec-window-cache"
        )

    def length(self, layer: int = 0) -> int:
        """How many tokens this layer has seen, forgotten ones included: the next token's position."""
        raise NotImplementedError(
            "Lab 3, task kv_cache.WindowCache: keep only what a sliding window can still see. Read "
            "part3/kv-cache.html#sec-window-cache"
        )

    def nbytes(self) -> int:
        """Bytes of the keys and values kept between two appends, all layers together."""
        raise NotImplementedError(
            "Lab 3, task kv_cache.WindowCache: keep only what a sliding window can still see. Read "
            "part3/kv-cache.html#sec-window-cache"
        )


def forward(model, cache, ids: Tensor, real: Tensor | None = None, window: int | None = None) -> Tensor:
    """Run T new tokens through the model, with the past from the cache, which then holds them too.

    Each layer: q, k, v of the new tokens only, at positions that go on from the past; k and v into the cache;
    then attention of the new queries over what `append` returns, which may be fewer columns than `real` has
    (WindowCache). Passes of P tokens, of one, or of anything between give the same result to rounding.

    cache: append(layer, keys, values) and length(), as above; ids: (B, T); real: (B, cache.length() + T),
    past and new, None if there is no padding. Returns x (B, T, D) after the last layer; logits are made of it
    by `model.logits`. Raises ValueError, naming its shape, if real does not fit.

    >>> from llmlab.models.parts import Parts
    >>> model, ids = Parts("draft"), torch.tensor([[5, 6, 7, 8]])
    >>> cache, whole = KVCache(2), forward(model, KVCache(2), ids)
    >>> parts = [forward(model, cache, ids[:, :3]), forward(model, cache, ids[:, 3:])]
    >>> torch.allclose(torch.cat(parts, 1), whole, atol=1e-4)
    True
    """
    raise NotImplementedError(
        "Lab 3, task kv_cache.forward: run only the new tokens through the model, with the past from the "
        "cache. Read part3/incremental.html#sec-forward"
    )


def prefill(model, cache, ids: Tensor, chunk: int, real: Tensor | None = None,
            window: int | None = None) -> Tensor:
    """Put a prompt into the cache, `chunk` tokens a pass, and return the logits for the first new token.

    The last pass may be shorter. Only the last row needs logits: the output matrix may be the largest of all.

    ids: (B, P), behind what the cache holds; chunk: >= 1; real: (B, past + P), and window, as in forward.
    Returns (B, vocabulary). Raises ValueError, naming the chunk, below 1.
    Source: Agrawal et al. 2023, "SARATHI": chunked prefills.

    >>> from llmlab.models.parts import Parts
    >>> prefill(Parts("draft"), KVCache(2), torch.tensor([[5, 6, 7, 8, 9]]), chunk=2).shape
    torch.Size([1, 2048])
    """
    raise NotImplementedError(
        "Lab 3, task kv_cache.prefill: put a prompt into the cache in chunks. Read "
        "part3/incremental.html#sec-chunked-prefill"
    )


def generate(model, cache, ids: Tensor, max_new_tokens: int, real: Tensor | None = None) -> Tensor:
    """Continue prompts greedily with the cache: the prompt in one pass, then one row a step.

    The last new token is returned but never fed: nobody asks what follows it. So P + n - 1 columns go through
    the model for n new tokens, and the cache holds that many in the end.

    ids: (B, P), padded on the left; cache: empty; max_new_tokens: n >= 1; real: (B, P), None: no padding.
    Returns the new tokens (B, n) int64. Raises ValueError, naming it, for max_new_tokens below 1.

    >>> from llmlab.models.parts import Parts
    >>> model, cache = Parts("draft"), KVCache(2)
    >>> generate(model, cache, torch.tensor([[5, 6, 7, 8]]), 3).shape, cache.length(), model.rows
    (torch.Size([1, 3]), 6, 6)
    """
    raise NotImplementedError(
        "Lab 3, task kv_cache.generate: continue prompts with the cache, one row a step. Read "
        "part3/incremental.html#sec-generate-cached"
    )
