"""On symmetric, with the keys turned.

task: quantization.quantize_kv
"""

def quantize_kv(keys, values, bits=8):
    batch, heads, tokens, size = keys.shape
    turned = keys.transpose(2, 3)
    k, ks = symmetric(turned.reshape(-1, tokens), bits, "channel")
    v, vs = symmetric(values.reshape(-1, size), bits, "channel")
    return (k.reshape(turned.shape).transpose(2, 3), ks.reshape(batch, heads, 1, size),
            v.reshape(values.shape), vs.reshape(batch, heads, tokens, 1))
