"""Projects keys and values of the whole context in every step, as if there were no cache.

task: flops.attention_flops
says: projects-whole-context
"""


def attention_flops(model, batch, new, context):
    if context < new:
        raise ValueError(f"context {context} is shorter than {new}")
    d, h = model["hidden"], model["head_dim"]
    q, kv = model["heads"] * h, model["kv_heads"] * h
    t = batch * new

    s = batch * context
    return {"q": 2 * t * d * q, "k": 2 * s * d * kv, "v": 2 * s * d * kv,
            "scores": 2 * t * context * q, "values": 2 * t * context * q, "output": 2 * t * q * d}
