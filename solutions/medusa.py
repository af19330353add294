"""Medusa: heads on the target draft a tree of candidates, and one pass of the target checks all of it.

Here are its parts: the heads and their loss, the tree with its mask, one pass over a tree, the choice of the
best path, and the loop. At the end stands the rule of acceptance that makes Medusa lossy. How the heads were
trained is the business of `llmlab.models.train.medusa`.

Shapes: one sequence. n heads, D width of the stream, V vocabulary. `x` (1, T, D) is the stream after the last
layer. A `model` comes in parts, as in Lab 3: embed(ids (1, T)) -> x; qkv(layer, x, positions (1, T)) -> q
(1, H, T, d), k and v (1, K, T, d); finish(layer, x, attended (1, H, T, d)) -> x; logits(x) -> (1, T, V); and
n_layers. A `cache` has append(layer, k, v) -> all keys and values (1, K, S, d); length(); and keep(columns),
which forgets all others (`llmlab.models.medusa.ColumnCache`).
A tree has N nodes: `tokens` (N,) int64, and `parents`, the number of each node's parent. Node 0 is the root,
its parent is -1, and a parent stands before its children.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def head_logits(model, heads: Tensor, x: Tensor) -> Tensor:
    """What each head says at each position: a residual block, then the target's own last norm and output.

    Head W: model.logits(x + silu(W x)), where W multiplies each position's vector. Every head reads x itself.

    heads: (n, D, D) float; x: (1, T, D). Returns (n, T, V).
    Source: Cai et al. 2024, "Medusa", section 2.1.1; there each head has an output matrix of its own.

    >>> from llmlab.models.parts import Parts
    >>> model = Parts("draft")
    >>> x = model.embed(torch.tensor([[5, 6, 7]]))
    >>> said = head_logits(model, torch.zeros(2, model.width, model.width), x)
    >>> said.shape, torch.equal(said[1], model.logits(x)[0])  # a head of zeros says what the model says
    (torch.Size([2, 3, 2048]), True)
    """
    ### BEGIN SOLUTION
    return torch.cat([model.logits(x + F.silu(x @ weight.T)) for weight in heads])
    ### END SOLUTION


def head_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """The mean cross-entropy of each head in nats, over the positions whose token is known.

    At position t the model itself predicts token t + 1. So head 0 predicts token t + 2, and head k token
    t + 2 + k. The last positions have no such token and do not count.

    logits: (n, T, V) of the n heads; ids: (T,) int64, the text at the same positions. Returns (n,).
    Raises ValueError, naming T, if T < n + 2: a head would have nothing to predict.
    Source: Cai et al. 2024, section 2.2.1, before the heads' losses are weighted and added.

    >>> logits = torch.zeros(1, 4, 3)
    >>> logits[0, 0, 2] = logits[0, 1, 1] = 100.0   # "after token 0 comes ?, 2", "after token 1 comes ?, 1"
    >>> head_loss(logits, torch.tensor([0, 0, 2, 1]))
    tensor([0.])
    """
    ### BEGIN SOLUTION
    n, length = logits.shape[:2]
    if length < n + 2:
        raise ValueError(f"{length} tokens are too few: {n} heads look {n + 1} places ahead")
    losses = [F.cross_entropy(logits[k, : length - 2 - k], ids[2 + k:]) for k in range(n)]
    return torch.stack(losses)
    ### END SOLUTION


def candidate_tree(first: int, logits: Tensor, tops: Sequence[int]) -> tuple[Tensor, list[int]]:
    """The tree of candidates: the root, below it the best tokens of head 0, below each of them those of head 1.

    Depth k + 1 has the tops[k] most likely tokens of head k under every node of depth k. Nodes are numbered
    depth by depth; within a depth in the order of their parents, and below one parent the likelier token
    first.

    first: the root's token; logits: (n, V) of the n heads at one position; tops: at most n numbers >= 1.
    Returns tokens (N,) int64 and the N parents. Raises ValueError, naming the number, for a top below 1, and
    naming how many there are, for more tops than heads.
    Source: Cai et al. 2024, section 2.1.2.

    >>> logits = torch.tensor([[0.0, 3.0, 0.0, 2.0], [9.0, 0.0, 0.0, 0.0]])
    >>> candidate_tree(2, logits, (2, 1))
    (tensor([2, 1, 3, 0, 0]), [-1, 0, 0, 1, 2])
    """
    ### BEGIN SOLUTION
    if len(tops) > len(logits):
        raise ValueError(f"{len(tops)} tops for {len(logits)} heads: give at most one each")
    tokens, parents, depth = [first], [-1], [0]
    for row, top in zip(logits, tops):
        if top < 1:
            raise ValueError(f"a head gives at least 1 candidate, got {top}")
        best, start = row.topk(top).indices.tolist(), len(tokens)
        parents += [node for node in depth for _ in best]
        tokens += best * len(depth)
        depth = list(range(start, len(tokens)))
    return torch.tensor(tokens), parents
    ### END SOLUTION


def tree_mask(parents: Sequence[int]) -> Tensor:
    """Which nodes each node may see: itself and its ancestors, and nobody else.

    Returns (N, N) bool: row i, column j is True where node i sees node j. A row has one True more than the
    node's depth.
    Source: Miao et al. 2023, "SpecInfer", section 4.2; Cai et al. 2024, figure 2.

    >>> tree_mask([-1, 0, 0, 2]).int()
    tensor([[1, 0, 0, 0],
            [1, 1, 0, 0],
            [1, 0, 1, 0],
            [1, 0, 1, 1]], dtype=torch.int32)
    """
    ### BEGIN SOLUTION
    mask = torch.eye(len(parents), dtype=torch.bool)
    for node, parent in enumerate(parents):
        if parent >= 0:
            mask[node] |= mask[parent]
    return mask
    ### END SOLUTION


def tree_pass(model, cache, tokens: Tensor, parents: Sequence[int]) -> Tensor:
    """Run a tree through the model in one pass, behind what the cache holds, which then holds its N nodes too.

    A node sees every column of the past, and of the tree what `tree_mask` allows. Its position is the past's
    length plus its depth: two nodes of one depth stand in the same place of two different texts. So each
    node's row is what it would be if its path alone followed the past.

    tokens: (N,); parents: N numbers. Returns x (1, N, D) after the last layer.

    >>> from llmlab.models.medusa import ColumnCache
    >>> from llmlab.models.parts import Parts
    >>> model = Parts("draft")
    >>> x = tree_pass(model, ColumnCache(2), torch.tensor([5, 6, 7, 8]), [-1, 0, 0, 2])
    >>> alone = tree_pass(model, ColumnCache(2), torch.tensor([5, 7, 8]), [-1, 0, 1])
    >>> torch.allclose(x[:, [0, 2, 3]], alone, atol=1e-4)
    True
    """
    ### BEGIN SOLUTION
    past, tree = cache.length(), tree_mask(parents)
    where = past + tree.sum(1)[None] - 1  # (1, N)
    mask = torch.cat([torch.ones(len(tokens), past, dtype=torch.bool), tree], 1)  # (N, past + N)
    x = model.embed(tokens[None])
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        k, v = cache.append(layer, k, v)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=True)
        x = model.finish(layer, x, attended)
    return x
    ### END SOLUTION


def best_path(tokens: Tensor, parents: Sequence[int], next_tokens: Tensor) -> list[int]:
    """The nodes, from the root down, that greedy decoding would have chosen.

    A child is accepted if its token is the target's choice after its parent, and its parent is accepted.
    The root always is. Siblings have different tokens, so at most one of them is accepted.

    next_tokens: (N,) int64, the target's choice after each node. Returns node numbers, [0, ...].

    >>> best_path(torch.tensor([2, 1, 3, 0, 4]), [-1, 0, 0, 1, 2], torch.tensor([3, 0, 4, 9, 7]))
    [0, 2, 4]
    """
    ### BEGIN SOLUTION
    path = [0]
    for node in range(1, len(parents)):  # a parent stands before its children
        if parents[node] == path[-1] and tokens[node] == next_tokens[path[-1]]:
            path.append(node)
    return path
    ### END SOLUTION


def generate(model, cache, heads: Tensor, ids: Tensor, max_new_tokens: int,
             tops: Sequence[int]) -> tuple[list[int], list[int]]:
    """Continue a prompt greedily, several tokens a pass: the text is that of plain greedy decoding.

    The prompt goes through the model in one pass: it is a tree without branches. Its last row gives the first
    new token, the root of a tree, and the heads' candidates below it. After the pass over the tree:
    - the path's tokens below the root are accepted, and the target's choice after the path's last node is
      one more (the bonus). It is the root of the next tree, and the heads read the row of the path's last
      node, where it was chosen;
    - the cache keeps the past and the path's nodes, in order, and forgets the others.
    Goes on until there are n tokens, and drops what is beyond.

    cache: empty; ids: (P,) int64; max_new_tokens: n >= 1; tops: see candidate_tree.
    Returns the n new tokens, and how many each pass over a tree gave (at least 1, at most len(tops) + 1).
    Raises ValueError, naming it, for max_new_tokens below 1.

    >>> from llmlab.models.medusa import ColumnCache
    >>> from llmlab.models.parts import Parts
    >>> model, heads = Parts("draft"), torch.zeros(1, 96, 96)
    >>> new, sizes = generate(model, ColumnCache(2), heads, torch.tensor([5, 6, 7]), 4, (2,))
    >>> len(new), sum(sizes) >= 3
    (4, True)
    """
    ### BEGIN SOLUTION
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be 1 or more, got {max_new_tokens}")
    row = tree_pass(model, cache, ids, list(range(-1, len(ids) - 1)))[:, -1:]
    new, sizes = [int(model.logits(row).argmax())], []
    while len(new) < max_new_tokens:
        past = cache.length()
        tokens, parents = candidate_tree(new[-1], head_logits(model, heads, row)[:, 0], tops)
        x = tree_pass(model, cache, tokens, parents)
        next_tokens = model.logits(x)[0].argmax(-1)  # (N,)
        path = best_path(tokens, parents, next_tokens)
        cache.keep([*range(past), *(past + node for node in path)])
        row = x[:, path[-1:]]
        new += next_tokens[path].tolist()  # the target's choices: the accepted tokens and the bonus
        sizes.append(len(path))
    return new[:max_new_tokens], sizes
    ### END SOLUTION


def typical_acceptance(p: Tensor, epsilon: float, delta: float) -> Tensor:
    """Which tokens Medusa's typical acceptance lets through: those with p > min(epsilon, delta * exp(-H(p))).

    H is the entropy of p in nats, with 0 ln 0 = 0. Where the target is unsure, less probability is asked for.
    Nothing is asked about how often a draft proposes the token: this is why the rule is lossy.

    p: (V,) float, the target's distribution. Returns (V,) bool.
    Source: Cai et al. 2024, section 2.3.1.

    >>> typical_acceptance(torch.tensor([0.7, 0.2, 0.1, 0.0]), epsilon=0.3, delta=0.3)  # asks for 0.135
    tensor([ True,  True, False, False])
    """
    ### BEGIN SOLUTION
    entropy = torch.special.entr(p).sum()
    return p > torch.clamp(delta * torch.exp(-entropy), max=epsilon)
    ### END SOLUTION


def typical_output(p: Tensor, q: Tensor, epsilon: float, delta: float) -> Tensor:
    """The distribution of the next token, if one draft from q meets typical acceptance.

    An accepted draft stays; in place of a rejected one a token is drawn from p. If this were lossless, the
    result would be p. Half the sum of |result - p| is the total variation: how lossy it is.

    p, q: (V,) float, each with sum 1. Returns (V,), sum 1.

    >>> p, q = torch.tensor([0.5, 0.4, 0.1]), torch.tensor([0.0, 1.0, 0.0])
    >>> typical_output(p, q, epsilon=0.3, delta=0.3)   # the draft is always accepted: never token 0
    tensor([0., 1., 0.])
    """
    ### BEGIN SOLUTION
    stays = torch.where(typical_acceptance(p, epsilon, delta), q, 0.0)
    return stays + (1 - stays.sum()) * p
    ### END SOLUTION
