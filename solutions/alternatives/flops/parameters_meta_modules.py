"""Builds the modules on the meta device and counts their tensors.

task: flops.parameters
"""

import torch


def parameters(model):
    d, f, bias = model["hidden"], model["mlp"], model["bias"]
    q, kv = model["heads"] * model["head_dim"], model["kv_heads"] * model["head_dim"]

    def size(*modules):
        return sum(p.numel() for module in modules for p in module.parameters())

    def linear(inp, out, with_bias=bias):
        return torch.nn.Linear(inp, out, bias=with_bias)

    with torch.device("meta"):
        norm = torch.nn.LayerNorm(d, bias=bias)
        attention = size(linear(d, q), linear(d, kv), linear(d, kv), linear(q, d))
        mlp = size(*(linear(d, f) for _ in range(2 if model["gated"] else 1)), linear(f, d))
        tables = size(torch.nn.Embedding(model["vocab"], d)) + model["positions"] * d
        head = 0 if model["tied"] else size(linear(d, model["vocab"], False))
    n = model["layers"]
    return {"embeddings": tables, "attention": n * attention, "mlp": n * mlp,
            "norms": (2 * n + 1) * size(norm), "lm_head": head}
