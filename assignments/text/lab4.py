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
# # Lab 4: a cache in blocks, and a clock you can trust
#
# A server cannot know how long an answer will be. In the first half of this lab you build the cache that does not
# need to know: keys and values live in small blocks, a table says which ones, and several sequences can use the
# same block. In the second half you build the timer that says what such a thing costs on an accelerator, and you
# will find out how easily a timer lies.
#
# Each part goes the same way: **predict** (never graded), **fill in** a function of `paged_cache.py` or
# `gpu_timing.py`, **check** it, **run** it, and **explain** what you see. Some questions ask for a number;
# collect them in the cell near the end. Locked cells are put back when the lab is graded.

# %% [markdown]
# ## 1. Where your code lives
#
# You hand in this notebook and two files, `paged_cache.py` and `gpu_timing.py`. Read the first 20 lines of the
# first one now: they say what a block, a slot and a table are.

# %%
import random

import torch

import llmlab
from llmlab import figures, paged_cache

print(paged_cache.__llmlab_hash__, paged_cache.__file__)

# %% [markdown]
# The check prints the same path and hash. If it is not the file you are editing, stop here and run `llmlab
# where`. After you saved the file, `llmlab.reload("paged_cache")` fetches it.

# %% [markdown]
# ## 2. A cache in one piece
#
# A server has 4,096 slots, room for one token each. A request comes with a prompt and leaves with an answer. It
# gets one piece of memory for both, when there is a gap that is large enough. The first in line is never passed
# over.

# %%
SLOTS = 4096
draw = random.Random(0)
requests = [(draw.randint(5, 60), min(450, 1 + int(draw.expovariate(1 / 120)))) for _ in range(800)]


def in_pieces(reserve, steps=300):
    """For each step: slots with a token, slots reserved, the sizes of all gaps, and what the first in line needs."""
    line, live, told = list(requests), [], []  # live: [start, size, tokens now, tokens at the end]
    for _ in range(steps):
        while True:
            gaps, at = [], 0
            for start, size, *_ in [*sorted(live), [SLOTS, 0]]:
                gaps.append((at, start - at))
                at = start + size
            need = reserve(*line[0])
            fitting = [at for at, room in gaps if room >= need]
            if not fitting:
                break
            prompt, answer = line.pop(0)
            live.append([fitting[0], need, prompt, prompt + answer])
        for one in live:
            one[2] += 1
        told.append({"held": sum(one[2] for one in live), "reserved": sum(one[1] for one in live),
                     "gaps": [room for _, room in gaps if room], "need": need})
        live = [one for one in live if one[2] < one[3]]
    return told


# %% [markdown]
# **Predict.** Nobody knows how long an answer will be, so everybody gets 512 slots. Which share of what is
# reserved holds a token? And if the length were known in advance, and everybody got just what is needed?

# %% [markdown]
# *I predict:*

# %%
longest = in_pieces(lambda prompt, answer: 512)
exact = in_pieces(lambda prompt, answer: prompt + answer)
for name, told in (("512 for everybody", longest), ("just what is needed", exact)):
    held, reserved = (sum(step[key] for step in told) for key in ("held", "reserved"))
    print(f"{name:20} {held / reserved:.0%} of what is reserved holds a token, {held / 300 / SLOTS:.0%} of the memory")
print("a step:", exact[100])

# %% [markdown]
# Every step of `exact` ends with a refusal: the first in line found no gap. But look at the gaps of the step that
# is printed.
#
# **Question `refused-with-room`.** At how many of the 300 steps of `exact` was the first in line refused,
# although all gaps together had at least as many slots as it needs?

# %%
# Your line.

# %% [markdown]
# A lecture says that external fragmentation is memory that two requests cannot *share*. Is that what you counted?

# %% [markdown]
# ## 3. The allocator
#
# Now the memory is cut into blocks. Any free block will do, so there are no gaps.
#
# **Predict.** Three of four blocks are taken: 0, 1, 2. Then 1 is freed. Which block is handed out next: 1 or 3?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `BlockAllocator`: `allocate`, `share`, `free`. (Book: *A cache in blocks*.)

# %% nbgrader={"grade": true, "grade_id": "paged_cache-BlockAllocator", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
llmlab.check("paged_cache.BlockAllocator")

