"""What benchmarks/quantization.py compares beside the schemes of llmlab/models/quantized.py: keeping some columns.

Nothing is measured here.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from llmlab.models import LM
from llmlab.models.calibrate import matrices
from llmlab.models.packed import PackedLinear


def kept(lm: LM, packed: Mapping[str, PackedLinear], inputs: Mapping[str, Tensor], share: float,
         by: str) -> tuple[dict[str, Tensor], float]:
    """Packed maps, but a share of every matrix's columns keeps 16 bits: those with the largest inputs ("inputs"), the
    largest weights ("weights"), or random ones ("chance"). The matrices, and the bits of one weight of them."""
    generator, made, spent, numbers = torch.Generator().manual_seed(0), {}, 0.0, 0
    for name, w in matrices(lm).items():
        size = {"inputs": lambda x=inputs[name]: x.abs().mean(0), "weights": lambda w=w: w.abs().mean(0),
                "chance": lambda w=w: torch.rand(w.shape[1], generator=generator)}[by]()
        chosen = size.topk(max(1, round(share * w.shape[1]))).indices
        layer = packed[name.removesuffix(".weight")]
        made[name] = layer.weight().index_copy(1, chosen, w[:, chosen])
        bits = layer.bits_per_weight()
        spent += bits * w.numel() + (16 - bits) * len(chosen) * len(w) + 16 * len(chosen)
        numbers += w.numel()
    return made, spent / numbers
