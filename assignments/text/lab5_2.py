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
# ## 6. The loop, and three drafts
#
# A session is a model with its cache: `feed` new tokens, `truncate` what was rejected. The loop never feeds a
# token twice that it could have kept.
#
# **Predict.** The prompt has 12 tokens. The first pass drafts 4 and accepts 2. How many tokens does the
# target hold after it, and which token is fed first in the next pass?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `generate`, then `ModelDraft`, `LookupDraft` and `EarlyExit`. The checks lend you sessions and
# drafts of their own, so a mistake in one costs nothing in another. (Book: *Drafting and checking*,
# *Drafts*.)

# %% nbgrader={"grade": true, "grade_id": "speculative-generate", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.generate")

# %% nbgrader={"grade": true, "grade_id": "speculative-ModelDraft", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.ModelDraft")

# %% nbgrader={"grade": true, "grade_id": "speculative-LookupDraft", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.LookupDraft")

# %% nbgrader={"grade": true, "grade_id": "speculative-EarlyExit", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.EarlyExit")

# %%
llmlab.reload("speculative")
prompt = lm.encode('{"name": "Mira", "age": 7, "city":')
target, draft = Session(lm), figures.Followed(speculative.ModelDraft(Session(small)))
new = speculative.generate(target, draft, [prompt], 40, 4, Dice(1))[0]
print(lm.decode(new))
passes = draft.passes(prompt + new)
print(f"{len(new)} tokens in {target.passes} passes; the text gained {[len(one.gained) for one in passes]}")
figures.draft_strip(passes, lm.pieces);

# %% [markdown]
# Filled squares were accepted, the struck one was rejected, grey ones were dropped unread. At T = 0 the text
# must be the one that plain decoding writes, token for token, whatever the draft is:

# %%
def plainly(session, ids, count):
    """Greedy decoding with a cache, a token a pass."""
    new, step = [], ids
    for _ in range(count):
        step = session.feed([step])[0, -1:].argmax(-1).tolist()
        new += step
    return new


right = plainly(Session(lm), prompt, 60)
drafts = {
    "smaller model": lambda: speculative.ModelDraft(Session(small), temperature=0.0),
    "lookup of 3": lambda: speculative.LookupDraft(3, lm.vocab_size),
    "first 2 of 4 layers": lambda: speculative.ModelDraft(speculative.EarlyExit(Session(lm), 2), temperature=0.0),
    "first 3 of 4 layers": lambda: speculative.ModelDraft(speculative.EarlyExit(Session(lm), 3), temperature=0.0),
}
for name, make in drafts.items():
    target = Session(lm)
    new = speculative.generate(target, make(), [prompt], 60, 4, Dice(0), temperature=0.0)[0]
    print(f"{name:20} {target.passes:3} passes, the same text: {new == right}")

# %% [markdown]
# **Explain.** The model was never trained to speak after 2 layers. What does that do to the number of passes,
# and why does it do nothing to the text? Which of the drafts could you afford, if a pass of the smaller model
# costs a quarter of the target's?
#
# **Question `lookup-passes`.** Continue `prompt` by 80 tokens at T = 0, with `LookupDraft(2, lm.vocab_size)`
# and five drafted tokens a pass. How many passes does the target need?

# %%
# Your lines.

# %% [markdown]
# A pass does not cost what a token costs, so count seconds too:

# %%
def timed(run):
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


seconds = {"plain": timed(lambda: plainly(Session(lm), prompt, 60))}
for gamma in (1, 2, 4, 8):
    seconds[f"gamma {gamma}"] = timed(lambda: speculative.generate(
        Session(lm), speculative.ModelDraft(Session(small), 0.0), [prompt], 60, gamma, Dice(0), temperature=0.0))
print({name: f"{seconds['plain'] / spent:.2f} times as fast" for name, spent in seconds.items()})

# %% [markdown]
# **Explain.** On this pair, does it pay? The target has 3.5 million parameters, so a pass takes hardly longer
# than what Python needs around it, and the draft is not much cheaper. What is different for a model of 70
# billion?

# %% [markdown]
# ## 7. Heads instead of a second model
#
# The second file is `medusa.py`. The row from which the target says its next token also knows something about
# the token after it. A head is a small matrix that was trained to read this out. Its guesses make a tree of
# candidates, and one pass checks the whole tree.

# %%
import torch.nn.functional as F

from llmlab import medusa
from llmlab.models.medusa import ColumnCache, load_heads
from llmlab.models.parts import Parts