# %%
llmlab.reload("paged_cache")
blocks = paged_cache.BlockAllocator(4)
print("taken", [blocks.allocate() for _ in range(3)])
blocks.share(0)
for block in (1, 0, 0):
    blocks.free(block)
    print(f"after free({block}): free {blocks.free_blocks()}, users {blocks.ref_counts()}")
try:
    blocks.free(0)
except ValueError as error:
    print("ValueError:", error)

# %% [markdown]
# **Explain.** What could happen, several requests later, if that last `free` were accepted?

# %% [markdown]
# ## 4. Slots, and attention over a table
#
# **Predict.** Blocks of 4, the table is [7, 2]. In which slots are the positions 3 and 4?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `slot_mapping` and `paged_attention`. Slots that no token fills hold numbers of somebody else, and
# the check makes them large. (Book: *A cache in blocks*.)

# %% nbgrader={"grade": true, "grade_id": "paged_cache-slot_mapping", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("paged_cache.slot_mapping")

# %% nbgrader={"grade": true, "grade_id": "paged_cache-paged_attention", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
llmlab.check("paged_cache.paged_attention")

# %%
llmlab.reload("paged_cache")
S, K, H, D = 4, 2, 4, 8
lengths = [13, 5]
tables = [[6, 0, 3, 5], [1, 7]]
generator = torch.Generator().manual_seed(0)
keys, values = ([torch.randn(n, K, D, generator=generator) for n in lengths] for _ in range(2))
k_blocks, v_blocks = (torch.full((8, S, K, D), 100.0) for _ in range(2))
for table, k, v in zip(tables, keys, values):
    slots = paged_cache.slot_mapping(table, 0, len(k), S)
    k_blocks.view(-1, K, D)[slots] = k
    v_blocks.view(-1, K, D)[slots] = v

q = torch.randn(2, H, D, generator=generator)
padded = torch.tensor([table + [-1] * (4 - len(table)) for table in tables])
paged = paged_cache.paged_attention(q, k_blocks, v_blocks, padded, torch.tensor(lengths))
for row, (k, v) in enumerate(zip(keys, values)):
    whole = torch.nn.functional.scaled_dot_product_attention(
        q[row, :, None], k.transpose(0, 1), v.transpose(0, 1), enable_gqa=True)[:, 0]
    print(f"sequence {row}: largest difference to attention that was never cut {(paged[row] - whole).abs().max():.1e}")

# %% [markdown]
# **Explain.** The second sequence has 5 tokens in two blocks. What would happen to its result without a mask?

# %% [markdown]
# ## 5. Tables, forks, copies
#
# **Predict.** A sequence of six tokens lies in blocks 0 and 1, of four slots each. It is forked into three. Then
# each of the three gets a token of its own. How many blocks are in use, and how many were copied?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `block_key` and `BlockManager`. A good order: `add`, `append` and `free` without a prefix cache;
# then `fork`, and what it asks of `append`; then what must hold when blocks run out; the prefix cache last. The
# check has a group for each, and it lends you an allocator of its own, so a mistake in yours costs you nothing
# here. (Book: *A cache in blocks*, *Sharing blocks*.)

# %% nbgrader={"grade": true, "grade_id": "paged_cache-block_key", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("paged_cache.block_key")

# %% nbgrader={"grade": true, "grade_id": "paged_cache-BlockManager", "locked": true, "points": 14, "schema_version": 3, "solution": false, "task": false}
llmlab.check("paged_cache.BlockManager")

# %%
llmlab.reload("paged_cache")
manager = paged_cache.BlockManager(paged_cache.BlockAllocator(8), block_size=4)
frames = figures.follow(manager, [
    ("add", "a", [1, 2, 3, 4, 5, 6]), ("fork", "a", "b"), ("fork", "a", "c"),
    ("append", "a", 7), ("append", "b", 8), ("append", "c", 9), ("append", "a", 10), ("append", "a", 11), ("free", "b")])
for frame in frames:
    print(f"{frame.call:32} -> {frame.value}")
figures.block_frames(frames, 8, 4);

# %% [markdown]
# **Explain.** Why is one of the three appends free of charge? And why is block 0 never copied, although it has
# three users?
#
# **Question `samples-blocks`.** A prompt of 1,000 tokens is forked into 8 samples in all, and each of the 8 gets
# 205 tokens of its own. Blocks have 16 slots. How many blocks are in use at the end? Reckon first, then let your
# manager do it.

