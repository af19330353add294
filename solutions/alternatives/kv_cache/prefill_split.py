"""torch's split; the mask grows with the chunks.

task: kv_cache.prefill
"""


def prefill(model, cache, ids, chunk, real=None, window=None):
    if not chunk > 0:
        raise ValueError(f"chunk = {chunk}")
    for part in ids.split(chunk, dim=1):
        end = cache.length() + part.shape[1]
        hidden = forward(model, cache, part, real[:, :end] if real is not None else None, window=window)
    return model.logits(hidden[:, -1:]).squeeze(1)
