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

# %% [markdown]
# ## 7. Bytes, and the roofline

# %% [markdown]
# **Predict.** An H100 does 989·10¹² FLOPs and moves 3.35·10¹² bytes in a second. How many FLOPs must it do with each
# byte, so that it does not wait for memory?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `matmul_intensity`, `mlp_intensity`, `attention_intensity` and `roofline`. The contracts say exactly what
# is moved. (Book: *Rooflines: from FLOPs to seconds*.)

# %% nbgrader={"grade": true, "grade_id": "flops-matmul_intensity", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.matmul_intensity")

# %% nbgrader={"grade": true, "grade_id": "flops-mlp_intensity", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.mlp_intensity")

# %% nbgrader={"grade": true, "grade_id": "flops-attention_intensity", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.attention_intensity")

# %% nbgrader={"grade": true, "grade_id": "flops-roofline", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.roofline")

# %%
llmlab.reload("flops")
print("batch   MLP   attention of Llama-2-7B   of Llama-2-70B   (decode, 2,048 tokens)")
for batch in (1, 16, 256):
    print(f"{batch:5} {flops.mlp_intensity(MODELS['Llama-2-7B'], batch):5.1f}"
          f" {flops.attention_intensity(MODELS['Llama-2-7B'], 1, 2048):11.2f}"
          f" {flops.attention_intensity(MODELS['Llama-2-70B'], 1, 2048):24.2f}")

# %% [markdown]
# **Explain.** Why does the batch help the MLP, and not attention? What helps attention?

# %%
def work(model, batch, new, context):
    """(FLOPs, bytes moved) of one pass: all weights and all of the cache once."""
    weights = 2 * sum(flops.parameters(model).values())
    return flops.forward_flops(model, batch, new, context), weights + flops.kv_cache_bytes(model, batch, context)


thirteen = MODELS["Llama-2-13B"]
figures.roofline_plot(h100, {
    "decode, batch 1 to 256": [work(thirteen, b, 1, 1024) for b in (1, 4, 16, 64, 256)],
    "prefill of 64 to 4,096 tokens": [work(thirteen, 1, n, n) for n in (64, 256, 1024, 4096)],
}, name="an H100 SXM");

# %% [markdown]
# **Question `compute-bound-rows`.** A lecture says that a product is compute-bound only if more than 295 rows meet the
# weights. Find the border for the MLP's first map in Llama-2-7B: what is the smallest number of rows for which (rows,
# 4096) × (4096, 11008), 2 bytes a number, has an intensity of at least the H100's ridge, 989e12 / 3.35e12?

# %%
# A loop over rows will do.

# %% [markdown]
# ## 8. Seconds, batches, and what a user feels

# %% [markdown]
# **Predict.** Llama-2-13B on an H100, 1,024 tokens of context. One user gets a token every 8 milliseconds at best. With
# 64 users together, how long does each wait for a token: 8, 24, or 500 milliseconds?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `decode_step`, `largest_batch` and `request_latency`.

# %% nbgrader={"grade": true, "grade_id": "flops-decode_step", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.decode_step")

# %% nbgrader={"grade": true, "grade_id": "flops-largest_batch", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.largest_batch")

# %% nbgrader={"grade": true, "grade_id": "flops-request_latency", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("flops.request_latency")

# %%
llmlab.reload("flops")
variants = {"40 kv heads": thirteen, "8 kv heads": {**thirteen, "kv_heads": 8}}
for name, model in variants.items():
    for batch in (1, 64, 256):
        step = flops.decode_step(model, h100, batch, 1024)
        print(f"{name:11} batch {batch:3}: {step['bytes'] / 1e9:6.1f} GB  {step['seconds'] * 1e3:5.2f} ms"
              f"  {step['tokens_per_second']:8.1f} tokens/s")
    print(f"{name:11} up to {flops.largest_batch(model, h100, 1024)} sequences fit")
figures.throughput_against_latency(variants, h100, 1024, [1, 8, 16, 32, 64, 128, 256]);

# %% [markdown]
# These are the figures of the source lecture's study (Stanford CS336, lecture 10): 8.02 ms and 125 tokens per second at
# batch 1, 23.8 ms and 2,689 at 64, 71.9 ms and 3,562 at 256.
#
# **Explain.** Why does the curve with 40 kv heads flatten? Which batch would you choose for a chat, and which for a
# queue of documents to be translated overnight?
#
# **Question `throughput-limit`.** `Llama-3.1-8B` on an H100, 2,048 tokens of context, 2 bytes a number. If the memory
# were endless, and the batch grew and grew: which throughput, in tokens per second, would a decode step approach? (Try
# large batches, or think about which bytes remain.)
#
# **Question `batch-on-a100`.** The largest batch of `Llama-2-13B` with 2,048 tokens of context on the `A100 SXM 80GB`,
# 2 bytes a number.
#
# **Question `total-time`.** A request has a TTFT of 0.8 s, and a TPOT of 0.045 s. Its answer has 120 tokens. How many
# seconds pass from the request to the last token? (A lecture multiplies TPOT by 120.)

