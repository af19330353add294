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
# ## 7. Beam search and the length penalty
#
# **Predict.** Can two beams find a *less* likely text than greedy decoding, which is one beam?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `beam_search`, and `length_penalty` in `penalties.py`. A hypothesis that ends in the end-of-text token leaves the
# beam, and must not be lost. (Book: *Beam search*.)

# %% nbgrader={"grade": true, "grade_id": "decoding-beam_search", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
llmlab.check("decoding.beam_search")

# %% nbgrader={"grade": true, "grade_id": "penalties-length_penalty", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("penalties.length_penalty")

# %%
llmlab.reload("decoding")
start = lm.encode("Once upon a time there was a")


@torch.inference_mode()
def step_logits(prefix):
    return lm.next_logits(torch.tensor([start + list(prefix)]), None)[0]


figures.beam_tree(step_logits, lm.pieces, beams=2, steps=4, beam_search=decoding.beam_search);

# %% [markdown]
# The tree was drawn from your own search: from the rows that it asked the model for, and from what it returned. Thin grey
# branches were dropped.

# %%
BEAM_PROMPTS = ("Once upon a time there was a", "The cat sat on the", "The")
for text in BEAM_PROMPTS:
    for beams in (1, 2, 4):
        score, tokens = decoding.beam_search(lm.next_logits, lm.encode(text), beams=beams,
                                             max_new_tokens=12, length_penalty=0.0)[0]
        print(f"{beams} beams {score:8.3f}  {text}|{lm.decode(tokens)!r}")

# %% [markdown]
# **Question `beam-gain`.** Each line shows a sum of log-probabilities over 12 tokens (`length_penalty=0.0`, no end of text).
# For each of the three prompts, how much do 4 beams gain over 1 beam, which is greedy? (It may be nothing.) Report the *sum* of
# the three gains, in nats. Where is the gain largest, and why there?
#
# **Question `flip-alpha`.** Hypothesis A has 3 tokens and log-probability −3.2; hypothesis B has 7 tokens and −5.1. At
# $\alpha = 0$ A wins. In Hugging Face's form, at which $\alpha$ do both have the same score? Solve it on paper, and see whether the
# plot agrees.

# %%
llmlab.reload("penalties")
alphas = [i / 50 for i in range(101)]
figures.score_against_alpha({"A": (-3.2, 3), "B": (-5.1, 7)}, alphas, penalties.length_penalty);

# %%
# The sum of the gains, and the exponent.

# %% [markdown]
# ## 8. Penalties
#
# The end of text is banned now, so the model has to go on. Let it run.

# %%
loop = decoding.generate(without_end, [lm.encode("Once upon a time")], max_new_tokens=180, pad_id=lm.pad_id)[0][0]
print(lm.decode(loop))

# %% [markdown]
# **Question `repeated-4grams`.** A text of $n$ tokens has $n - 3$ groups of four neighbours. Which share of them stood earlier in
# the text? Take the 180 new tokens in `loop`, without the prompt. (No group repeated: 0. The first of two equal groups is not a
# repeat, the second is.)

# %%
# Your lines.

# %% [markdown]
# **Predict.** The source lecture says: *multiply* the logits of tokens that occurred by a factor $\theta > 1$. Two tokens have the
# logits $z = (2, -2)$, the first has occurred, and $\theta = 1.5$. Does its probability fall?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Question `multiplied`.** Which probability does the first token have after the lecture's rule? Compute it for these two tokens
# alone, and compare with the probability before.

# %%
z = torch.tensor([[2.0, -2.0]])
# Your lines.

# %% [markdown]
# **Fill in** the penalties. Mind who is counted: the repetition penalty looks at prompt *and* new tokens, the two penalties of
# OpenAI only at new ones. (Book: *Penalties, and how to tune them*.)

# %% nbgrader={"grade": true, "grade_id": "penalties-repetition_penalty", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
llmlab.check("penalties.repetition_penalty")

# %% nbgrader={"grade": true, "grade_id": "penalties-presence_penalty", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("penalties.presence_penalty")

# %% nbgrader={"grade": true, "grade_id": "penalties-frequency_penalty", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("penalties.frequency_penalty")

# %% nbgrader={"grade": true, "grade_id": "penalties-no_repeat_ngram", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
llmlab.check("penalties.no_repeat_ngram")

# %% nbgrader={"grade": true, "grade_id": "penalties-penalize", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("penalties.penalize")

# %% [markdown]
# What does each of them do to the logits, at the end of the loop?

# %%
llmlab.reload("penalties")
prompt = torch.tensor([lm.encode("Once upon a time")])
generated = torch.tensor([loop])
last = without_end(torch.cat([prompt, generated], dim=1))
after = {
    "repetition 1.3": penalties.repetition_penalty(last, prompt, generated, 1.3),
    "presence 2": penalties.presence_penalty(last, prompt, generated, 2.0),
    "frequency 0.5": penalties.frequency_penalty(last, prompt, generated, 0.5),
    "no 4-gram twice": penalties.no_repeat_ngram(last, prompt, generated, 4),
}
top = last[0].topk(6).indices.tolist()
figures.penalty_effect(last, after, top, lm.pieces, [loop.count(i) for i in top]);

# %% [markdown]
# And what do they do to the text? A model with a penalty is a model again: it takes ids and gives logits. So your `generate` can
# run it without a change. Here each row of a batch gets a treatment of its own.

# %%
treatments = {
    "no penalty": {}, "repetition 1.3": {"repetition": 1.3}, "presence 2": {"presence": 2.0},
    "frequency 0.5": {"frequency": 0.5}, "no 4-gram twice": {"no_repeat_ngram": 4},
}
start = lm.encode("Once upon a time")


