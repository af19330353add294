"""Quantization that looks at data: which numbers of a matrix matter is a question about its inputs.

Here are four methods that use a few hundred calibration rows: LLM.int8() keeps outlier columns, SmoothQuant and
AWQ move scale from one operation into another, GPTQ makes later columns pay for the rounding of earlier ones. Then
a whole model is rounded, its bits are counted and its loss is measured. How codes are packed into bytes, and other
grids, are the business of `quantization`.

Shapes: x (N, I) are N rows of a layer's input, w (O, I) its matrix, as torch.nn.Linear keeps it: y = x w^T. Several
matrices that read the same input (q, k and v) are one w, joined along O. Column j is input channel j.

Scale convention, everywhere in this file: codes run from -q to q with q = 2^(bits-1) - 1, so 127 for 8 bits and 7
for 4; scale = largest magnitude / q; no zero point. Others use 2^(bits-1), or 7.5; results differ a little.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def grid_scales(w: Tensor, bits: int, group: int | None = None) -> Tensor:
    """Given. The scale of every group of `group` neighbours in a row: largest magnitude / (2^(bits-1) - 1).

    w: (O, I); group: a divisor of I, None for the whole row. Returns (O, I / group). A group of zeros gets 1.

    >>> grid_scales(torch.tensor([[7.0, -1.0, 0.0, 14.0]]), 4, group=2)
    tensor([[1., 2.]])
    """
    parts = w.unflatten(1, (-1, group or w.shape[1]))  # (O, groups, group)
    largest = parts.abs().amax(2)
    return torch.where(largest == 0, torch.ones_like(largest), largest / (2 ** (bits - 1) - 1))


def to_grid(w: Tensor, scale: Tensor, bits: int) -> Tensor:
    """Given. The nearest value that a code in -q..q times `scale` can have; what is too large gets the last one.

    w and scale: shapes that broadcast.

    >>> to_grid(torch.tensor([0.4, 0.6, 9.0]), torch.tensor(1.0), 4)
    tensor([0., 1., 7.])
    """
    last = 2 ** (bits - 1) - 1
    return (w / scale).round().clamp(-last, last) * scale


def round_to_nearest(w: Tensor, bits: int, group: int | None = None) -> Tensor:
    """Given. Rounds every number for itself: what the methods below must beat. Shapes as in `grid_scales`.

    >>> round_to_nearest(torch.tensor([[0.6, -3.0, 0.1, 0.05]]), 3, group=2)
    tensor([[ 1.0000, -3.0000,  0.1000,  0.0667]])
    """
    scale = grid_scales(w, bits, group).repeat_interleave(group or w.shape[1], 1)  # (O, I)
    return to_grid(w, scale, bits)


def llm_int8(x: Tensor, w: Tensor, threshold: float = 6.0) -> Tensor:
    """LLM.int8(): x w^T in 8-bit integers, except for the input channels that hold an outlier.

    An outlier column is one where some |x| is larger than the threshold. There x and w are multiplied as they are.
    The other columns go to codes in -127..127: every row of x with a scale of its own and every row of w with a
    scale of its own, each its largest magnitude *among these columns* / 127. Products are added up as integers,
    then multiplied by both scales. A row of zeros stays zeros.

    x: (N, I); w: (O, I); threshold: >= 0. Returns (N, O) in x's dtype.
    Source: Dettmers et al. 2022, "LLM.int8()", sections 2 and 3.

    >>> llm_int8(torch.tensor([[1.0, 100.0]]), torch.tensor([[2.0, 0.001]]))
    tensor([[2.1000]])
    """
    ### BEGIN SOLUTION
    outlier = (x.abs() > threshold).any(0)  # (I,)
    out = x[:, outlier] @ w[:, outlier].T
    x, w = x[:, ~outlier], w[:, ~outlier]
    if x.shape[1]:
        x_scale, w_scale = grid_scales(x, 8), grid_scales(w, 8)  # (N, 1), (O, 1)
        x_codes, w_codes = (x / x_scale).round().to(torch.int32), (w / w_scale).round().to(torch.int32)
        out = out + (x_codes @ w_codes.T).to(x.dtype) * x_scale * w_scale.T
    return out
    ### END SOLUTION


def smoothquant_scales(x: Tensor, w: Tensor, alpha: float = 0.5) -> Tensor:
    """SmoothQuant: how much of each channel's size to move from the activations into the weights.

    s_j = max|x_j|^alpha / max|w_j|^(1 - alpha), the maxima over column j. With x / s and w * s both sides of a
    channel become about as large (exactly so at alpha = 0.5). Maxima count as at least 1e-5.

    x: (N, I); w: (O, I); 0 <= alpha <= 1. Returns s (I,).
    Raises ValueError, naming alpha, outside of that.
    Source: Xiao et al. 2023, "SmoothQuant", equation 4.

    >>> smoothquant_scales(torch.tensor([[16.0, -1.0]]), torch.tensor([[1.0, 0.5], [0.25, 1.0]]))
    tensor([4., 1.])
    """
    ### BEGIN SOLUTION
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    return x.abs().amax(0).clamp(min=1e-5) ** alpha / w.abs().amax(0).clamp(min=1e-5) ** (1 - alpha)
    ### END SOLUTION


def fold_scales(previous: Tensor, w: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply the columns of w by `scale`, and divide what makes their inputs by it: the function stays the same.

    previous: what the inputs are made with, either the gain of a norm (I,), or the matrix (I, P) of the layer before,
    whose row j makes channel j; w: (O, I); scale: (I,) > 0. Returns (previous, w), changed, as new tensors.
    Source: as for SmoothQuant; AWQ (Lin et al. 2024), section 3.2, does the same.

    >>> fold_scales(torch.tensor([1.0, 1.0]), torch.tensor([[3.0, 3.0]]), torch.tensor([2.0, 0.5]))
    (tensor([0.5000, 2.0000]), tensor([[6.0000, 1.5000]]))
    """
    ### BEGIN SOLUTION
    down = scale if previous.ndim == 1 else scale[:, None]
    return previous / down, w * scale
    ### END SOLUTION


