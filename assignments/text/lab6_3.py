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
# ## 10. Fewer numbers instead of fewer bits
#
# The third file is `compression.py`. Pruning takes out whole heads and whole channels, so that an ordinary,
# smaller model is left. Distillation lets it learn from the larger one what it lost.

# %%
from llmlab import compression
from llmlab.models.smaller import layer_weights, with_layers

print(compression.__llmlab_hash__, compression.__file__)
CHANNELS = [f"model.layers.{i}.mlp.down_proj.weight" for i in range(4)]  # its inputs are the channels of the MLP
print("channels of each layer:", [flows[name].shape[1] for name in CHANNELS])

# %% [markdown]
# **Predict.** Half of all channels of the MLPs are taken out. Does it matter which half? What would you
# measure to choose them?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `channel_importance`, `prune_channels`, `group_importance` and `prune_groups`. (Book: *Smaller
# models*.)

# %% nbgrader={"grade": true, "grade_id": "compression-channel_importance", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("compression.channel_importance")

# %% nbgrader={"grade": true, "grade_id": "compression-prune_channels", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("compression.prune_channels")

# %% nbgrader={"grade": true, "grade_id": "compression-group_importance", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("compression.group_importance")

# %% nbgrader={"grade": true, "grade_id": "compression-prune_groups", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("compression.prune_groups")

# %%
llmlab.reload("compression")


def with_channels(one, keep):
    """A model with these channels of each layer's MLP only."""
    return with_layers(one, [compression.prune_channels(layer_weights(one, layer), channels)
                             for layer, channels in enumerate(keep)])


before = calibration.perplexity(lm.logits(text), text)
importance = [compression.channel_importance(flows[name]) for name in CHANNELS]
for count in (640, 528):
    best = [sorted(one.topk(count).indices.tolist()) for one in importance]
    first = [list(range(count))] * 4
    shown = [calibration.perplexity(with_channels(lm, keep).logits(text), text) / before for keep in (best, first)]
    print(f"{count} of 704 channels: perplexity times {shown[0]:.3f}, and {shown[1]:.3f} with the first {count}")

# %% [markdown]
# **Question `half-pruned`.** Keep the 352 channels of each layer that `channel_importance` on `flows` finds
# most important. By which factor does the perplexity on `text` grow? Three decimals.

# %%
# Your lines.

# %% [markdown]
# Heads go in groups: a key-value head with the query heads that read it. `o_proj` reads what attention
# returned.

# %%
for layer in range(4):
    told = flows[f"model.layers.{layer}.self_attn.o_proj.weight"]  # (N, H * d)
    attended = told.view(1, len(told), model.n_heads, model.head_dim).transpose(1, 2)  # (1, H, N, d)
    print(f"layer {layer}: importance of the groups {compression.group_importance(attended, model.n_kv_heads)}")

# %% [markdown]
# **Predict.** A student learns from the next token of the text, or from the teacher's whole distribution.
# Which of the two tells more about "Mira had a red ..."?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `distillation_loss` and `distillation_gradient`. (Book: *Smaller models*.)

# %% nbgrader={"grade": true, "grade_id": "compression-distillation_loss", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("compression.distillation_loss")

# %% nbgrader={"grade": true, "grade_id": "compression-distillation_gradient", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("compression.distillation_gradient")

# %%
llmlab.reload("compression")
student = with_channels(lm, [sorted(one.topk(352).indices.tolist()) for one in importance])
short = calibrate.rows(lm, 24, width=64)
optimizer = torch.optim.AdamW(student.model.parameters(), lr=1e-3)
print(f"pruned: {calibration.perplexity(student.logits(text), text):.3f}, the teacher {before:.3f}")
for step in range(12):
    ids = short[step % 6 * 4:][:4]
    said, taught = student.model(ids, None, None)[:, :-1].flatten(0, 1), lm.logits(ids)[:, :-1].flatten(0, 1)
    loss = compression.distillation_loss(said, taught, ids[:, 1:].flatten(), temperature=2.0, mix=0.9)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
