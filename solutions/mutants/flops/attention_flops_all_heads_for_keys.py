"""Forgets grouped queries: K and V are projected for every head.

task: flops.attention_flops
says: query-heads-for-keys
"""


def attention_flops(model, batch, new, context):
    if context < new:
        raise ValueError(f"context {context} is shorter than {new}")
    d, h = model["hidden"], model["head_dim"]
    q, kv = model["heads"] * h, model["kv_heads"] * h
    t = batch * new

    return {"q": 2 * t * d * q, "k": 2 * t * d * q, "v": 2 * t * d * q,
            "scores": 2 * t * context * q, "values": 2 * t * context * q, "output": 2 * t * q * d}