print(medusa.__llmlab_hash__, medusa.__file__)
heads, model = load_heads(), Parts(lm)
print("heads:", tuple(heads.shape))

# %% [markdown]
# **Predict.** The target itself is asked for the next token. Which token does head 0 stand for? And will head
# 2 be right more often than head 0, or less?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `head_logits` and `head_loss`. (Book: *Heads and trees: Medusa*.)

# %% nbgrader={"grade": true, "grade_id": "medusa-head_logits", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("medusa.head_logits")

# %% nbgrader={"grade": true, "grade_id": "medusa-head_loss", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("medusa.head_loss")

# %%
llmlab.reload("medusa")
story = torch.tensor(lm.encode(TEXT))
x = model.embed(story[None])
for layer in range(model.n_layers):  # one pass over the whole text
    q_, k_, v_ = model.qkv(layer, x, torch.arange(len(story))[None])
    x = model.finish(layer, x, F.scaled_dot_product_attention(q_, k_, v_, is_causal=True, enable_gqa=True))
said = medusa.head_logits(model, heads, x)
print("nats of each head:", medusa.head_loss(said, story).tolist())
for head, rows in enumerate(said):
    hits = (rows[:len(story) - 2 - head].argmax(-1) == story[2 + head:]).float().mean()
    print(f"head {head}: the first choice is right at {hits:.0%} of the places")

# %% [markdown]
# ## 8. A tree in one pass
#
# **Predict.** Head 0 gives 4 candidates, head 1 gives 2 below each, head 2 gives 1 below each of those. How
# many nodes has the tree, root included? How many of them does a leaf see?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `candidate_tree`, `tree_mask`, `tree_pass`, `best_path` and `generate`. (Book: *Heads and trees:
# Medusa*.)

# %% nbgrader={"grade": true, "grade_id": "medusa-candidate_tree", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("medusa.candidate_tree")

# %% nbgrader={"grade": true, "grade_id": "medusa-tree_mask", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("medusa.tree_mask")

# %% nbgrader={"grade": true, "grade_id": "medusa-tree_pass", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("medusa.tree_pass")

# %% nbgrader={"grade": true, "grade_id": "medusa-best_path", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("medusa.best_path")

# %% nbgrader={"grade": true, "grade_id": "medusa-generate", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("medusa.generate")

# %%
llmlab.reload("medusa")
tokens, parents = medusa.candidate_tree(prompt[-1], said[:, 8], (2, 2, 1))
figures.seen_columns({"what each node sees": medusa.tree_mask(parents)});

# %%
for tops in ((), (1,), (2,), (1, 1, 1), (3, 2, 1)):
    new, sizes = medusa.generate(model, ColumnCache(model.n_layers), heads, torch.tensor(prompt), 60, tops)
    print(f"tops {tops!s:10} {len(sizes):3} passes after the prompt, the same text: {new == right}")

# %% [markdown]
# **Explain.** From (1, 1, 1) to (3, 2, 1) the tree grows from 4 nodes to 16. What do the extra nodes cost on
# a machine on which memory decides, and what do they cost on this one?
#
# **Question `medusa-passes`.** Continue `prompt` by 61 tokens with tops (4, 2, 1). How many passes over a
# tree does that take?

# %%
# Your line.

# %% [markdown]
# ## 9. Nearly the same is not the same
#
# At T > 0 Medusa's authors offer another rule: *typical acceptance*. A lecture lists it among the lossless
# methods.
#
# **Predict.** A token is accepted if the target finds it likely enough, however often the draft proposes it.
# What happens to the tokens that the draft prefers?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `typical_acceptance` and `typical_output`. (Book: *Heads and trees: Medusa*.)

# %% nbgrader={"grade": true, "grade_id": "medusa-typical_acceptance", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("medusa.typical_acceptance")

# %% nbgrader={"grade": true, "grade_id": "medusa-typical_output", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("medusa.typical_output")

# %%
llmlab.reload("medusa")
print("p", p, "\nq", q, "\nwritten", medusa.typical_output(p, q, epsilon=0.09, delta=0.3))

# %% [markdown]
# **Question `typical-tv`.** Take the places of `TEXT` again, at T = 1: p from the target, q from the smaller
# model, epsilon 0.09 and delta 0.3. How far is what typical acceptance writes from p, in total variation, on
# average over all places? Four decimals.

# %%
# Your lines.
