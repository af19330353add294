"""Takes N * H for D: true for Llama 2, false for Gemma and others.

task: flops.attention_flops
says: assumes-square-projection
"""


def attention_flops(model, batch, new, context):
    if context < new:
        raise ValueError(f"context {context} is shorter than {new}")
    d, h = model["hidden"], model["head_dim"]
    q, kv = model["heads"] * h, model["kv_heads"] * h
    t = batch * new

    kv = d * model["kv_heads"] // model["heads"]
    return {"q": 2 * t * d * d, "k": 2 * t * d * kv, "v": 2 * t * d * kv,
            "scores": 2 * t * context * q, "values": 2 * t * context * q, "output": 2 * t * d * d}
