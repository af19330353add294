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
# # Lab 5: speculative decoding
#
# A large model takes as long to look at five tokens as at one, as long as memory decides. So let something
# cheap guess four tokens, and let the large model check all of them in one pass. In this lab you write the
# rule by which a guess is accepted or replaced, three ways to guess, and the loop. In the second half the
# model guesses for itself, with the heads of Medusa.
#
# The promise is a strong one: not one probability changes. Nearly every mistake breaks it without a sign: the
# text still reads well. So most checks add up whole distributions.
#
# Each part goes the same way: **predict** (never graded), **fill in** a function of `speculative.py` or
# `medusa.py`, **check** it, **run** it, and **explain** what you see. Some questions ask for a number;
# collect them in the cell near the end. Locked cells are put back when the lab is graded.

# %% [markdown]
# ## 1. Where your code lives
#
# You hand in this notebook and two files, `speculative.py` and `medusa.py`. Read the first 15 lines of the
# first one now: they say what p, q and gamma are, and what a *session* is. Randomness is always given, as
# uniform numbers.

# %%
import itertools
import time

import torch

import llmlab
from llmlab import figures, models, speculative
from llmlab.models.session import Dice, Session

print(speculative.__llmlab_hash__, speculative.__file__)
lm, small = models.load("target"), models.load("draft")
print(lm, small, sep="\n")

# %% [markdown]
# The check prints the same path and hash. If it is not the file you are editing, stop here and run `llmlab
# where`. After you saved the file, `llmlab.reload("speculative")` fetches it.

# %% [markdown]
# ## 2. The rule for one token
#
# The target's distribution is p, the draft's is q. The draft proposed a token x, drawn from q. It is kept
# with the probability min(1, p(x) / q(x)).
#
# **Predict.** For which tokens does this leave too little? And from which distribution must a token be drawn
# in place of a rejected one?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `distribution`, `accept_probability`, `residual` and `acceptance_rate`. (Book: *Drafting and
# checking*.)

# %% nbgrader={"grade": true, "grade_id": "speculative-distribution", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.distribution")

# %% nbgrader={"grade": true, "grade_id": "speculative-accept_probability", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.accept_probability")

# %% nbgrader={"grade": true, "grade_id": "speculative-residual", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.residual")

# %% nbgrader={"grade": true, "grade_id": "speculative-acceptance_rate", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.acceptance_rate")

# %%
llmlab.reload("speculative")
p, q = torch.tensor([0.5, 0.3, 0.15, 0.05]), torch.tensor([0.2, 0.5, 0.1, 0.2])
kept = q * speculative.accept_probability(p, q)  # drafted and accepted
left = speculative.residual(p, q)
print("kept    ", kept, " together", round(float(kept.sum()), 4))
print("residual", left)
print("written ", kept + (1 - kept.sum()) * left, " should be", p)

# %% [markdown]
# **Explain.** Which of the four tokens can never be written in place of a rejected one? What would go wrong
# if it could?
#
# A lecture states the rule in another way: accept `y_i` if `M_target(y_i) == M_draft(y_i)`. Take it at its
# word: the target draws a token of its own from p, the drafted token is accepted if it is the same one, and
# otherwise a token is drawn from your residual.
#
# **Question `equal-rule-tv`.** With the p and q above, how far is what this rule writes from p? Give the
# total variation, half the sum of the absolute differences.

# %%
# Your lines.

# %% [markdown]
# ## 3. Several tokens
#
# **Predict.** Four tokens are drafted, the third one is rejected. How many tokens does the text gain, and
# what becomes of the fourth? And how many does it gain if all four are accepted?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `verify`. The check adds up the probabilities of all sequences. (Book: *Drafting and checking*.)

# %% nbgrader={"grade": true, "grade_id": "speculative-verify", "locked": true, "points": 10, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.verify")

# %% [markdown]
# The same by hand, on a vocabulary of 3 with 2 drafted tokens. A draft is one of 9 pairs. Uniform numbers go
# through a fine grid, so what comes out is the distribution of the first two tokens, up to the step of the
# grid. Where the text gained one token only, the second is the target's own next one.