# %%
# Your lines.

# %% [markdown]
# ## 9. Your numbers
#
# Replace each `None` by a number with at least three decimals (`compute-bound-rows` and `batch-on-a100` are whole
# numbers; for `throughput-limit` one decimal will do). The cell is read, not run: write plain numbers such as `1.234`,
# no formulas. The cells below say whether a number could be right; whether it *is* right, you learn with the grade.

# %% nbgrader={"grade": false, "grade_id": "lab2-answers", "locked": false, "schema_version": 3, "solution": true, "task": false}
ANSWERS = {
    "square-share": None,  # share from 0 to 1
    "flops-per-parameter": None,  # FLOPs per parameter and token
    "cache-gain": None,  # ratio
    "kv-gib": None,  # GiB
    "compute-bound-rows": None,  # rows
    "throughput-limit": None,  # tokens per second
    "batch-on-a100": None,  # sequences
    "total-time": None,  # seconds
}
### BEGIN SOLUTION
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "answer-square-share", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("square-share", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-flops-per-parameter", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("flops-per-parameter", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-cache-gain", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("cache-gain", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-kv-gib", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("kv-gib", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-compute-bound-rows", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("compute-bound-rows", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-throughput-limit", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("throughput-limit", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-batch-on-a100", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("batch-on-a100", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-total-time", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("total-time", ANSWERS)

# %% [markdown]
# ## 10. Two written answers
#
# A person reads them.
#
# **Derive the cost of a decoder layer.** Start from "a product of $(m, n)$ and $(n, p)$ takes $2mnp$ FLOPs" and arrive
# at the polynomial of `layer_flops`. For each product give the shapes of both factors, with $b$, $s$, $h$ and the
# heads, and its FLOPs. Say why the number of heads drops out. Then say from which length on the term with $s^2$ is the
# larger one, and what changes if only one new token is computed against a cache of $s$ tokens.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written-derivation", "locked": false, "points": 10, "schema_version": 3, "solution": true, "task": false}
# Rubric, 10 points. (a) 3 points: Q, K, V are three products (b s, h) x (h, h), 2 b s h^2 each, together 6 b s h^2; the
# output projection 2 b s h^2. (b) 2 points: for each of b sequences and each head (s, H) x (H, s) for the scores and
# (s, s) x (s, H) for the values, 2 s^2 H each; times the number of heads, whose product with H is h: 2 b s^2 h each, so
# the number of heads drops out. (c) 2 points: MLP (b s, h) x (h, 4h) and (b s, 4h) x (4h, h), 8 b s h^2 each; the sum
# 24 b s h^2 + 4 b s^2 h. (d) 1 point: equal at s = 6 h. (e) 2 points: with a cache b rows instead of b s in the
# projections and the MLP, 24 b h^2, and 4 b s h for scores and values: linear in s; K and V of older tokens are read,
# not computed. Softmax, norms and the like may be left out if the answer says so.

# %% [markdown]
# **Why does a larger batch make decoding cheaper for each token, and why not without limit?** Four to eight sentences,
# with at least two numbers from this notebook. A full answer speaks of bytes and not of FLOPs alone, says which bytes
# are shared among the sequences of a batch and which are not, what the limit is, and one change of the model (not of
# the machine) that raises it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written-batching", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Rubric, 2 points each. (a) A decode step is memory-bound: it moves all weights and does about 2 FLOPs with each, an
# intensity near 1 at batch 1, far below the ridge of 295; so its time is bytes over bandwidth. One reading of the
# weights serves all sequences: from batch 1 to 64 the step gets three times as long (8.02 to 23.8 ms) for 64 times as
# many tokens. (b) Every sequence has its own cache, which grows with batch and context; its intensity does not grow
# with the batch. When caches dominate, time grows in proportion with the batch and the throughput approaches bandwidth
# over the cache of one sequence (3,994 tokens per second in the study); memory ends it earlier (64 sequences). (c)
# Fewer kv heads (grouped queries), as in the second curve: 341 sequences fit, 13,068 tokens per second at 256; or a
# cache in 8 bits, a sliding window, shared prefixes. A smaller model or quantized weights help at small batches only.

# %% [markdown]
# ## 11. Hand in
#
# Save the notebook and the file. `llmlab check lab2` shows where you stand; `llmlab submit lab2` packs everything and
# writes a receipt with the hashes of what it packed.
