"""Smaller models: which parts matter, how to take the others out, and how to learn from the larger model.

Structured pruning removes whole heads and whole channels of the MLP, so that what is left is an ordinary,
smaller model. Distillation then repairs it. Fewer bits for each weight are the business of `quantization`.

The weights of one layer are a dict of matrices (rows out, columns in) under Hugging Face's names: q_proj
(H·d, D), k_proj and v_proj (K·d, D), o_proj (D, H·d), gate_proj and up_proj (F, D), down_proj (D, F). D is the
model's width, H the query heads, K the key-value heads, d the width of a head, F the channels of the MLP:
down(silu(gate x) * up x). Head h owns rows h·d to (h + 1)·d - 1. Query heads share: head h reads key-value
head h // (H / K). A *group* is a key-value head with its query heads. B sequences, T tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def channel_importance(activations: Tensor) -> Tensor:
    """How much each channel says on calibration text: the mean of |activation| over all sequences and tokens.

    activations: (..., C) float, what goes into down_proj. Returns (C,).
    Source: Muralidharan et al. 2024, "Compact Language Models via Pruning and Knowledge Distillation",
    section 2.2.

    >>> channel_importance(torch.tensor([[[1.0, -3.0], [1.0, 3.0]]]))   # a mean without | | would call it 0
    tensor([1., 3.])
    """
    raise NotImplementedError(
        "Lab 6, task compression.channel_importance: score the channels of an MLP on calibration text. "
        "Read part4/compression.html#sec-importance"
    )


def group_importance(attended: Tensor, n_kv_heads: int) -> Tensor:
    """How much each key-value head with its query heads says: the mean of |attended| over all that is theirs.

    attended: (B, H, T, d) float, what attention returns and o_proj reads. Returns (K,).

    >>> attended = torch.tensor([1.0, -2.0, 5.0, 0.0]).view(1, 4, 1, 1)
    >>> group_importance(attended, n_kv_heads=2)   # heads 0 and 1, heads 2 and 3
    tensor([1.5000, 2.5000])
    """
    raise NotImplementedError(
        "Lab 6, task compression.group_importance: score key-value heads together with their query heads."
        " Read part4/compression.html#sec-importance"
    )


def prune_groups(weights: dict[str, Tensor], keep: Sequence[int], n_heads: int, n_kv_heads: int) -> dict[str, Tensor]:
    """The layer with these key-value heads only, and their query heads.

    q_proj, k_proj and v_proj lose rows, o_proj the columns of the same query heads. The kept heads stay as they
    are and in their order. Other entries of the dict are returned as they are. If the columns of o_proj that
    are removed are 0, the layer computes what it did before.

    keep: ascending numbers of key-value heads, at least one. Raises ValueError, naming it, for a number not in
    0..K - 1.

    >>> eye = torch.arange(4.0)[:, None]          # H = 4 heads of width 1, K = 2, D = 1
    >>> weights = {"q_proj": eye, "k_proj": eye[:2], "v_proj": eye[:2], "o_proj": eye.T}
    >>> small = prune_groups(weights, [1], n_heads=4, n_kv_heads=2)
    >>> small["q_proj"].tolist(), small["k_proj"].tolist(), small["o_proj"].tolist()
    ([[2.0], [3.0]], [[1.0]], [[2.0, 3.0]])
    """
    raise NotImplementedError(
        "Lab 6, task compression.prune_groups: take key-value heads out together with their query heads. "
        "Read part4/compression.html#sec-prune-heads"
    )


def prune_channels(weights: dict[str, Tensor], keep: Sequence[int]) -> dict[str, Tensor]:
    """The layer with these channels of the MLP only.

    gate_proj and up_proj make the channels: they lose rows. down_proj reads them: it loses columns. Other
    entries of the dict are returned as they are.

    keep: ascending numbers of channels, at least one. Raises ValueError, naming it, for a number not in
    0..F - 1.

    >>> weights = {"gate_proj": torch.ones(3, 2), "up_proj": torch.ones(3, 2), "down_proj": torch.ones(2, 3)}
    >>> {name: tuple(weight.shape) for name, weight in prune_channels(weights, [0, 2]).items()}
    {'gate_proj': (2, 2), 'up_proj': (2, 2), 'down_proj': (2, 2)}
    """
    raise NotImplementedError(
        "Lab 6, task compression.prune_channels: take channels out of an MLP. Read "
        "part4/compression.html#sec-prune-channels"
    )


def distillation_loss(student: Tensor, teacher: Tensor, targets: Tensor, temperature: float, mix: float) -> Tensor:
    """mix * tau^2 * KL(teacher^tau || student^tau) + (1 - mix) * cross-entropy, each the mean over N positions.

    p^tau is softmax(logits / tau): the temperature softens both. KL(p || q) is the sum of p ln(p / q). The factor
    tau^2 keeps the size of the gradient when tau changes. The cross-entropy, on the text's tokens, has no
    temperature. The teacher is given: no gradient goes to it.

    student, teacher: (N, V) logits; targets: (N,) int64; temperature: tau > 0; mix: 0 to 1.
    Returns a scalar in nats. Source: Hinton et al. 2015, "Distilling the Knowledge in a Neural Network".

    >>> same = torch.tensor([[2.0, 0.0, 1.0]])
    >>> distillation_loss(same, same + 5, torch.tensor([0]), temperature=2.0, mix=1.0).abs() < 1e-6
    tensor(True)
    """
    raise NotImplementedError(
        "Lab 6, task compression.distillation_loss: learn from a teacher's distribution and from the "
        "text. Read part4/compression.html#sec-distillation"
    )


def distillation_gradient(student: Tensor, teacher: Tensor, targets: Tensor, temperature: float, mix: float) -> Tensor:
    """The gradient of `distillation_loss` by the student's logits: (N, V).

    By autograd, or by hand: 1/N times
    mix * tau * (softmax(student / tau) - softmax(teacher / tau)) + (1 - mix) * (softmax(student) - one-hot).
    For large tau the first part goes to (student - teacher) / V, logits taken less their means: then
    distillation matches logits.

    >>> student, teacher = torch.tensor([[1.0, 0.0, -1.0]]).double(), torch.tensor([[0.0, 3.0, 0.0]]).double()
    >>> distillation_gradient(student, teacher, torch.tensor([0]), 1e4, mix=1.0).round(decimals=3)
    tensor([[ 0.6670, -0.6670,  0.0000]], dtype=torch.float64)
    """
    raise NotImplementedError(
        "Lab 6, task compression.distillation_gradient: find what the loss asks of each logit. Read "
        "part4/compression.html#sec-distillation"
    )
