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
# # Lab 1: from logits to text
#
# A language model gives numbers. You decide what they become: a dull text, a wild one, a loop, a story.
# In this lab you write every rule that stands between the numbers and the text, and you run each of them on a real,
# small model.
#
# Each part goes the same way:
#
# 1. **Predict.** Write down what you expect, before you run anything. A prediction costs nothing and is never graded.
# 2. **Fill in.** Write the function in `decoding.py` or `penalties.py`, in your editor.
# 3. **Check.** Run the check cell here, or leave `llmlab check decoding --watch` running in a terminal: it tests each time
#    you save.
# 4. **Run** your function on the model, and look at the plot.
# 5. **Explain** what you see. Some questions ask for a number; collect them in the cell near the end.
#
# Locked cells are put back when the lab is graded. All others are yours, and you may add as many as you like.

# %% [markdown]
# ## 1. Where your code lives
#
# You hand in this notebook and two files. The next cell says which files the notebook uses, and the first digits of their
# hashes. The check prints the same. If the path is not that of the file you are editing, stop here and run `llmlab where`.

# %%
import math

import torch

import llmlab
from llmlab import decoding, figures, models, penalties

for module in (decoding, penalties):
    print(module.__llmlab_hash__, module.__file__)

# %% [markdown]
# A notebook remembers what it imported. After you saved a file, say `llmlab.reload("decoding")`: then `decoding.top_p` is
# the function that you just saved. (A name that was imported *from* a module would stay the old one. So this notebook always
# writes `decoding.top_p`.)
#
# Now the model, and two helpers.

# %%
lm = models.load("target")
print(lm)


def next_logits(text):
    """The logits (V,) of the token after a text."""
    return lm.next_logits(torch.tensor([lm.encode(text)]), None)[0]


def without_end(ids, attention_mask=None):
    """The model with its end-of-text token banned: it has to go on writing."""
    logits = lm.next_logits(ids, attention_mask).clone()
    logits[:, lm.eos_id] = -math.inf
    return logits


PROMPT = "The cat sat on the"
logits = next_logits(PROMPT)
print(tuple(logits.shape), logits.dtype, "from", logits.min().item(), "to", logits.max().item())

# %% [markdown]
# One pass gave one number for each token of the vocabulary, and no token. Everything below turns such numbers into tokens.

# %% [markdown]
# ## 2. Logits and log-probabilities
#
# **Predict.** Add 100 to every logit. What happens to the probabilities? Then: how many tokens share the first half of the
# probability after *The cat sat on the*: 1, 5, 50 or 500?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `log_probs`. The logarithm of a softmax goes wrong in two ways if it is written down as it is defined: the
# exponential overflows, and the logarithm of a tiny probability is −∞. One subtraction cures both.
# (Book: *From logits to tokens*.)

# %% nbgrader={"grade": true, "grade_id": "decoding-log_probs", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("decoding.log_probs")

# %%
llmlab.reload("decoding")
moved = decoding.log_probs(logits + 100)
print("largest change after adding 100:", (moved - decoding.log_probs(logits)).abs().max().item())
figures.next_token_bars(logits, lm.pieces, title=f"after {PROMPT!r}");

# %% [markdown]
# Every figure says in words what it shows: try `print(figures.next_token_bars(logits, lm.pieces).alt)`.
#
# **Question `entropy-t1`.** The *entropy* measures how much choice is left: $H = -\sum_i p_i \log p_i$, in nats, with the
# natural logarithm. What is it for the next token after `PROMPT`? Two lines with your `log_probs` do it. A probability of 0
# contributes 0.

# %%
# Your two lines.

# %% [markdown]
# ## 3. Greedy decoding and temperature
#
# **Predict.** Divide all logits by $T$. Below $T = 1$, which tokens gain probability: the first, the first few, the tail?
# What is the entropy at $T = 0$, and what does it approach as $T$ grows?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `greedy` and `apply_temperature`. At $T = 0$ the division fails, so the contract in the docstring gives that end
# a rule of its own. Read it before you write. (Book: *Greedy decoding, temperature, sampling*.)

# %% nbgrader={"grade": true, "grade_id": "decoding-greedy", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("decoding.greedy")

# %% nbgrader={"grade": true, "grade_id": "decoding-apply_temperature", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("decoding.apply_temperature")

# %%
llmlab.reload("decoding")
for t in (0.0, 0.5, 1.0, 2.0, math.inf):
    p = decoding.apply_temperature(logits, t).softmax(-1)
    print(f"T = {t:<4}  first choice {p.max().item():.4f}   median token {p.median().item():.2e}")
figures.next_token_bars(logits, lm.pieces, decoding.apply_temperature(logits, 0.5), names=("T = 1", "T = 0.5"));

# %%
rows = {text: next_logits(text) for text in (PROMPT, "Once upon a time there was a little", "12 + 7 =")}
figures.entropy_against_temperature(rows, [0.05 * i for i in range(81)], decoding.apply_temperature);

# %% [markdown]
# **Explain.** Each curve rises, and all end near the grey line. Which curve starts to rise last, and what does that say about
# the model's certainty there?
#
# **Question `entropy-t2`.** The entropy after `PROMPT` at $T = 2$, in nats.

# %%
# Your line.

# %% [markdown]
# ## 4. Sampling
#
# **Predict.** You draw 2,000 tokens after `PROMPT`. A token has probability 0.01. How often do you see it: never, about twice,
# about twenty times?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `sample`. It takes a generator, and all its randomness comes from there: the same seed, the same text. The check
# draws many thousands of times and compares the counts with the probabilities. A sampler that always takes the best
# token does not pass, nor one that disturbs other people's random numbers. (Book: *Sampling*.)

