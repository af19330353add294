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
# ## 10. Your numbers
#
# Replace each `None` by a number. Write plain numbers, no formulas; shares and distances with four decimals.
# The cells below say whether a number could be right; whether it *is* right, you learn with the grade.

# %% nbgrader={"grade": false, "grade_id": "lab5-answers", "locked": false, "schema_version": 3, "solution": true, "task": false}
ANSWERS = {
    "equal-rule-tv": None,  # 0 to 1
    "mean-alpha": None,  # share from 0 to 1
    "tokens-at-six": None,  # tokens
    "break-even-alpha": None,  # share from 0 to 1
    "busy-speedup": None,  # no unit
    "lookup-passes": None,  # passes
    "medusa-passes": None,  # passes
    "typical-tv": None,  # 0 to 1
}
### BEGIN SOLUTION
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "answer-equal-rule-tv", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("equal-rule-tv", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-mean-alpha", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("mean-alpha", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-tokens-at-six", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("tokens-at-six", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-break-even-alpha", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("break-even-alpha", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-busy-speedup", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("busy-speedup", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-lookup-passes", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("lookup-passes", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-medusa-passes", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("medusa-passes", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-typical-tv", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("typical-tv", ANSWERS)

# %% [markdown]
# ## 11. Two written answers
#
# A person reads them.
#
# **Is it lossless?** A friend writes: "Speculative decoding, Medusa and EAGLE are lossless. They accept a
# token when both models agree on it." Four to eight sentences. A full answer says which rule keeps the
# target's distribution and why the residual is needed for it; for which decoding the friend's rule is right;
# and names one of the methods that is not lossless as it is usually run, with a number from this notebook.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written-lossless", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# Rubric, 2 points each. (a) Accept with min(1, p/q), else draw from max(p - q, 0) normalised: a token x is
# written with q min(1, p/q) + rest * residual = min(p, q) + (p - min(p, q)) = p. Without the residual, tokens
# that the draft proposes too rarely stay too rare. "Accept when both agree" is right for greedy decoding of
# both, where p and q are one-hot and the rule becomes just that; sampled, it is off by 0.22 in total
# variation in part 2. (b) Medusa with typical acceptance is lossy: it asks only whether p is large enough, so
# what the draft prefers becomes too frequent (0.07 on average in part 9). Medusa with greedy checking writes
# the greedy text, EAGLE with the rule above is exact. Any one of these, with the number.

# %% [markdown]
# **When is it a loss?** Name two situations in which speculative decoding makes a server slower, each with
# the quantity that decides and a number from this notebook. Then say what you would measure before you switch
# it on, and how you would choose gamma. Four to eight sentences.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written-loss", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# Rubric, 2 points each. (a) Two of: a bad draft (below the break-even rate, 0.52 for c = 1/4 and gamma = 4);
# a draft that is too expensive for the target (cost ratio c: here a pass of the pair costs a good part of a
# target pass, and the timing in part 6 shows little or no gain); a busy server, where a pass over five tokens
# is bound by arithmetic and costs several passes over one (0.84 at a cost of 3.6). Each with its quantity.
# (b) Measure the rate on one's own prompts and temperature, the cost of a draft pass, and the cost of the
# pass over gamma + 1 tokens at the batch size in use; choose the gamma with the largest (1 - a^(gamma+1)) /
# (1 - a) / (gamma c + r), again when the load changes; 0 is a possible answer.

# %% [markdown]
# ## 12. Hand in
#
# Save the notebook and both files. `llmlab check lab5` shows where you stand; `llmlab submit lab5` packs
# everything and writes a receipt with the hashes of what it packed.