def awq_scales(x: Tensor, w: Tensor, bits: int, group: int | None = None, grid: int = 20) -> tuple[float, Tensor]:
    """AWQ: channels with large inputs are made larger before w is rounded, so that they lose less. No channel is kept.

    With m_j the mean |x_j| (at least 1e-4) the candidates are s = m^alpha, alpha = 0, 1/grid, 2/grid, ..., 1. Each
    is judged by the mean squared error of the *output*, of (x / s) Q(w s)^T against x w^T, with Q = round_to_nearest
    (w s, bits, group). At alpha = 0 nothing is scaled. (The authors also divide s by sqrt(max s * min s). A common
    factor changes nothing here.)

    x: (N, I); w: (O, I). Returns (alpha, s (I,)) of the least error, the smaller alpha if two are equal.
    Source: Lin et al. 2024, "AWQ", section 3.2 and equation 5; `llm-awq/awq/quantize/auto_scale.py`.

    >>> x, w = torch.tensor([[100.0, 1.0], [-80.0, 2.0]]), torch.tensor([[0.3, 1.0]])
    >>> awq_scales(x, w, 3, grid=4)[0], awq_scales(x.flip(1), w.flip(1), 3, grid=4)[0]
    (0.5, 0.5)
    """
    ### BEGIN SOLUTION
    size, right = x.abs().mean(0).clamp(min=1e-4), x @ w.T
    found = []
    for step in range(grid + 1):
        scale = size ** (step / grid)
        got = (x / scale) @ round_to_nearest(w * scale, bits, group).T
        found.append(float((got - right).square().mean()))
    alpha = found.index(min(found)) / grid
    return alpha, size**alpha
    ### END SOLUTION


def gptq_hessian(x: Tensor, damping: float = 0.01) -> Tensor:
    """The Hessian of the squared output error |x w^T - x w'^T|^2 for one row of w', damped so that it has an inverse.

    H = 2 x^T x + damping * d * I, where d is the mean of the diagonal of 2 x^T x. It is the same for all rows of w.

    x: (N, I) float, any N, also fewer than I; damping: >= 0. Returns (I, I).
    Source: Frantar et al. 2023, "GPTQ", sections 3.1 and 3.3 (dampening of 1 %).

    >>> gptq_hessian(torch.tensor([[1.0, 2.0]]), damping=0.1)
    tensor([[2.5000, 4.0000],
            [4.0000, 8.5000]])
    """
    ### BEGIN SOLUTION
    hessian = 2 * x.T @ x
    return hessian + damping * hessian.diag().mean() * torch.eye(len(hessian), dtype=x.dtype)
    ### END SOLUTION