# %% nbgrader={"grade": true, "grade_id": "decoding-sample", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
llmlab.check("decoding.sample")

# %%
llmlab.reload("decoding")
draws = decoding.sample(logits.expand(2000, -1), torch.Generator().manual_seed(0))
share = draws.bincount(minlength=lm.vocab_size) / len(draws)
figures.next_token_bars(logits, lm.pieces, share.log(), names=("probability", "share of 2,000 draws"));

# %% [markdown]
# ## 5. Cutting the tail: top-k, top-p, min-p
#
# **Predict.** The probabilities are 0.5, 0.3, 0.2, and $p = 0.7$. Which tokens does top-p keep? And with $p = 0.5$?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** the four rules. Each returns logits in which removed tokens have −∞, and none changes its input. Watch for the
# token that *crosses* the border in top-p: it stays. (Book: *Cutting the tail*.)

# %% nbgrader={"grade": true, "grade_id": "decoding-top_k", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("decoding.top_k")

# %% nbgrader={"grade": true, "grade_id": "decoding-top_p", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("decoding.top_p")

# %% nbgrader={"grade": true, "grade_id": "decoding-top_k_top_p", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("decoding.top_k_top_p")

# %% nbgrader={"grade": true, "grade_id": "decoding-min_p", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("decoding.min_p")

# %%
llmlab.reload("decoding")
figures.next_token_bars(logits, lm.pieces, decoding.top_p(logits, 0.5), top=16, names=("T = 1", "top-p, p = 0.5"));

# %% [markdown]
# The kept tokens grew, all by the same factor. Now follow the size of the nucleus along a text.

# %%
text = "Once upon a time there was a little cat. The cat lived in a small house near the lake."
ids = lm.encode(text)
before = lm.logits(torch.tensor([ids]))[0, :-1]  # the logits before each token but the first
sizes = (decoding.top_p(before, 0.9) > -math.inf).sum(-1).tolist()
figures.nucleus_along_text([lm.pieces[i] for i in ids[1:]], sizes, p=0.9);

# %% [markdown]
# **Explain.** Where is the nucleus one token wide? Where is it wide open? What would `top_k` with $k = 20$ do at these two
# places?
#
# **Question `nucleus-size`.** How many tokens does your `top_p` keep after `PROMPT` at $T = 1$, $p = 0.9$?
#
# **Question `first-choice`.** Apply $T = 1.5$, then top-k with $k = 20$ and top-p with $p = 0.8$, in the library's order. What
# probability does the first choice after `PROMPT` have then?

# %%
# Your lines.

# %% [markdown]
# Does the order matter? Count the tokens that each order keeps, and the tokens that temperature lets in.

# %%
print("k = 20, then p = 0.9:", int((decoding.top_k_top_p(logits, 20, 0.9) > -math.inf).sum()))
print("p = 0.9, then k = 20:", int((decoding.top_k(decoding.top_p(logits, 0.9), 20) > -math.inf).sum()))
print("   T  top-k 20  top-p 0.9  min-p 0.1")
for t in (0.5, 1.0, 1.5, 2.0):
    hot = decoding.apply_temperature(logits, t)
    cuts = (decoding.top_k(hot, 20), decoding.top_p(hot, 0.9), decoding.min_p(hot, 0.1))
    kept = [int((cut > -math.inf).sum()) for cut in cuts]
    print(f"{t:4}  {kept[0]:8}  {kept[1]:9}  {kept[2]:9}")

# %% [markdown]
# ## 6. The loop: stop words and left padding
#
# **Predict.** Two prompts of different length go through the model together. The shorter one is filled up with padding. On
# which side, and why? And: a row is finished, the other is not. What is the model shown for the finished one?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `generate`. It is the longest function of the lab. A good order: one prompt and greedy; then sampling;
# then a batch with left padding and mask; then rows that finish early; at last stop words. The check has a group for each.
# (Book: *The generation loop*.)

# %% nbgrader={"grade": true, "grade_id": "decoding-generate", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
llmlab.check("decoding.generate")

# %%
llmlab.reload("decoding")
prompts = [lm.encode("Once upon a time"), lm.encode("The cat")]
together = decoding.generate(lm.next_logits, prompts, max_new_tokens=24, eos_id=lm.eos_id, pad_id=lm.pad_id)
alone = [decoding.generate(lm.next_logits, [one], max_new_tokens=24, eos_id=lm.eos_id, pad_id=lm.pad_id)[0]
         for one in prompts]
for one, (new, reason) in zip(prompts, together):
    print(f"[{reason}] {lm.decode(one)}|{lm.decode(new)}")
print("the batch changes nothing:", together == alone)

# %% [markdown]
# Look at what the model is given. Every call gets ids and a mask; the mask is 0 on padding.

# %%
def spy(ids, attention_mask):
    print(attention_mask.tolist())
    return lm.next_logits(ids, attention_mask)


decoding.generate(spy, prompts, max_new_tokens=3, eos_id=lm.eos_id, pad_id=lm.pad_id);

# %% [markdown]
# A stop word is text, and the model writes tokens. The same letters are cut in different ways:

# %%
for word in ("END", " END", "the END.", "猫"):
    print(f"{word!r:12}", [lm.pieces[i] for i in lm.encode(word)])
new, reason = decoding.generate(lm.next_logits, [lm.encode("Once upon a time")], max_new_tokens=60, eos_id=lm.eos_id,
                                stop=[". "], pieces=lm.pieces)[0]
print(reason, repr(lm.decode(new)))

# %% [markdown]
# **Explain.** Why must the bytes of the tokens be joined before the search, and not the decoded texts of single tokens?
