"""Decodes the prompt token by token.

task: kv_cache.prefill
says: too-many-passes
"""


def prefill(model, cache, ids, chunk, real=None, window=None):
    if chunk < 1:
        raise ValueError(f"chunk {chunk}")
    past = cache.length()
    for i in range(ids.shape[1]):
        x = forward(model, cache, ids[:, i:i + 1], None if real is None else real[:, :past + i + 1], window)
    return model.logits(x)[:, 0]
