"""A Llama's matrices joined for few, large products: the same function, with less to do in each step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from llmlab.models.llama import Llama


@torch.no_grad()
def joined(model: Llama, gain: float = 1.0) -> tuple[list[tuple[Tensor, Tensor, Tensor, Tensor]], Tensor]:
    """The matrices (qkv, output, gate and up, down) of each layer, and the output matrix of the model, all (out, in).

    The scale of attention is in the queries' rows. The norms' gains, times `gain`, are in the matrices that read the norms:
    what multiplies them is the normed stream without its gain, divided by `gain`.

    >>> from llmlab.models import load
    >>> layers, head = joined(load("draft").model)
    >>> [tuple(matrix.shape) for matrix in layers[0]], tuple(head.shape)
    ([(192, 96), (96, 96), (512, 96), (96, 256)], (2048, 96))
    """
    layers = []
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        before, between = layer.input_layernorm.weight * gain, layer.post_attention_layernorm.weight * gain
        query = attention.q_proj.weight / math.sqrt(model.config.head_dim)
        layers.append((torch.cat([query, attention.k_proj.weight, attention.v_proj.weight]) * before,
                       attention.o_proj.weight,
                       torch.cat([mlp.gate_proj.weight, mlp.up_proj.weight]) * between,
                       mlp.down_proj.weight))
    return layers, model.lm_head.weight * (model.model.norm.weight * gain)
