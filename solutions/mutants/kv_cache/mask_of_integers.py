"""Makes a mask of zeros and ones.

task: kv_cache.attention_mask
says: mask-not-bool
"""

_mask = attention_mask


def attention_mask(real, new, window=None):
    return _mask(real, new, window).long()
