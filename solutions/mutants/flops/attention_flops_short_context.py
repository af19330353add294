"""Does not notice a context that cannot be.

task: flops.attention_flops
says: accepts-invalid-value
"""


def attention_flops(model, batch, new, context):
    d, h = model["hidden"], model["head_dim"]
    q, kv = model["heads"] * h, model["kv_heads"] * h
    t = batch * new

    return {"q": 2 * t * d * q, "k": 2 * t * d * kv, "v": 2 * t * d * kv,
            "scores": 2 * t * context * q, "values": 2 * t * context * q, "output": 2 * t * q * d}
