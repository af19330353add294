"""Puts the whole prompt through at once.

task: kv_cache.prefill
says: ignores-chunk
"""


def prefill(model, cache, ids, chunk, real=None, window=None):
    if chunk < 1:
        raise ValueError(f"chunk {chunk}")
    return model.logits(forward(model, cache, ids, real, window)[:, -1:])[:, 0]
