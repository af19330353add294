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
