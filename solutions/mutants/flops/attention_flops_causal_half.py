"""Halves scores and values, because the causal mask hides half of them.

task: flops.attention_flops
says: causal-pairs
"""


def attention_flops(model, batch, new, context):
    if context < new:
        raise ValueError(f"context {context} is shorter than {new}")
    d, h = model["hidden"], model["head_dim"]
    q, kv = model["heads"] * h, model["kv_heads"] * h
    t = batch * new

    pairs = sum(context - new + i + 1 for i in range(new))
    return {"q": 2 * t * d * q, "k": 2 * t * d * kv, "v": 2 * t * d * kv, "scores": 2 * batch * pairs * q,
            "values": 2 * batch * pairs * q, "output": 2 * t * q * d}
