"""Two matrices in every MLP.

task: flops.parameters
says: gated-as-two-maps
"""


def parameters(model):
    d, n, f, v, b = model["hidden"], model["layers"], model["mlp"], model["vocab"], int(model["bias"])
    q, kv = model["heads"] * model["head_dim"], model["kv_heads"] * model["head_dim"]
    maps = 2 if model["gated"] else 1
    made = {"embeddings": (v + model["positions"]) * d,
            "attention": n * (2 * d * (q + kv) + b * (q + 2 * kv + d)),
            "mlp": n * ((maps + 1) * d * f + b * (maps * f + d)),
            "norms": (2 * n + 1) * d * (1 + b), "lm_head": 0 if model["tied"] else v * d}
    made["mlp"] = n * (2 * d * f + b * (f + d))
    return made
