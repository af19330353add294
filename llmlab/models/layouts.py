"""Matrices laid out once for many products with few rows: transposed for one to three rows, packed by oneDNN for more.

A matrix product has to bring its matrix into the order in which the processor reads it. Usually it does so in every call,
which costs as much as the product when there are few rows. What is prepared takes the matrix's memory once more.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FEWEST, SMALLEST = 4, 2**16
"""Rows, and elements of the matrix, from which oneDNN's layout is the faster one: a call of it has a price of its own."""


class Transposed:
    """x W^T for a fixed W (out, in) and rows x (n, in), without a transposition in each call.

    >>> Transposed(torch.tensor([[1.0, 2.0]]))(torch.tensor([[3.0, 4.0]]))
    tensor([[11.]])
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight.detach().t().contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        return torch.mm(x, self.weight)

    def plus(self, x: Tensor, more: Tensor) -> Tensor:
        """x W^T + more, with `more` (n, out)."""
        return torch.addmm(more, x, self.weight)


class Plain:
    """The same, on the matrix as it is.

    >>> Plain(torch.tensor([[1.0, 2.0]]))(torch.tensor([[3.0, 4.0]]))
    tensor([[11.]])
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight.detach().contiguous()

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight)


class Packed:
    """The same, in the layout that oneDNN reads. Needs `can_pack(weight.dtype)`.

    >>> Packed(torch.tensor([[1.0, 2.0]])).plus(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.5]]))
    tensor([[11.5000]])
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), 2 * FEWEST)

    def __call__(self, x: Tensor) -> Tensor:
        rows = len(x)
        if rows < FEWEST:  # rows of zeros are cheaper than oneDNN's products with one or two rows
            x = F.pad(x, (0, 0, 0, FEWEST - rows))
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, None, "none", [], "")[:rows]
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, None, "none", [], "")

    def plus(self, x: Tensor, more: Tensor) -> Tensor:
        """x W^T + more, with `more` (n, out)."""
        return self(x).add_(more)


def can_pack(dtype: torch.dtype) -> bool:
    """Whether this computer's torch can lay out matrices of this type once."""
    if not torch.backends.mkldnn.is_available():
        return False
    return dtype == torch.float32 or dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def lay_out(weight: Tensor, rows: int) -> Transposed | Packed:
    """The faster layout for so many rows."""
    packs = rows >= FEWEST and weight.numel() >= SMALLEST and can_pack(weight.dtype)
    return Packed(weight) if packs else Transposed(weight)
