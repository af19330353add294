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
# # Lab 2: what a token costs
#
# A model reads your prompt, then writes. What does each token cost, in arithmetic, in memory, in seconds? In this lab
# you work it out from shapes alone. No large model is needed: with a pencil and one file you will reckon with models of
# 70 billion parameters.
#
# Two of the source lectures contradict each other about the cost of a token, and one is wrong about memory by a factor
# of a thousand. Your own code will find out which.
#
# Each part goes the same way: **predict** (never graded), **fill in** a function of `flops.py`, **check** it, **run**
# it, and **explain** what you see. Some questions ask for a number; collect them in the cell near the end. Locked cells
# are put back when the lab is graded.

# %% [markdown]
# ## 1. Where your code lives
#
# You hand in this notebook and one file, `flops.py`. Read its first 25 lines now: they say what is counted, what a
# model is (a plain dict), and what an accelerator is.

# %%
import torch

import llmlab
from llmlab import figures, flops, models
from llmlab.models.shapes import ACCELERATORS, MODELS, shape_of

print(flops.__llmlab_hash__, flops.__file__)
h100 = ACCELERATORS["H100 SXM"]
for name, shape in MODELS.items():
    print(f"{name:15} {shape['layers']} layers of width {shape['hidden']},"
          f" {shape['heads']} heads, {shape['kv_heads']} kv heads")

# %% [markdown]
# The check prints the same path and hash. If it is not the file you are editing, stop here and run `llmlab where`.
#
# After you saved the file, `llmlab.reload("flops")` fetches it. The notebook writes `flops.matmul_flops`, so it always
# uses the function that you saved last.

# %% [markdown]
# ## 2. One product

# %% [markdown]
# **Predict.** A vector of 4,096 numbers is multiplied by a matrix of 4,096 × 4,096. How many FLOPs is that for each
# number of the matrix?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `matmul_flops`. (Book: *Counting: from one product to a model*.)

# %% nbgrader={"grade": true, "grade_id": "flops-matmul_flops", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.matmul_flops")

# %%
llmlab.reload("flops")
work = flops.matmul_flops(1, 4096, 4096)
print(f"{work:,} FLOPs, {work / 4096**2:.0f} for each number of the matrix")

# %% [markdown]
# Torch can count too. `FlopCounterMode` watches the products that run.

# %%
from torch.utils.flop_counter import FlopCounterMode

with FlopCounterMode(display=False) as counter:
    torch.zeros(3, 4) @ torch.zeros(4, 5)
print("torch:", counter.get_total_flops(), "  yours:", flops.matmul_flops(3, 4, 5))

# %% [markdown]
# ## 3. A decoder layer

# %% [markdown]
# **Predict.** Which of the four steps of attention costs most at 512 tokens and a width of 4,096: the projections to Q,
# K and V, the scores, the product with V, or the output projection? And at 50,000 tokens?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `attention_flops` and `mlp_flops`. Draw the shapes on paper first. Mind three things: several query heads
# may share a key and value head; with a cache only the new tokens are computed, but they attend to all of the context;
# and a gated MLP has three maps.

# %% nbgrader={"grade": true, "grade_id": "flops-attention_flops", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.attention_flops")

# %% nbgrader={"grade": true, "grade_id": "flops-mlp_flops", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.mlp_flops")

# %%
llmlab.reload("flops")
for length in (512, 50_000):
    steps = flops.attention_flops(MODELS["Llama-2-7B"], batch=1, new=length, context=length)
    total = sum(steps.values()) + flops.mlp_flops(MODELS["Llama-2-7B"], length)
    print(f"{length:6} tokens: " + ", ".join(f"{name} {cost / total:.1%}" for name, cost in steps.items()))

# %% [markdown]
# Now the textbook's layer: as many kv heads as heads, heads × head_dim equal to the width $h$, and an MLP of width $4h$
# without a gate. With $b$ sequences of $s$ tokens its cost is a polynomial in $b$, $s$ and $h$ with two terms.
# **Derive** it on paper (you will write the derivation down in part 10), then **fill in** `layer_flops`.

# %% nbgrader={"grade": true, "grade_id": "flops-layer_flops", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.layer_flops")

# %%
llmlab.reload("flops")
b, s, h = 2, 100, 64
textbook = {"hidden": h, "heads": 4, "kv_heads": 4, "head_dim": 16, "mlp": 4 * h, "gated": False}
steps = sum(flops.attention_flops(textbook, b, s, s).values()) + flops.mlp_flops(textbook, b * s)
print("polynomial:", flops.layer_flops(b, s, h), "  sum of the steps:", steps)
figures.layer_cost_against_length(MODELS["Llama-3.1-8B"], [2**i for i in range(7, 18)]);

# %% [markdown]
# **Explain.** One lecture says that the cost grows with the square of the length, another that attention is the
# bottleneck of the prefill. For which texts are they right?
#
# **Question `square-share`.** Which share of the FLOPs of one layer of `Llama-3.1-8B` are scores and values together
# (the keys `"scores"` and `"values"`) in the prefill of 8,192 tokens?

# %%
# Your lines.

# %% [markdown]
# ## 4. The whole model, and the lectures' 2 and 6

