"""What the lesson on Medusa is given: trained heads for the target, and a cache that can keep chosen columns.

The heads are matrices; what is made of them is the student's business (`llmlab.medusa`). How they were trained:
`llmlab/models/train/medusa.py` and the manifest beside the weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from safetensors.torch import load_file
from torch import Tensor

from llmlab.models.loader import WEIGHTS


def load_heads(dtype: torch.dtype = torch.float32) -> Tensor:
    """The shipped Medusa heads of `target`: (3, 256, 256). Head k was trained for the token k + 2 places on.

    >>> load_heads().shape
    torch.Size([3, 256, 256])
    """
    return load_file(WEIGHTS / "medusa" / "heads.safetensors")["heads"].to(dtype)


class ColumnCache:
    """Keys and values of one sequence, of which any columns can be kept: the cache of a token tree.

    In the worked example: one layer, one head of width 2, four columns of which two are kept.

    >>> cache = ColumnCache(1)
    >>> new = torch.arange(8.0).view(1, 1, 4, 2)
    >>> cache.append(0, new, new)[0].shape, cache.length()
    (torch.Size([1, 1, 4, 2]), 4)
    >>> cache.keep([0, 3])
    >>> cache.append(0, new[:, :, :1], new[:, :, :1])[0][0, 0, :, 0].tolist()
    [0.0, 6.0, 0.0]
    """

    def __init__(self, n_layers: int) -> None:
        self._kept: list[tuple[Tensor, Tensor] | None] = [None] * n_layers

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add columns to a layer: keys and values (1, K, T, d). Returns all of that layer's, (1, K, S, d)."""
        old = self._kept[layer]
        if old is not None:
            keys, values = torch.cat([old[0], keys], 2), torch.cat([old[1], values], 2)
        self._kept[layer] = keys, values
        return keys, values

    def length(self, layer: int = 0) -> int:
        """How many columns this layer holds."""
        pair = self._kept[layer]
        return 0 if pair is None else pair[0].shape[2]

    def keep(self, columns: Sequence[int]) -> None:
        """Keep these columns of every layer, in this order, and forget the others.

        Raises ValueError, naming the columns, if one is not there or is named twice.
        """
        columns, held = list(columns), self.length()
        if len(set(columns)) < len(columns) or any(not 0 <= c < held for c in columns):
            raise ValueError(f"cannot keep columns {columns} of {held}: each must be there, and be named once")
        chosen = torch.tensor(columns, dtype=torch.int64)
        self._kept = [pair and (pair[0][:, :, chosen], pair[1][:, :, chosen]) for pair in self._kept]
