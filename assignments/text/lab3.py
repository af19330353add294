# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Lab 3: the KV cache
#
# A decoder that writes 1,000 tokens reads the first one 1,000 times, unless it remembers. In this lab you write the memory:
# what is kept, where it is kept, and the forward pass that uses it. In the end your code runs the shipped model, one row
# a step, and writes the same text as before.
#
# Nearly every mistake in this lab is silent. The model goes on writing, only worse. So most checks compare your result
# with a computation that has no cache at all.
#
# Each part goes the same way: **predict** (never graded), **fill in** a part of `kv_cache.py`, **check** it, **run** it,
# and **explain** what you see. Some questions ask for a number; collect them in the cell near the end. Locked cells are
# put back when the lab is graded.

# %% [markdown]
# ## 1. Where your code lives
#
# You hand in this notebook and one file, `kv_cache.py`. Read its first 15 lines now: they name the shapes, and say what a
# *model in parts* is. Everything but attention, positions and cache is given.

# %%
import time

import torch
import torch.nn.functional as F

import llmlab
from llmlab import figures, kv_cache, models
from llmlab.models.parts import Parts

print(kv_cache.__llmlab_hash__, kv_cache.__file__)
lm = models.load("target")
model = Parts(lm)
print(f"{model.n_layers} layers, {model.n_heads} query heads on {model.n_kv_heads} key-value heads,"
      f" width of a head {model.head_dim}")

# %% [markdown]
# The check prints the same path and hash. If it is not the file you are editing, stop here and run `llmlab where`.
#
# After you saved the file, `llmlab.reload("kv_cache")` fetches it. The notebook writes `kv_cache.forward`, so it always
# uses the function that you saved last. A cache that you made before belongs to the old class: make it again.

# %% [markdown]
# ## 2. What changes when a token is appended?
#
# **Predict.** A text of 8 tokens goes through the model, then the same text with a ninth. In which of these have some of
# the *first eight* rows changed: queries, keys, values, the output of attention, the output of a layer?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `changed_rows`. (Book: *What to keep*.)

# %% nbgrader={"grade": true, "grade_id": "kv_cache-changed_rows", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("kv_cache.changed_rows")

# %%
llmlab.reload("kv_cache")


def trace(ids, causal=True):
    """Every activation of a pass over all of `ids`, by name. Attention here is torch's own."""
    kept, x = {}, model.embed(ids)
    where = torch.arange(ids.shape[1]).expand_as(ids)
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)
        x = model.finish(layer, x, attended)
        kept |= {f"q{layer}": q, f"k{layer}": k, f"v{layer}": v, f"attended{layer}": attended, f"layer{layer}": x}
    return kept


nine = torch.tensor([lm.encode("Once upon a time there was a little girl named Mira")[:9]])
for causal in (True, False):
    before, after = trace(nine[:, :8], causal), trace(nine, causal)
    print("causal" if causal else "every token sees every other")
    for name in before:
        print(f"  {name:10} {kv_cache.changed_rows(before[name], after[name], 1e-4)}")

# %% [markdown]
# **Explain.** The lecture says that the outputs of attention and MLP cannot be reused, since norms and residuals change
# them. What does your table say? If the old rows of *all* of them stay, why are keys and values kept and the others not?
# Keep your thoughts: the written answer asks for them.
#
# **Question `bidirectional-layers`.** Without the causal mask, in how many of the 4 layers do the old rows of the *keys*
# change? Why not in all of them?

# %% [markdown]
# ## 3. Where a new token stands, and what it sees
#
# **Predict.** The cache holds 7 tokens. One new token comes. What is its position? How many rows and how many columns does
# its mask have? And what if the cache holds 7 columns of which 3 are padding?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `positions` and `attention_mask`. `real` always covers all columns, those of the past included.
# (Book: *What to keep*.)

# %% nbgrader={"grade": true, "grade_id": "kv_cache-positions", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
llmlab.check("kv_cache.positions")

# %% nbgrader={"grade": true, "grade_id": "kv_cache-attention_mask", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
llmlab.check("kv_cache.attention_mask")

# %%
llmlab.reload("kv_cache")
real = torch.tensor([[0, 0, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1]])
print("positions of the last 3 columns\n", kv_cache.positions(real, 3))
figures.seen_columns({
    "yours": kv_cache.attention_mask(real[:1], 3),
    "yours, window 2": kv_cache.attention_mask(real[:1], 3, window=2),
    "torch.tril": torch.ones(3, 7).tril(),
}, real[0]);

# %% [markdown]
# A ring marks each new token's own column; padding is crossed out.
#
# **Explain.** The last picture is what `is_causal=True` means to torch when there are fewer queries than keys. Which
# columns would the newest token see?

