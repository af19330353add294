"""float64 throughout; padding told by positions; its own attention, on views of the cache.

task: kv_cache.forward
"""

import torch


def forward(model, cache, ids, real=None, window=None):
    past, (batch, new) = cache.length(), ids.shape
    if real is None:
        real = ids.new_ones(batch, past + new)
    if tuple(real.shape) != (batch, past + new):
        raise ValueError(f"real: {tuple(real.shape)}")
    pads = (real == 0).sum(1, keepdim=True)
    columns = torch.arange(past, past + new)
    where = (columns - pads).clamp(0)
    x = model.embed(ids).double()
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        k, v = cache.append(layer, k, v)
        gap = real.shape[1] - k.shape[2]
        bias = torch.full((batch, new, k.shape[2]), -1e30, dtype=torch.float64)
        for b in range(batch):
            for t in range(new):
                own = past + t - gap
                first = max(int(pads[b]) - gap, 0, own - window + 1 if window else 0)
                bias[b, t, first:own + 1] = 0
                bias[b, t, own] = 0
        share = model.n_heads // model.n_kv_heads
        heads = []
        for h in range(model.n_heads):
            scores = q[:, h].double() @ k[:, h // share].double().mT / model.head_dim ** 0.5
            heads.append((scores + bias).softmax(-1) @ v[:, h // share].double())
        x = model.finish(layer, x, torch.stack(heads, 1)).double()
    return x
