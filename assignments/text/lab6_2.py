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
# ## 7. Looking at what flows in
#
# The second file is `calibration.py`. Its methods look at a few hundred rows of real inputs.

# %%
from llmlab import calibration

print(calibration.__llmlab_hash__, calibration.__file__)
read = calibrate.rows(lm, 8)  # 8 rows of 128 tokens of training text
text = calibrate.rows(lm, 4, part="validation")
flows, hard_flows = calibrate.inputs(lm, read), calibrate.inputs(hard, read)
x = flows[NAME]
print("inputs of the matrix:", tuple(x.shape), "largest in the first 8 channels:", x.abs().amax(0)[:8])

# %% [markdown]
# **Predict.** Two columns of a matrix are multiplied with inputs of size 100, the others with inputs of size
# 1. In which columns does rounding hurt? What could you do about it without giving these columns more bits?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `llm_int8`, `smoothquant_scales`, `fold_scales` and `awq_scales`. (Book: *Rounding with data*.)

# %% nbgrader={"grade": true, "grade_id": "calibration-llm_int8", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("calibration.llm_int8")

# %% nbgrader={"grade": true, "grade_id": "calibration-smoothquant_scales", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("calibration.smoothquant_scales")

# %% nbgrader={"grade": true, "grade_id": "calibration-fold_scales", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("calibration.fold_scales")

# %% nbgrader={"grade": true, "grade_id": "calibration-awq_scales", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("calibration.awq_scales")

# %%
llmlab.reload("calibration")
spiky = torch.cat([x[:, :250], 60 * x[:, 250:]], 1)  # six channels with outliers
right = spiky @ w.T


def error(got):
    return round(float((got - right).square().mean() / right.square().mean()), 6)


print("8 bits, outlier columns apart:", error(calibration.llm_int8(spiky, w)))
print("8 bits, all columns alike:    ", error(calibration.llm_int8(spiky, w, threshold=1e9)))
scale = calibration.smoothquant_scales(spiky, w)
print("8 bits, smoothed:             ", error(calibration.llm_int8(spiky / scale, w * scale, threshold=1e9)))
print("w in 4 bits, nearest:         ", error(spiky @ calibration.round_to_nearest(w, 4, 32).T))
alpha, scale = calibration.awq_scales(spiky, w, 4, 32)
print(f"w in 4 bits, AWQ at {alpha}:     ", error((spiky / scale) @ calibration.round_to_nearest(w * scale, 4, 32).T))

# %% [markdown]
# **Explain.** Where does the division by `scale` go in a model that is used? Why does it cost nothing there?

# %% [markdown]
# ## 8. Letting other columns pay
#
# **Predict.** One column was rounded up too far. Its neighbour nearly always has the same input. What would
# you do with the neighbour before you round it?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `gptq_hessian` and `gptq`. (Book: *Rounding with data*.)

# %% nbgrader={"grade": true, "grade_id": "calibration-gptq_hessian", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("calibration.gptq_hessian")

# %% nbgrader={"grade": true, "grade_id": "calibration-gptq", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
llmlab.check("calibration.gptq")

# %%
llmlab.reload("calibration")
nearest = calibration.round_to_nearest(w, 3, 32)
better = calibration.gptq(w, calibration.gptq_hessian(x), 3, 32)
for name, one in (("nearest", nearest), ("GPTQ", better)):
    print(f"{name:8} relative squared error of the weights {(one - w).square().mean() / w.square().mean():.4f}")

# %% [markdown]
# **Question `gptq-ratio`.** The weights became worse. By which factor did the mean squared error of the
# *output* `x @ w.T` fall, from `nearest` to `better`? Two decimals.

# %%
# Your line.

# %% [markdown]
# ## 9. A whole model
#
# **Predict.** All matrices of the layers go to 4 bits. Which of `lm` and `hard` suffers more, and by how
# much: a percent, a half, a factor of hundreds?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `quantize`, `perplexity` and `drift`. (Book: *Rounding with data*.)

# %% nbgrader={"grade": true, "grade_id": "calibration-quantize", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("calibration.quantize")

# %% nbgrader={"grade": true, "grade_id": "calibration-perplexity", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("calibration.perplexity")

# %% nbgrader={"grade": true, "grade_id": "calibration-drift", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("calibration.drift")

# %%
llmlab.reload("calibration")
schemes = {"8 bits, a row": (8, None, False), "4 bits, a row": (4, None, False), "4 bits, groups of 32": (4, 32, False),
           "the same, GPTQ": (4, 32, True)}
errors = {}
for title, one, seen in (("target", lm, flows), ("outlier", hard, hard_flows)):
    before = one.logits(text)
    matrices = calibrate.matrices(one)
    print(f"{title}: perplexity {calibration.perplexity(before, text):.3f}")
    for name, (bits, group, careful) in schemes.items():
        hessians = {key: calibration.gptq_hessian(rows) for key, rows in seen.items()} if careful else None
        made, spent = calibration.quantize(matrices, bits, group, hessians)
        after = calibrate.changed(one, made).logits(text)
        divergence, agreement = calibration.drift(before, after)
        print(f"  {name:22} {spent:5.2f} bits, perplexity {calibration.perplexity(after, text):8.3f}, "
              f"divergence {divergence:.4f}, same first choice {agreement:.1%}")
        if bits == 4 and title == "outlier":
            errors[name] = calibrate.output_errors(seen, matrices, made)

# %%
figures.error_by_layer(errors);

# %% [markdown]
# **Explain.** Which matrices of the outlier model hurt most, and which do not care? What did multiplying
# columns by 20 do to the scale of a row, and what do groups do about it?
#
# **Question `outlier-ratio`.** The outlier model with 4 bits, groups of 32, rounded to nearest: by which
# factor does its perplexity on `text` grow? Three decimals.

# %%
# Your line.
