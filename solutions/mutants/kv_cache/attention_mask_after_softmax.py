"""Takes the weights of hidden columns away and leaves the others as they are.

task: kv_cache.attention
says: mask-after-softmax
"""


def attention(q, keys, values, mask):
    share = q.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(share, 1), values.repeat_interleave(share, 1)
    weights = (q @ keys.transpose(2, 3) / q.shape[3] ** 0.5).softmax(-1)
    return (weights * mask[:, None]) @ values
