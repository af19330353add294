"""Uses the kv heads for the scores: a key is shared, so its product with queries is done once.

task: flops.attention_flops
says: kv-heads-for-queries
"""


def attention_flops(model, batch, new, context):
    if context < new:
        raise ValueError(f"context {context} is shorter than {new}")
    d, h = model["hidden"], model["head_dim"]
    q, kv = model["heads"] * h, model["kv_heads"] * h
    t = batch * new

    return {"q": 2 * t * d * q, "k": 2 * t * d * kv, "v": 2 * t * d * kv,
            "scores": 2 * t * context * kv, "values": 2 * t * context * kv, "output": 2 * t * q * d}