# %%
# Your lines.

# %% [markdown]
# ## 6. Prefixes that are there already
#
# **Predict.** A prompt of four tokens is added twice, with blocks of two. How many tokens of the second one need
# not be computed?

# %% [markdown]
# *I predict:*

# %%
manager = paged_cache.BlockManager(paged_cache.BlockAllocator(4), 2, prefix_caching=True)
for call in [("add", "a", [1, 2, 3, 4]), ("add", "b", [1, 2, 3, 4]), ("free", "a"), ("free", "b"),
             ("add", "c", [1, 2, 3, 9]), ("free", "c"), ("add", "d", [8, 8, 8, 8]), ("add", "e", [1, 2, 3])]:
    value = getattr(manager, call[0])(*call[1:])
    print(f"{str(call):28} -> {value!s:5} free {manager.snapshot()['free']}")

# %% [markdown]
# **Explain.** c found a block although nobody was using it. Which blocks did d take, and was the one that c had
# found among them?
#
# Six people talk to an assistant. Every prompt is the whole conversation so far, and every conversation begins
# with the same 48 tokens. An answer is appended, and then the sequence is freed.

# %%
draw = random.Random(7)
turns = [(draw.randrange(6), draw.randint(10, 50), draw.randint(20, 60)) for _ in range(30)]  # user, message, answer


def converse(manager):
    """Tokens of all prompts, and those that had to be computed."""
    texts, total, computed = {}, 0, 0
    for user, message, answer in turns:
        text = texts.setdefault(user, [*range(48)])
        text += [1_000_000 * (user + 1) + len(text) + i for i in range(message)]
        total += len(text)
        computed += len(text) - manager.add("now", text)
        for i in range(answer):
            token = 2_000_000 + len(text)
            manager.append("now", token)
            text.append(token)
        manager.free("now")
    return total, computed


# %% [markdown]
# **Question `chat-computed`.** How many tokens must be computed with a prefix cache on 64 blocks of 16 slots?

# %%
# Your line.

# %% [markdown]
# **Explain.** Try a larger pool as well. What does the difference come from?

# %% [markdown]
# ## 7. What is wasted now
#
# **Fill in** `usage`. (Book: *Where the memory goes*.)

# %% nbgrader={"grade": true, "grade_id": "paged_cache-usage", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("paged_cache.usage")

# %% [markdown]
# The server of part 2 again, on your manager. A request comes in when there are blocks for its prompt and a few
# more. If blocks run out, the newest request starts again.

# %%
llmlab.reload("paged_cache")


def in_blocks(size=16, steps=300, spare=8):
    """For each step: slots with a token, slots of blocks in use."""
    manager = paged_cache.BlockManager(paged_cache.BlockAllocator(SLOTS // size), size)
    line, live, told, born = list(requests), {}, [], 0
    for _ in range(steps):
        while manager.allocator.num_free() > line[0][0] // size + spare:
            born, name = born + 1, f"request {born}"
            live[name] = line.pop(0)
            manager.add(name, [0] * live[name][0])
        for name in list(live):
            if name in live:
                try:
                    manager.append(name, 0)
                except paged_cache.OutOfBlocks:
                    newest = list(live)[-1]
                    manager.free(newest)
                    line.insert(0, live.pop(newest))
        now = manager.snapshot()
        count = paged_cache.usage([now["tables"][name] for name in live], [now["lengths"][name] for name in live], size)
        told.append((count["filled"], count["allocated"]))
        assert count["wasted"] < size * len(live), "less than one block for each sequence"
        for name in [name for name in live if now["lengths"][name] >= sum(live[name])]:
            manager.free(name)
            del live[name]
    return told


figures.memory_over_time({
    "512 for everybody": [(step["held"], step["reserved"]) for step in longest],
    "just what is needed": [(step["held"], step["reserved"]) for step in exact],
    "blocks of 16": in_blocks()}, SLOTS);

# %% [markdown]
# **Explain.** With exact pieces nothing is reserved in vain. Why is the gap between its two lines so wide all the
# same?
#
# **Question `waste-share`.** A lecture says that paging has *zero internal fragmentation*. Take one sequence of
# each length from 1 to 2,048, in blocks of 128, nothing shared. Which share of the allocated slots is wasted?
# Four decimals.

# %%
# Your lines.