# %% [markdown]
# **Predict.** One lecture says that a forward pass costs 2 FLOPs for each parameter and token, another says 6. Which do
# you believe, and what could the other one mean?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `forward_flops` and `parameters`. lm_head is a product like any other; `logits` says at how many positions
# it is applied. Looking up an embedding is no product.

# %% nbgrader={"grade": true, "grade_id": "flops-forward_flops", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.forward_flops")

# %% nbgrader={"grade": true, "grade_id": "flops-parameters", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.parameters")

# %% [markdown]
# Let torch judge. The shipped model is small, but its layer is that of Llama. (`sdpa_kernel(MATH)` makes torch compute
# attention by plain products, which the counter sees.)

# %%
from torch.nn.attention import SDPBackend, sdpa_kernel

llmlab.reload("flops")
lm = models.load("target")
shape = shape_of(vars(lm.config))
untrained = models.Llama(lm.config)  # the same shape, with weights that may have gradients
tokens = 64
with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
    logits = untrained(torch.zeros(1, tokens, dtype=torch.long))
    forward = counter.get_total_flops()
    logits.sum().backward()
both = counter.get_total_flops()
print(f"torch, forward: {forward:,}   yours: {flops.forward_flops(shape, 1, tokens, tokens, logits=tokens):,}")
print(f"forward and backward together: {both / forward:.2f} times the forward pass")

# %%
for name in ("GPT-2", "Llama-2-7B", "Llama-2-70B"):
    size = sum(flops.parameters(MODELS[name]).values())
    rule = 12 * MODELS[name]["layers"] * MODELS[name]["hidden"] ** 2
    print(f"{name:12} {size:>14,} parameters   12 L h^2 is off by {rule / size - 1:+.1%}")

# %% [markdown]
# The published sizes are 124,439,808 and 6,738,415,616 and 68,976,648,192. If yours differ, look at the parts.
#
# **Explain.** A lecture gives GPT-4 as 120 layers of width 12,288 with 1.7 trillion parameters (a rumour). What does
# $12Lh^2$ say?
#
# **Question `flops-per-parameter`.** How many FLOPs for each parameter and token does one forward pass of `Llama-2-70B`
# over 4,096 tokens take, with lm_head at *all* positions? All parameters count, also those of the embedding.

# %%
# Your lines.

# %% [markdown]
# ## 5. Generating a text, with a cache and without

# %% [markdown]
# **Predict.** GPT-2 writes 100 tokens after a prompt of 10. With a KV cache each token is computed once. By what factor
# does that lower the FLOPs?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `generation_flops`. Three details decide: the first token comes from the prefill; the last token is never
# fed in; a token attends to itself. (Book: *Prefill, decode, and what the cache saves*.)

# %% nbgrader={"grade": true, "grade_id": "flops-generation_flops", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.generation_flops")

# %%
llmlab.reload("flops")
for cache in (False, True):
    for tokens in (50, 100, 200):
        cost = flops.generation_flops(MODELS["GPT-2"], 10, tokens, cache)
        print(f"cache {cache!s:5}  {tokens:3} tokens  prefill {cost['prefill'] / 1e9:6.2f} GFLOP"
              f"   decode {cost['decode'] / 1e9:8.2f} GFLOP")

# %% [markdown]
# **Explain.** Double the number of tokens: by what does the decode cost grow without a cache, and with one? One lecture
# prints O(n²d) for the total without and O(nd) with a cache. What is missing?
#
# **Question `cache-gain`.** FLOPs of the whole generation (prefill and decode) without a cache, divided by those with
# one, for GPT-2, a prompt of 10 tokens and 100 new tokens.

# %%
# Your lines.

# %% [markdown]
# ## 6. What the cache weighs

# %% [markdown]
# **Predict.** How much memory does the cache of Llama-2-70B take for a text of 4,096 tokens: 1 GB, 40 GB, or 1 TB?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `kv_cache_bytes`.

# %% nbgrader={"grade": true, "grade_id": "flops-kv_cache_bytes", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.kv_cache_bytes")

# %%
llmlab.reload("flops")
for name in ("GPT-2", "Llama-2-7B", "Llama-2-13B", "Llama-2-70B", "Llama-3.1-8B"):
    print(f"{name:13} {flops.kv_cache_bytes(MODELS[name], 1, 1) / 2**10:5.0f} KiB a token")

# What must be kept of a pass: the results of k_proj and v_proj in every layer. Weigh them on the shipped model.
kept = []
hooks = [getattr(layer.self_attn, part).register_forward_hook(lambda module, given, out: kept.append(out))
         for layer in lm.model.model.layers for part in ("k_proj", "v_proj")]
lm.logits(torch.zeros(3, 40, dtype=torch.long))
for hook in hooks:
    hook.remove()
print("3 texts of 40 tokens:", sum(out.numel() * out.element_size() for out in kept), "bytes;",
      "yours:", flops.kv_cache_bytes(shape, 3, 40, kept[0].element_size()))

# %% [markdown]
# **Explain.** A lecture computes 2 · 80 · 8192 · 128 · 2 bytes, "about 320 MB", for one token of Llama-2-70B, and so
# 1.3 TB for 4,096 of them. Which factor is wrong, and by how much?
#
# **Question `kv-gib`.** How many GiB (2³⁰ bytes) does the cache of `Llama-2-70B` take for 16 sequences of 4,096 tokens,
# with 2 bytes a number?

# %%
# Your line.
