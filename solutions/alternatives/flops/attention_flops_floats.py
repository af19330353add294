"""Powers of ten in floating point, and numpy.

task: flops.attention_flops
"""

import numpy as np


def attention_flops(model, batch, new, context):
    if new > context:
        raise ValueError(f"{context=}")
    d, h = model["hidden"], model["head_dim"]
    width = np.array([model["heads"], model["kv_heads"], model["kv_heads"]]) * h
    projections = 2.0 * batch * new * d * width
    inner = 2.0 * batch * model["heads"] * new * context * h
    q, k, v = projections.tolist()
    return {"output": q, "values": inner, "scores": inner, "v": v, "k": k, "q": q}