def gptq(w: Tensor, hessian: Tensor, bits: int, group: int | None = None, act_order: bool = False) -> Tensor:
    """GPTQ: round w column by column, and after each let the columns that are left make up for its error.

    With U the upper Cholesky factor of the inverse Hessian (H^-1 = U^T U), and columns taken from left to right:
    column i goes to its grid, its error is e = (w_i - q_i) / U_ii, and every later column j loses e * U_ij. Columns
    that are done never change again. The scales of a group come from `grid_scales` when its first column is reached,
    so from weights that earlier groups have already changed; with group None they come from w as given.

    With act_order, columns are put into the order of descending H_ii first (equal ones keep their order), groups are
    neighbours in that order, and the result is put back.

    w: (O, I); hessian: (I, I), symmetric, positive definite. Returns the rounded w (O, I); w itself stays as it is.
    Source: Frantar et al. 2023, "GPTQ", algorithm 1; act_order is in the authors' code.

    >>> w = torch.tensor([[1.0, 0.4, 0.4]])
    >>> round_to_nearest(w, 2), gptq(w, torch.ones(3, 3) + 0.01 * torch.eye(3), 2)
    (tensor([[1., 0., 0.]]), tensor([[1., 0., 1.]]))
    """
    ### BEGIN SOLUTION
    columns = w.shape[1]
    order = torch.arange(columns)
    if act_order:
        order = hessian.diag().argsort(descending=True, stable=True)
    w, hessian = w[:, order].clone(), hessian[order][:, order]
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    upper = torch.linalg.cholesky(inverse, upper=True)
    size = group or columns
    for i in range(columns):
        if i % size == 0:
            scale = grid_scales(w[:, i : i + size], bits)[:, 0]  # (O,)
        rounded = to_grid(w[:, i], scale, bits)
        error = (w[:, i] - rounded) / upper[i, i]
        w[:, i + 1 :] -= error[:, None] * upper[i, i + 1 :]
        w[:, i] = rounded
    return w[:, order.argsort()]
    ### END SOLUTION


def quantize(weights: Mapping[str, Tensor], bits: int, group: int | None = None,
             hessians: Mapping[str, Tensor] | None = None,
             skip: tuple[str, ...] = ("embed_tokens", "lm_head")) -> tuple[dict[str, Tensor], float]:
    """Round the matrices of a model, and count the bits that one of its numbers takes.

    Rounded is every tensor of two dimensions whose name contains none of `skip`: by `gptq` if `hessians` has its
    name, otherwise by `round_to_nearest`. Embedding, output matrix, gains of norms and biases stay as they are.
    A rounded number takes `bits`, every scale 16 bits more; a number that stays takes 16.

    weights: name -> tensor. Returns (name -> tensor in the same order, all bits / all numbers, a float).

    >>> weights = {"norm.weight": torch.ones(4), "up_proj.weight": torch.tensor([[7.0, 0.6, 0.0, 0.2]])}
    >>> quantize(weights, 4, group=2)
    ({'norm.weight': tensor([1., 1., 1., 1.]), 'up_proj.weight': tensor([[7.0000, 1.0000, 0.0000, 0.2000]])}, 14.0)
    """
    ### BEGIN SOLUTION
    made, spent, numbers = {}, 0, 0
    for name, w in weights.items():
        numbers += w.numel()
        if w.ndim != 2 or any(part in name for part in skip):
            made[name], spent = w, spent + 16 * w.numel()
            continue
        if hessians and name in hessians:
            made[name] = gptq(w, hessians[name], bits, group)
        else:
            made[name] = round_to_nearest(w, bits, group)
        spent += bits * w.numel() + 16 * (w.numel() // (group or w.shape[1]))
    return made, spent / numbers
    ### END SOLUTION


def perplexity(logits: Tensor, ids: Tensor, real: Tensor | None = None) -> float:
    """exp of the mean of -log p over all tokens that are predicted, each token counting once.

    The logits of column t predict the token of column t + 1. Padding neither predicts nor is predicted.

    logits: (B, T, V); ids: (B, T); real: (B, T), 0 for padding on either side, None if there is none.

    >>> logits = torch.tensor([[[0.0, 0.0], [0.0, 100.0], [0.0, 0.0]]])
    >>> round(perplexity(logits, torch.tensor([[0, 1, 1]])), 4)  # p = 1/2 for the second token, 1 for the third
    1.4142
    """
    ### BEGIN SOLUTION
    real = torch.ones_like(ids) if real is None else real
    counted = real[:, :-1].bool() & real[:, 1:].bool()
    log_p = logits[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]  # (B, T - 1)
    return float((-log_p[counted].mean()).exp())
    ### END SOLUTION


def drift(reference: Tensor, logits: Tensor, real: Tensor | None = None) -> tuple[float, float]:
    """How far a quantized model is from the original one, whatever the text is: (divergence, agreement).

    Divergence: the mean over tokens of KL(p || p') = sum p (ln p - ln p'), in nats, p from the reference and p' from
    the logits. Agreement: the share of tokens at which both have the same most probable next token.

    reference, logits: (B, T, V); real: as in `perplexity`; every real column counts.

    >>> reference = torch.tensor([[[1.0986123, 0.0]]])  # 3/4 and 1/4
    >>> [round(number, 4) for number in drift(reference, torch.tensor([[[0.1, 0.0]]]))]
    [0.1071, 1.0]
    """
    ### BEGIN SOLUTION
    real = torch.ones(logits.shape[:2]) if real is None else real
    p, other = (z[real.bool()].log_softmax(-1) for z in (reference, logits))  # (tokens, V)
    divergence = (p.exp() * (p - other)).sum(-1).mean()
    return float(divergence), float((p.argmax(-1) == other.argmax(-1)).float().mean())
    ### END SOLUTION