# %% [markdown]
# ## 4. Attention with shared heads
#
# **Predict.** 8 query heads share 4 key-value heads. Which of the 4 does query head 3 read?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `attention`. (Book: *What to keep*.)

# %% nbgrader={"grade": true, "grade_id": "kv_cache-attention", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
llmlab.check("kv_cache.attention")

# %%
llmlab.reload("kv_cache")
generator = torch.Generator().manual_seed(0)
q = torch.randn(1, 8, 3, 16, generator=generator)
k, v = torch.randn(2, 1, 4, 7, 16, generator=generator)
mask = kv_cache.attention_mask(real[:1], 3)
ours = kv_cache.attention(q, k, v, mask)
theirs = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None], enable_gqa=True)
print("largest difference to torch:", (ours - theirs).abs().max().item())

# %% [markdown]
# ## 5. The cache
#
# **Predict.** A cache has room for 16 tokens. 1,000 tokens come one by one. When the room is used up, it doubles. How many
# tokens are copied to new memory altogether: about 1,000, 10,000, 500,000?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** the class `KVCache`. A good order: `append` and `length` with memory that is always enough; then `view`,
# growth, `truncate`; the accounting last. (Book: *What to keep*.)

# %% nbgrader={"grade": true, "grade_id": "kv_cache-KVCache", "locked": true, "points": 16, "schema_version": 3, "solution": false, "task": false}
llmlab.check("kv_cache.KVCache")

# %%
llmlab.reload("kv_cache")
cache = kv_cache.KVCache(model.n_layers, capacity=16)
one = torch.zeros(1, model.n_kv_heads, 1, model.head_dim)
rooms = []
for token in range(100):
    for layer in range(model.n_layers):
        cache.append(layer, one, one)
    rooms.append(cache.capacity())
print("capacities:", sorted(set(rooms)), " bytes reserved:", cache.nbytes(), " tokens:", cache.length())

# %% [markdown]
# **Question `cache-bytes`.** How many bytes do the keys and values of *one* token of *one* sequence take in this model,
# over all layers, in float32? (What is reserved and not used does not count.)
#
# **Question `growth-copied`.** How many tokens does one layer copy while 1,000 tokens come one by one, if the room is 16
# at first and doubles whenever it is used up? (A token that is copied twice counts twice; the first writing is no copy.)

# %%
# Your lines.

# %% [markdown]
# ## 6. One pass over the new tokens
#
# **Predict.** You forget the past when you count positions: every token that is decoded gets position 0. Does the model
# fall silent, write nonsense, or go on as if nothing were wrong?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `forward`. Ask the cache for its length *once*, before the layers. (Book: *One row a step*.)

# %% nbgrader={"grade": true, "grade_id": "kv_cache-forward", "locked": true, "points": 12, "schema_version": 3, "solution": false, "task": false}
llmlab.check("kv_cache.forward")

# %%
llmlab.reload("kv_cache")
TEXT = "47 + 38\n7 + 8 = 15, write 5, carry 1\n4 + 3 + 1 = 8, write 8\n47 + 38 = 85"
ids = torch.tensor([lm.encode(TEXT)])
whole = lm.logits(ids)


def in_passes(parts, sizes):
    """Logits of all columns, from passes of these sizes through your cache."""
    cache, rows, start = kv_cache.KVCache(parts.n_layers), [], 0
    for size in sizes:
        rows.append(parts.logits(kv_cache.forward(parts, cache, ids[:, start:start + size])))
        start += size
    return torch.cat(rows, 1)


for sizes in ([49], [5] + [1] * 44, [1] * 49, [20, 20, 9]):
    print(len(sizes), "passes: largest difference", (in_passes(model, sizes) - whole).abs().max().item())

# %% [markdown]
# Now with the mistake. This model counts the positions of every pass from 0:

# %%
class Restarted(Parts):
    def qkv(self, layer, x, positions):
        return super().qkv(layer, x, positions - positions[:, :1])


for shown, parts in (("right", model), ("restarted", Restarted(lm))):
    best = in_passes(parts, [5] + [1] * 44)[0, 4:-1].argmax(-1)
    print(f"--- {shown}\n{lm.decode(best.tolist())}")

# %% [markdown]
# The lines show the token that the model thinks most likely after each token of the text.
#
# **Question `restart-nats`.** The text has 49 tokens. The first 5 go through in one pass, the 44 others one by one.
# With `Restarted`, what do these 44 tokens cost on average, in nats? The cost of a token is $-\log p$ of it, from the
# logits one column earlier.

# %%
logits = in_passes(model, [5] + [1] * 44)
# Your lines: the same with Restarted(lm), and the mean.
