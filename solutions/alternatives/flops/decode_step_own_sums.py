"""Adds weights and cache up by hand, and compares the two times itself.

task: flops.decode_step
"""


def decode_step(model, accelerator, batch, context, bytes_per_value=2):
    cached = 2 * model["layers"] * model["kv_heads"] * model["head_dim"] * context * batch
    moved = float(bytes_per_value * (sum(parameters(model).values()) + cached))
    work = float(batch * forward_flops(model, 1, 1, context))
    slower = work / accelerator["flops"] > moved / accelerator["bandwidth"]
    seconds = work / accelerator["flops"] if slower else moved / accelerator["bandwidth"]
    return {"seconds": seconds, "tokens_per_second": 1 / (seconds / batch), "bytes": moved, "flops": work}
