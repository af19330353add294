"""Multiplies every row by the output matrix and keeps one.

task: kv_cache.prefill
says: logits-of-every-row
"""


def prefill(model, cache, ids, chunk, real=None, window=None):
    if chunk < 1:
        raise ValueError(f"chunk {chunk}")
    past = cache.length()
    for start in range(0, ids.shape[1], chunk):
        part = ids[:, start:start + chunk]
        end = past + start + part.shape[1]
        logits = model.logits(forward(model, cache, part, None if real is None else real[:, :end], window))
    return logits[:, -1]
