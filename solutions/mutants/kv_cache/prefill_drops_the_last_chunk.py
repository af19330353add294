"""Counts whole chunks only.

task: kv_cache.prefill
says: drops-last-chunk
"""


def prefill(model, cache, ids, chunk, real=None, window=None):
    if chunk < 1:
        raise ValueError(f"chunk {chunk}")
    past, whole = cache.length(), max(ids.shape[1] // chunk, 1)
    for i in range(whole):
        part = ids[:, i * chunk:(i + 1) * chunk]
        end = past + i * chunk + part.shape[1]
        x = forward(model, cache, part, None if real is None else real[:, :end], window)
    return model.logits(x[:, -1:])[:, 0]
