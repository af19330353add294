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
# # Lab 6: quantization and smaller models
#
# A step of decoding reads every weight once. Half the bits for each weight is half the bytes to read, and a
# model that did not fit fits. In this lab you build the grids, the packing and the file formats; then the
# methods that look at data before they round; then two ways to make a model smaller that have nothing to do
# with bits.
#
# Rounding never fails loudly. A wrong scale gives a model that talks a little worse. So measure, in every
# part.
#
# Each part goes the same way: **predict** (never graded), **fill in** a function of `quantization.py`,
# `calibration.py` or `compression.py`, **check** it, **run** it, and **explain** what you see. Some questions
# ask for a number; collect them in the cell near the end. Locked cells are put back when the lab is graded.

# %% [markdown]
# ## 1. Where your code lives
#
# You hand in this notebook and three files. Read the first 12 lines of `quantization.py` now: they say what a
# code, a scale and a group are, and what `by` means in every function.

# %%
import torch

import llmlab
from llmlab import figures, models, quantization
from llmlab.models import calibrate

print(quantization.__llmlab_hash__, quantization.__file__)
lm, hard = models.load("target"), models.load("outlier")
NAME = "model.layers.1.self_attn.q_proj.weight"
w = calibrate.matrices(lm)[NAME]
print(NAME, tuple(w.shape), "from", round(float(w.min()), 3), "to", round(float(w.max()), 3))

# %% [markdown]
# The check prints the same path and hash. If it is not the file you are editing, stop here and run `llmlab
# where`. After you saved the file, `llmlab.reload("quantization")` fetches it.
#
# `hard` computes the same function as `lm`. Some columns of its matrices were multiplied by 20, and what they
# read was divided by 20. Large models have such columns by themselves.

# %% [markdown]
# ## 2. A grid
#
# **Predict.** Four bits are 16 codes. The numbers of a matrix are put on a symmetric grid of 4 bits with one
# scale. How many different values are left? And if every row has a scale of its own?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `symmetric`, `affine` and `dequantize`. (Book: *Weights on a grid*.)

# %% nbgrader={"grade": true, "grade_id": "quantization-symmetric", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.symmetric")

# %% nbgrader={"grade": true, "grade_id": "quantization-affine", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.affine")

# %% nbgrader={"grade": true, "grade_id": "quantization-dequantize", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.dequantize")

# %%
llmlab.reload("quantization")


def rounded(weight, by):
    return quantization.dequantize(*quantization.symmetric(weight, 4, by))


figures.weights_on_grids(w, {"one scale": rounded(w, "tensor"), "one a row": rounded(w, "channel"),
                             "one for each 32": rounded(w, 32)});

# %% [markdown]
# **Explain.** Why does one large number spoil a whole group? And what do small groups cost?
#
# **Question `group-gain`.** By which factor does the mean squared error of `w` fall, at 4 bits, from one
# scale for the matrix to one for each 32 numbers? Two decimals.

# %%
# Your line.

# %% [markdown]
# ## 3. Bits
#
# **Predict.** A byte is 0xF1, and it holds two codes of 4 bits. Which are they?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `pack_int4`, `unpack_int4`, `decode_float` and `round_float`. (Book: *What a number takes*.)

# %% nbgrader={"grade": true, "grade_id": "quantization-pack_int4", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.pack_int4")

# %% nbgrader={"grade": true, "grade_id": "quantization-unpack_int4", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.unpack_int4")

# %% nbgrader={"grade": true, "grade_id": "quantization-decode_float", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.decode_float")

# %% nbgrader={"grade": true, "grade_id": "quantization-round_float", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.round_float")

# %%
llmlab.reload("quantization")
codes = torch.arange(256)
for name, bits, infinities in (("E5M2", (5, 2), True), ("E4M3", (4, 3), False)):
    numbers = quantization.decode_float(codes, *bits, infinities=infinities)
    finite, wrong = numbers[numbers.isfinite()], int(numbers.isnan().sum())
    print(f"{name}: largest {finite.max():g}, smallest above 0 {finite[finite > 0].min():g}, not a number {wrong}")
x = torch.tensor([0.3, 3.3, 33.0, 330.0, 3300.0])
print("E4M3", quantization.round_float(x, 4, 3, 448.0), "E5M2", quantization.round_float(x, 5, 2, 57344.0))

# %% [markdown]
# **Explain.** On a grid of 8 bits all steps are equally wide. Where are the steps of E4M3 narrow? Which kind
# of numbers would you rather put on which of the two?
#
# **Question `e4m3-numbers`.** How many different finite numbers can a byte in E4M3 stand for? (0 and -0 are
# one number.)

# %%
# Your line.

# %% [markdown]
# ## 4. A table instead of a grid
#
# **Predict.** Weights look like draws from a normal distribution. Where should 16 values lie, if each of them
# is to be used about equally often?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `nf4_table`, `table_codes`, `double_quantize` and `bits_per_weight`. (Book: *Weights on a
# grid*.)