def treated(ids, attention_mask):
    """The model, then your `penalize`, with other settings for each row."""
    rows = without_end(ids, attention_mask).split(1)
    old, new = ids[:, :len(start)].split(1), ids[:, len(start):].split(1)
    return torch.cat([penalties.penalize(*row, **how) for *row, how in zip(rows, old, new, treatments.values())])


results = decoding.generate(treated, [start] * len(treatments), max_new_tokens=180, pad_id=lm.pad_id)
for name, (new, _) in zip(treatments, results):
    print(f"--- {name}\n{lm.decode(new)}\n")
figures.repetition_by_strategy({name: [new] for name, (new, _) in zip(treatments, results)});

# %% [markdown]
# **Explain.** Which treatments break the loop, and which only delay it? Which texts still make sense behind the point where the
# loop began? Which penalty hits commas and full stops hardest, and why?

# %% [markdown]
# ## 9. Putting it together
#
# The source lecture ends with one prompt and six strategies. Here they are, with your code. The number behind each name is what a
# token of the text costs the model itself: the mean of $-\log p$ of the chosen tokens, in nats, at $T = 1$.
#
# **Predict.** Which of the six texts is the most likely one, and which the least? Is the most likely one the best?

# %% [markdown]
# *I predict:*

# %%
strategies = {
    "greedy": {"temperature": 0.0}, "T = 0.8": {"temperature": 0.8}, "T = 1.5": {"temperature": 1.5},
    "top-k 20": {"temperature": 1.0, "k": 20}, "top-p 0.9": {"temperature": 1.0, "p": 0.9},
    "T = 0.8, k = 50, p = 0.9": {"temperature": 0.8, "k": 50, "p": 0.9},
}
for name, settings in strategies.items():
    new, reason = decoding.generate(lm.next_logits, [start], max_new_tokens=50, eos_id=lm.eos_id, pad_id=lm.pad_id,
                                    generator=torch.Generator().manual_seed(3), **settings)[0]
    logp = decoding.log_probs(lm.logits(torch.tensor([start + new]))[0, len(start) - 1:-1])
    cost = -logp.gather(-1, torch.tensor(new)[:, None]).mean().item()
    print(f"--- {name}: {cost:.2f} nats a token, ended by {reason}\n{lm.decode(start + new)}\n")

# %% [markdown]
# **Explain.** Which strategy would you take for a story, and which for the answer to a sum? Which pair of settings gives nearly the
# same text, and how could you tell them apart?

# %% [markdown]
# ## 10. Your numbers
#
# Replace each `None` by a number with at least three decimals (`nucleus-size` is a whole number). The cell is read, not run: write
# plain numbers such as `1.234`, no formulas. The cells below say whether a number could be right; whether it *is* right, you learn
# with the grade.

# %% nbgrader={"grade": false, "grade_id": "lab1-answers", "locked": false, "schema_version": 3, "solution": true, "task": false}
ANSWERS = {
    "entropy-t1": None,  # nats
    "entropy-t2": None,  # nats
    "nucleus-size": None,  # tokens
    "first-choice": None,  # probability
    "repeated-4grams": None,  # share from 0 to 1
    "beam-gain": None,  # nats, the sum over the three prompts
    "flip-alpha": None,
    "multiplied": None,  # probability
}
### BEGIN SOLUTION
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "answer-entropy-t1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("entropy-t1", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-entropy-t2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("entropy-t2", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-nucleus-size", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("nucleus-size", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-first-choice", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("first-choice", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-repeated-4grams", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("repeated-4grams", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-beam-gain", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("beam-gain", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-flip-alpha", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("flip-alpha", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-multiplied", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("multiplied", ANSWERS)

# %% [markdown]
# ## 11. Two written answers
#
# Four to eight sentences each. A person reads them.
#
# **Why is it hard to tune temperature and top-p at the same time?** Use a measurement from this notebook. A full answer says what
# temperature does to the *set* that top-p keeps (and to the set that top-k keeps), why two settings can then give almost the same
# distribution, and in which order you would tune.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written-tuning", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Rubric, 2 points each. (a) Coupling: a higher temperature flattens the distribution, so more tokens are needed for the mass p; the
# nucleus grows, while the top-k set never changes, because the order of the logits stays. Measured here: the table in part 5, or
# the nucleus after PROMPT at two temperatures. (b) Consequence: raising T and lowering p pull in opposite directions; different
# pairs give nearly the same spread of tokens, so an effect cannot be credited to one of the two, and a setting found for one value
# of the other does not carry over. (c) Procedure: fix one (p = 1, tune T alone), then tune p with T fixed; change one thing at a
# time, compare on the same prompts and seeds.

# %% [markdown]
# **Why is a repetition penalty risky when a model writes code?** A full answer says which tokens are punished (also those of the
# prompt), gives an example of text that *must* be repeated, says what happens to it at a strong penalty and under a ban of
# n-grams, and names a milder cure.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written-code", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Rubric, 2 points each. (a) Who is hit: every token that occurred in prompt or new text, once each, whatever its role: names,
# brackets, indentation, keywords. (b) Harm: an identifier must be written again exactly; its tokens are in the prompt, so they lose
# against a near synonym and the program no longer runs; a ban of n-grams makes the right token impossible, whatever its logit; the
# penalty also depends on the zero point of the logits. (c) Cure: no penalty or a very small one for code, rather a low temperature or a nucleus;
# a frequency penalty counts new tokens only; stop words and a token budget against endless output.

# %% [markdown]
# ## 12. Hand in
#
# Save the notebook and both files. `llmlab check` shows where you stand; `llmlab submit lab1` packs everything and writes a receipt
# with the hashes of what it packed.
