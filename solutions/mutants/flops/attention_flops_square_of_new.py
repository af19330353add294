"""Writes the quadratic term as new ** 2, which holds in prefill only.

task: flops.attention_flops
says: ignores-older-tokens
"""


def attention_flops(model, batch, new, context):
    if context < new:
        raise ValueError(f"context {context} is shorter than {new}")
    d, h = model["hidden"], model["head_dim"]
    q, kv = model["heads"] * h, model["kv_heads"] * h
    t = batch * new

    return {"q": 2 * t * d * q, "k": 2 * t * d * kv, "v": 2 * t * d * kv,
            "scores": 2 * t * new * q, "values": 2 * t * new * q, "output": 2 * t * q * d}