# %% nbgrader={"grade": true, "grade_id": "quantization-nf4_table", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.nf4_table")

# %% nbgrader={"grade": true, "grade_id": "quantization-table_codes", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.table_codes")

# %% nbgrader={"grade": true, "grade_id": "quantization-double_quantize", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.double_quantize")

# %% nbgrader={"grade": true, "grade_id": "quantization-bits_per_weight", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.bits_per_weight")

# %%
llmlab.reload("quantization")
table = quantization.nf4_table()
codes, scales = quantization.table_codes(w, table, 64)
back = (table[codes.long()].view(-1, 64) * scales).view_as(w)
print("how often each code is used:", torch.bincount(codes.flatten().long(), minlength=16).tolist())
figures.weights_on_grids(w, {"int4, groups of 64": rounded(w, 64), "NF4, groups of 64": back});

# %%
for name, bits in (("int4, groups of 32", quantization.bits_per_weight(4, 32, 16)),
                   ("NF4, groups of 64", quantization.bits_per_weight(4, 64, 32)),
                   ("NF4, double quantization", quantization.bits_per_weight(4, 64, 8, block=256))):
    print(f"{name:26} {bits:.3f} bits a weight")

# %% [markdown]
# A lecture has a table for a model of 70 billion parameters: 140 GB in 16 bits, 70 in 8, 35 in 4.
#
# **Question `gb-70b`.** Llama-2-70B has 68,976,648,192 parameters. Its embedding and its output matrix have
# 32,000 x 8,192 numbers each and stay in 16 bits. All others take 4 bits, in groups of 32 with a scale of 16
# bits. How many GB (10^9 bytes) are that? Two decimals.

# %%
# Your line.

# %% [markdown]
# ## 5. Blocks in a file
#
# GGUF files hold blocks of bytes, and other programs read them. Here a byte is right or wrong.
#
# **Predict.** Q4_0 has 32 codes of 4 bits and one scale of 16 bits. How many bytes is a block, and how many
# bits a weight?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `q8_0`, `q4_0`, `q4_k` and `from_q4_k`. (Book: *Weights on a grid*.)

# %% nbgrader={"grade": true, "grade_id": "quantization-q8_0", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.q8_0")

# %% nbgrader={"grade": true, "grade_id": "quantization-q4_0", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.q4_0")

# %% nbgrader={"grade": true, "grade_id": "quantization-q4_k", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.q4_k")

# %% nbgrader={"grade": true, "grade_id": "quantization-from_q4_k", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.from_q4_k")

# %%
llmlab.reload("quantization")
for name, pack in (("Q8_0", quantization.q8_0), ("Q4_0", quantization.q4_0), ("Q4_K", quantization.q4_k)):
    blocks = pack(w)
    bits = 8 * blocks.numel() / w.numel()
    print(f"{name}: {blocks.shape[0]:5} blocks of {blocks.shape[1]:3} bytes, {bits:.2f} bits a weight")
back = quantization.from_q4_k(quantization.q4_k(w)).view_as(w)
relative = {"Q4_K": back, "int4, groups of 32": rounded(w, 32)}
print({name: round(float((one - w).square().mean() / w.square().mean()), 5) for name, one in relative.items()})

# %% [markdown]
# ## 6. A layer, and a cache
#
# **Predict.** A layer keeps its weights packed and unpacks them at every call. Is it faster than one that
# keeps numbers of 32 bits? On which machine could it be?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `QuantizedLinear` and `quantize_kv`. (Book: *Weights on a grid*.)

# %% nbgrader={"grade": true, "grade_id": "quantization-QuantizedLinear", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.QuantizedLinear")

# %% nbgrader={"grade": true, "grade_id": "quantization-quantize_kv", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("quantization.quantize_kv")

# %%
llmlab.reload("quantization")
layer = quantization.QuantizedLinear(w)
for name, kept in layer.stored().items():
    print(f"{name:7} {tuple(kept.shape)!s:12} {kept.dtype}, {kept.nbytes} bytes; w alone has {w.nbytes}")

# %%
from llmlab.models.parts import Parts

model = Parts(lm)
ids = torch.tensor([lm.encode("Once upon a time there was a little girl named June. She had a dog and a hat.")])
_, k, v = model.qkv(0, model.embed(ids), torch.arange(ids.shape[1])[None])
k = k * torch.where(torch.arange(k.shape[-1]) == 5, 20.0, 1.0)  # a channel that is large in every token
key_codes, key_scales, value_codes, value_scales = quantization.quantize_kv(k, v, bits=4)
by_token = quantization.dequantize(*quantization.symmetric(k.flatten(0, 2), 4, "channel")).view_as(k)
for name, one in (("a scale for each channel", key_codes * key_scales), ("a scale for each token", by_token)):
    error = (one - k)[..., :5].square().mean() / k[..., :5].square().mean()
    print(f"keys, {name:24} relative squared error of the channels beside the large one {error:.4f}")

# %% [markdown]
# **Explain.** For which of the two is one large channel a neighbour?