print(f"after 12 steps: {calibration.perplexity(student.logits(text), text):.3f}")

# %% [markdown]
# **Explain.** What did these 12 steps cost, and what did they bring? Try `mix=0`, which learns from the text
# alone.

# %% [markdown]
# ## 11. Your numbers
#
# Replace each `None` by a number. Write plain numbers, no formulas. The cells below say whether a number
# could be right; whether it *is* right, you learn with the grade.

# %% nbgrader={"grade": false, "grade_id": "lab6-answers", "locked": false, "schema_version": 3, "solution": true, "task": false}
ANSWERS = {
    "group-gain": None,  # no unit
    "e4m3-numbers": None,  # numbers
    "gb-70b": None,  # GB
    "gptq-ratio": None,  # no unit
    "outlier-ratio": None,  # no unit
    "half-pruned": None,  # no unit
}
### BEGIN SOLUTION
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "answer-group-gain", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("group-gain", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-e4m3-numbers", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("e4m3-numbers", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-gb-70b", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("gb-70b", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-gptq-ratio", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("gptq-ratio", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-outlier-ratio", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("outlier-ratio", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-half-pruned", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("half-pruned", ANSWERS)

# %% [markdown]
# ## 12. Two written answers
#
# A person reads them.
#
# **A few large channels.** Rounding to 4 bits with a scale for each row hardly harms `lm` and destroys
# `hard`, although both compute the same function. Four to eight sentences. A full answer explains why, with
# two numbers from part 9; and says for two of groups, LLM.int8(), SmoothQuant, AWQ and GPTQ what they do
# about it and what it costs.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written-outliers", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# Rubric, 2 points each. (a) A row of `hard` has a few numbers 20 times as large as the others. The scale
# follows the largest, so the step is 20 times as wide, and nearly all other numbers of the row become 0 or 1
# step: perplexity times 500 and 1 % of the same first choices, against times 1.003 and 92 % for `lm`. The
# function before rounding is the same, but the grid does not know that the inputs of these columns are small.
# (b) Two of: groups bound the damage to the 32 neighbours (0.5 bits a weight more; times 1.2); LLM.int8()
# keeps outlier columns of the inputs in 16 bits (two products, outliers found anew for each input);
# SmoothQuant and AWQ move scale between a channel's inputs and its columns, folded into the operation before
# (a search with data, nothing at run time); GPTQ lets later columns make up for the error (data and minutes
# of work when the model is made, nothing at run time; times 1.08 here).

# %% [markdown]
# **What would you ship?** A lecture's table says: 70B in int8 70 GB, loss below 1 %; in int4 35 GB, loss 1 to
# 3 %. You have a GPU of 40 GB. Four to eight sentences. A full answer corrects the size, with your number;
# says why one figure for the loss is not enough, and what you would measure instead, with an example from
# this notebook; and names one thing that pruning with distillation can do and fewer bits cannot, or the other
# way round.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written-ship", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# Rubric, 2 points each. (a) Scales count: 4.5 bits with groups of 32 and 16 for embedding and output give
# 39.6 GB, and the cache needs memory too: 35 GB fits in 40, this does not. Larger groups or a mix are choices
# with a price. (b) The loss depends on the model (times 1.003 for `lm`, 1.2 for `hard` at the same 4.5 bits),
# on method and group size, and perplexity hides changes: the first choice of `lm` changes at 6 to 8 % of the
# places while perplexity moves by 0.3 %. Measure divergence and agreement with the original, and the task
# itself. Pruning makes products smaller on every machine, without special kernels, and less arithmetic; it
# needs training to repair (1.39 before, 12 steps after it less). Fewer bits need no training and save more
# memory for the same loss, but arithmetic only where kernels for them exist.

# %% [markdown]
# ## 13. Hand in
#
# Save the notebook and the three files. `llmlab check lab6` shows where you stand; `llmlab submit lab6` packs
# everything and writes a receipt with the hashes of what it packed.