# %%
llmlab.reload("speculative")
generator = torch.Generator().manual_seed(3)
P1, P2, P3 = (torch.rand(shape, generator=generator).pow(2) for shape in ((3,), (3, 3), (3, 3, 3)))
Q1, Q2 = (torch.rand(shape, generator=generator).pow(2) for shape in ((3,), (3, 3)))
P1, P2, P3, Q1, Q2 = (one / one.sum(-1, keepdim=True) for one in (P1, P2, P3, Q1, Q2))
steps = 16
grid = (torch.arange(steps) + 0.5) / steps
uniforms = torch.cartesian_prod(grid, grid, grid)  # for two acceptances and the last draw

found = torch.zeros(3, 3)
for a, b in itertools.product(range(3), repeat=2):
    n = len(uniforms)
    told = [torch.stack([P1, P2[a], P3[a, b]]), torch.stack([Q1, Q2[a]]), torch.tensor([a, b])]
    for tokens in speculative.verify(*(one.expand(n, *one.shape) for one in told), uniforms):
        weight = Q1[a] * Q2[a, b] / n
        if len(tokens) > 1:
            found[tokens[0], tokens[1]] += weight
        else:
            found[tokens[0]] += weight * P2[tokens[0]]
joint = P1[:, None] * P2
print("largest difference to the target's joint distribution:", round(float((found - joint).abs().max()), 4))
print("what the draft alone would write is off by:           ", round(float((Q1[:, None] * Q2 - joint).abs().max()), 4))

# %% [markdown]
# ## 4. How often a draft is accepted
#
# **Predict.** The draft has a ninth of the target's parameters. On a line of JSON, which share of its tokens
# survives? At which places does it fail?

# %% [markdown]
# *I predict:*

# %%
TEXT = ('{"name": "Mira", "age": 7, "city": "Beijing", "job": "fisher", '
        '"pets": ["fish", "frog", "fox"], "married": false}')
ids = lm.encode(TEXT)
after_target, after_draft = Session(lm).feed([ids])[0], Session(small).feed([ids])[0]  # logits after every token
rates = speculative.acceptance_rate(after_target.softmax(-1), after_draft.softmax(-1))
for place in rates.argsort()[:6].tolist():
    print(f"{rates[place]:.2f} after {lm.decode(ids[:place + 1])[-30:]!r}")

# %% [markdown]
# **Question `mean-alpha`.** At a temperature of 0.7, for both models: what is the mean acceptance rate over
# all places of the text, the last one included? Four decimals.

# %%
# Your line.

# %% [markdown]
# ## 5. What it brings, on paper
#
# **Predict.** 80 % of the drafted tokens are accepted, four are drafted. A lecture says that a pass then
# brings k times the rate, 3.2 tokens. Is it more or less?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `expected_tokens`, `speedup` and `best_gamma`. (Book: *Drafting and checking*.)

# %% nbgrader={"grade": true, "grade_id": "speculative-expected_tokens", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.expected_tokens")

# %% nbgrader={"grade": true, "grade_id": "speculative-speedup", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.speedup")

# %% nbgrader={"grade": true, "grade_id": "speculative-best_gamma", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("speculative.best_gamma")

# %%
llmlab.reload("speculative")
for alpha in (0.5, 0.7, 0.8, 0.9):
    row = [f"{speculative.speedup(alpha, gamma, 0.1):.2f}" for gamma in (1, 2, 4, 8, 16)]
    best = speculative.best_gamma(alpha, 0.1)
    print(f"alpha {alpha}: speed-up for gamma 1, 2, 4, 8, 16: {', '.join(row)}; best gamma {best}")

# %% [markdown]
# **Question `tokens-at-six`.** Six tokens are drafted, each accepted with probability 0.75. How many tokens
# does a pass of the target give on average?
#
# **Question `break-even-alpha`.** A draft pass costs a quarter of a target pass, and four tokens are drafted.
# Which acceptance rate makes this exactly as fast as plain decoding? Three decimals.
#
# **Question `busy-speedup`.** With 64 sequences at once arithmetic decides, and the pass over five tokens
# costs 3.6 times the pass over one. Rate 0.8, four drafted tokens, a draft pass costs 0.1: what is the
# speed-up?

# %%
# Your lines.
