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
# ## 7. Taking tokens back
#
# A small model drafts some tokens, the large one looks at all of them in one pass and rejects a part. The rejected ones
# are in its cache already.
#
# **Question `rollback-length`.** The prompt, of 12 tokens, is in the cache. The draft proposes 5 tokens; they go through
# the large model in one pass. It accepts the first 2, rejects the third, and chooses another token instead, which is fed
# in the next pass. With which number do you call `truncate`?

# %%
cache = kv_cache.KVCache(model.n_layers)
kv_cache.forward(model, cache, ids[:, :12])
kv_cache.forward(model, cache, torch.tensor([[11, 12, 13, 14, 15]]))  # drafted, all wrong here
cache.truncate(12)
x = kv_cache.forward(model, cache, ids[:, 12:])
print("after the rollback:", (model.logits(x) - whole[:, 12:]).abs().max().item())

# %% [markdown]
# ## 8. Prefill and the loop
#
# **Predict.** 50 tokens are written after a prompt of 10. How many rows go through the model with a cache? And without?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `prefill` and `generate`. The check counts the rows that enter the model. (Book: *One row a step*.)

# %% nbgrader={"grade": true, "grade_id": "kv_cache-prefill", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
llmlab.check("kv_cache.prefill")

# %% nbgrader={"grade": true, "grade_id": "kv_cache-generate", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
llmlab.check("kv_cache.generate")

# %%
llmlab.reload("kv_cache")


def without_cache(ids, count):
    for _ in range(count):
        x = kv_cache.forward(model, kv_cache.KVCache(model.n_layers), ids)
        ids = torch.cat([ids, model.logits(x[:, -1:])[:, 0].argmax(-1, keepdim=True)], 1)
    return ids[:, -count:]


prompt = torch.tensor([lm.encode("Once upon a time there was a little girl")])
for name, run in (("with", lambda: kv_cache.generate(model, kv_cache.KVCache(model.n_layers), prompt, 50)),
                  ("without", lambda: without_cache(prompt, 50))):
    model.rows, started = 0, time.perf_counter()
    new = run()
    print(f"{name:8} {model.rows:5} rows  {time.perf_counter() - started:.2f} s  {lm.decode(new[0].tolist())!r}")

# %% [markdown]
# **Explain.** By which factor did the rows fall, by which the time? Where does the difference come from?
#
# **Question `rows-ratio`.** For a prompt of 10 tokens and 50 new ones: the rows that enter the model without a cache,
# divided by those with one (your `generate`).

# %%
# Your line.

# %% [markdown]
# A batch with left padding, and a prompt in chunks:

# %%
texts = [lm.encode("Once upon a time there was a"), lm.encode("The cat")]
size = max(map(len, texts))
batch = torch.tensor([[lm.pad_id] * (size - len(text)) + text for text in texts])
real = torch.tensor([[0] * (size - len(text)) + [1] * len(text) for text in texts])
together = kv_cache.generate(model, kv_cache.KVCache(model.n_layers), batch, 12, real)
for text, new in zip(texts, together.tolist()):
    alone = kv_cache.generate(model, kv_cache.KVCache(model.n_layers), torch.tensor([text]), 12)[0].tolist()
    print(f"{lm.decode(text)}|{lm.decode(new)}   alone the same: {alone == new}")
for chunk in (49, 20, 1):
    logits = kv_cache.prefill(model, kv_cache.KVCache(model.n_layers), ids, chunk)
    print(f"chunks of {chunk:2}: difference {(logits - whole[:, -1]).abs().max().item():.1e}")

# %% [markdown]
# ## 9. A cache that stops growing
#
# **Predict.** With a window of 16, a token sees itself and the 15 before it. The model has 4 layers. From how far back can
# a token still influence the last one?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `WindowCache`. (Book: *What to keep*.)

# %% nbgrader={"grade": true, "grade_id": "kv_cache-WindowCache", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
llmlab.check("kv_cache.WindowCache")

# %%
llmlab.reload("kv_cache")
window, long = 16, ids.repeat(1, 2)  # 98 tokens
plain, small = kv_cache.KVCache(model.n_layers), kv_cache.WindowCache(model.n_layers, window)
for start in range(0, 98, 7):
    part = long[:, start:start + 7]
    a = kv_cache.forward(model, plain, part, window=window)
    b = kv_cache.forward(model, small, part, window=window)
print("same result:", torch.allclose(a, b, atol=1e-4), " bytes:", plain.nbytes(), "and", small.nbytes())

# %% [markdown]
# **Question `window-reach`.** With this window, how many tokens can influence the output for the last token of a long text,
# itself included? Think of one layer first, then of four. You can measure it: change one token of `long`, far from the end
# or near it, and look whether the last row of `forward` changes at all.

# %%
# Your lines.

# %% [markdown]
# ## 10. Your numbers
#
# Replace each `None` by a number. Give `rows-ratio` and `restart-nats` at least three decimals; the others are whole
# numbers. The cell is read, not run: write plain numbers such as `1.234`, no formulas. The cells below say whether a
# number could be right; whether it *is* right, you learn with the grade.

# %% nbgrader={"grade": false, "grade_id": "lab3-answers", "locked": false, "schema_version": 3, "solution": true, "task": false}
ANSWERS = {
    "bidirectional-layers": None,  # layers
    "cache-bytes": None,  # bytes
    "growth-copied": None,  # tokens
    "restart-nats": None,  # nats
    "rollback-length": None,  # tokens
    "rows-ratio": None,
    "window-reach": None,  # tokens
}
### BEGIN SOLUTION
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "answer-bidirectional-layers", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("bidirectional-layers", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-cache-bytes", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("cache-bytes", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-growth-copied", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("growth-copied", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-restart-nats", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("restart-nats", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-rollback-length", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("rollback-length", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-rows-ratio", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("rows-ratio", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-window-reach", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("window-reach", ANSWERS)

# %% [markdown]
# ## 11. A written answer
#
# A person reads it. Six to ten sentences.
#
# **Why does a decoder keep keys and values, and nothing else?** A full answer says which old rows change when a token is
# appended, with what you measured in part 2, and what the causal mask has to do with it; corrects the lecture's reason why
# outputs of attention and MLP are not reused; says what of the past the new token reads in one layer, and what it does not
# read; and names what the cache costs, and one case in which it must be thrown away or cut.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written-why-kv", "locked": false, "points": 8, "schema_version": 3, "solution": true, "task": false}
# Rubric, 2 points each. (a) With a causal mask no old row of any activation changes (part 2: only the new row is listed,
# in all 20 activations); each row depends on its own token and the earlier ones. Without the mask old rows change from
# the first attention on; the keys of layer 0 do not, since nothing has mixed tokens yet. (b) So the outputs of attention
# and MLP could be kept: norm and residual act on each row alone and give the same again. They are not kept because
# nobody reads them. (c) In one layer the new token's query is multiplied with the keys of all columns, and the weights
# with their values: K and V of the past are read. Old queries, attended rows and MLP rows enter only their own rows,
# and only the last row chooses the next token. (d) Cost: 2 x layers x kv heads x width of a head numbers for each
# token, here 4,096 bytes, and reading them in every step. Cut or thrown away: rejected draft tokens, an edited or
# shortened prompt, another model or changed weights, positions that shift.

# %% [markdown]
# ## 12. Hand in
#
# Save the notebook and the file. `llmlab check lab3` shows where you stand; `llmlab submit lab3` packs everything and
# writes a receipt with the hashes of what it packed.
