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

# %% [markdown]
# ## 8. A device that does not wait for you
#
# The second half of this lab is `gpu_timing.py`: a timer for an accelerator. Your functions get a `device` and a `work`,
# and use the methods of the device only. So the same timer runs on a GPU, on this computer's processor, and on a
# simulated device. The check uses the simulated one. It needs no GPU, and it is the same for everybody.

# %%
from llmlab import devices, gpu_timing

device = devices.best()
print(gpu_timing.__llmlab_hash__, gpu_timing.__file__)
print("the best device here:", device.name)

sim = devices.simulated(seed=1)
for name, kernel in sim.kernels.items():
    print(f"{name:11} {kernel.cold_us:6} us from memory, {kernel.warm_us:6} us from the cache")

# %% [markdown]
# `sim.run("matmul")` puts a kernel into the queue of the device and returns. What are the other methods? Read the
# docstrings of `llmlab.devices.base.Device`: eight methods, one line each.
#
# **Predict.** The matrix product takes 310 µs. What does the host's clock show around `sim.run("matmul")`: 310 µs, more,
# or less?

# %% [markdown]
# *I predict:*

# %%
for name in sim.kernels:
    sim.run(name)  # the first run of a kernel compiles it; leave that behind
sim.synchronize()

begin, start = len(sim.trace), sim.now()
sim.flush()
sim.run("matmul")
sim.run("attention")
print(f"host's clock after three launches: {1e6 * (sim.now() - start):.0f} us")
sim.synchronize()
print(f"and when the device was done:      {1e6 * (sim.now() - start):.0f} us")
figures.queue_timeline(sim.trace[begin:]);

# %% [markdown]
# **Fill in** `host_ms` and `event_ms`: two clocks for one run. The first is the host's, and it needs `synchronize` in two
# places. The second belongs to the device: events are put into the queue. (Book: *Timing an accelerator*.)

# %% nbgrader={"grade": true, "grade_id": "gpu_timing-host_ms", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("gpu_timing.host_ms")

# %% nbgrader={"grade": true, "grade_id": "gpu_timing-event_ms", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("gpu_timing.event_ms")

# %%
llmlab.reload("gpu_timing")
for name in ("norm", "attention", "matmul"):
    sim.synchronize()
    print(f"{name:10} by the host's clock {1e3 * gpu_timing.host_ms(sim, name):6.1f} us, "
          f"between events {1e3 * gpu_timing.event_ms(sim, name):6.1f} us")

# %% [markdown]
# **Explain.** By how much do the two differ, and is it the same for a short kernel and a long one? For which of the three
# would you trust the host's clock?

# %% [markdown]
# ## 9. A time that you can report
#
# **Predict.** You run a kernel forty times. Which runs are unlike the others, and why? What changes if the cache is
# overwritten before each run?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `samples_ms` and `summarise`. Keep the flush outside of what is timed, and wait once, at the end.
# (Book: *Warm-up, repeats, and a cold cache*.)

# %% nbgrader={"grade": true, "grade_id": "gpu_timing-samples_ms", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
llmlab.check("gpu_timing.samples_ms")

# %% nbgrader={"grade": true, "grade_id": "gpu_timing-summarise", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("gpu_timing.summarise")

# %%
llmlab.reload("gpu_timing")
rows = {
    "no warm-up": gpu_timing.samples_ms(devices.simulated(seed=5), "attention", warmup=0, repeats=40, flush=False),
    "warm-up": gpu_timing.samples_ms(devices.simulated(seed=5), "attention", repeats=40, flush=False),
    "warm-up, flush": gpu_timing.samples_ms(devices.simulated(seed=5), "attention", repeats=40),
}
figures.sample_strips(rows);

# %% [markdown]
# **Explain.** Which row describes the attention of a decoding step, which reads keys and values that nobody has touched
# since the step before? Where does the mean lie in each row, and why there?
#
# **Question `timer-median`.** The device is `devices.simulated(seed=46, jitter=0.1)`, a fresh one. What is the median
# time of its `"attention"`, in *microseconds*, after 3 runs of warm-up, over 21 repeats with a flush before each?

# %%
# Your lines.

# %% [markdown]
# The same function times real work. A work is then a Python function without arguments.

# %%
a = torch.randn(16, 1024)
weight = torch.randn(1024, 1024)


def product():
    return a @ weight


cpu = devices.CpuDevice()
for flush in (True, False):
    samples = gpu_timing.samples_ms(cpu, product, repeats=15, flush=flush)
    print("flush" if flush else "no flush", gpu_timing.summarise(samples))

# %% [markdown]
# ## 10. A step as a graph
#
# A decoding step of a small model is hundreds of short kernels. On this device a launch costs 10 µs, about what an
# operation costs from Python.
#
# **Predict.** A step has 100 kernels of 5 to 7 µs. How long does it take, launched one by one?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** `graph_samples_ms`: run each work once, capture once, replay many times. (Book: *Graphs*.)

# %% nbgrader={"grade": true, "grade_id": "gpu_timing-graph_samples_ms", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
llmlab.check("gpu_timing.graph_samples_ms")

# %%
llmlab.reload("gpu_timing")
SMALL = ["norm", "add", "activation", "add"] * 25


def one_by_one(device, works, repeats=20):
    """Milliseconds of each of `repeats` steps, launched work by work, after three that are not counted."""
    times = []
    for _ in range(3 + repeats):
        device.flush()
        start = device.record()
        for work in works:
            device.run(work)
        end = device.record()
        device.synchronize()
        times.append(device.elapsed(start, end))
    return times[3:]


eager = gpu_timing.summarise(one_by_one(devices.simulated(seed=12, launch_us=10), SMALL))
print("one by one:", eager)

# %% [markdown]
# **Question `graph-gain`.** How many times faster is the median step as a graph? Take a fresh `devices.simulated(seed=12,
# launch_us=10)` and the same `SMALL`, with the defaults of `graph_samples_ms`.

# %%
# Your lines.

# %% [markdown]
# ## 11. What the time is worth
#
# **Predict.** A kernel reaches 1 % of the peak FLOP/s. Is it a bad kernel?

# %% [markdown]
# *I predict:*

# %% [markdown]
# **Fill in** the two costs, `roofline_point`, `mfu` and `mbu`. Mind the units in the docstrings: milliseconds, GB, TFLOP.
# (Book: *What a time is worth*.)

# %% nbgrader={"grade": true, "grade_id": "gpu_timing-matmul_cost", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("gpu_timing.matmul_cost")

# %% nbgrader={"grade": true, "grade_id": "gpu_timing-decode_attention_cost", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("gpu_timing.decode_attention_cost")

# %% nbgrader={"grade": true, "grade_id": "gpu_timing-roofline_point", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
llmlab.check("gpu_timing.roofline_point")

# %% nbgrader={"grade": true, "grade_id": "gpu_timing-mfu", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check("gpu_timing.mfu")

# %% nbgrader={"grade": true, "grade_id": "gpu_timing-mbu", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
llmlab.check("gpu_timing.mbu")

# %% [markdown]
# Points under a roof that was measured on this computer: one weight matrix, and a batch of vectors that grows.

# %%
llmlab.reload("gpu_timing")
source = torch.zeros(2**23)
copy = torch.empty_like(source)
ms = gpu_timing.summarise(gpu_timing.samples_ms(cpu, lambda: copy.copy_(source), repeats=7))["median"]
times = {}
for batch in (1, 4, 16, 64, 256):
    x = torch.randn(batch, 1024)
    times[batch] = gpu_timing.summarise(gpu_timing.samples_ms(cpu, lambda: x @ weight, repeats=7))["median"]
costs = {batch: gpu_timing.matmul_cost(batch, 1024, 1024, itemsize=4) for batch in times}
peak = max(flops / times[batch] * 1e3 for batch, (flops, _) in costs.items())
width = max(2 * source.nbytes / ms * 1e3, *(moved / times[batch] * 1e3 for batch, (_, moved) in costs.items()))
points = [gpu_timing.roofline_point(*costs[batch], times[batch], peak_flop_per_s=peak, peak_byte_per_s=width)
          for batch in times]
figures.measured_roofline({"weights times a batch": [(point["intensity"], point["flop_per_s"]) for point in points]},
                          peak_flop_per_s=peak, peak_byte_per_s=width, device=cpu.name);

# %% [markdown]
# **Explain.** How much longer does the product with 16 vectors take than with one? Which of the two limits explains that?
#
# **Question `roof-share`.** Suppose that attention in a decoding step takes 0.115 ms on an H100 (989 TFLOP/s, 3.35 TB/s),
# for 16 sequences with 4,096 tokens each, 32 query heads, 8 key heads, heads of size 128, 2 bytes a number. Which share
# of its roof does it reach?
#
# **Question `step-mbu`.** Suppose that a step of a 13B model takes 15.2 ms on a device of 3,350 GB/s, for 12 sequences
# with 1,000 tokens of cache each. Weights: 26 GB. Keys and values: 40 layers, 40 key heads of size 128, 2 bytes a number.
# What is its MBU?
#
# **Question `perfect-mfu`.** A lecture says that a GPU is used to 5 to 30 % in decoding. Take Llama-2-7B (6,738,415,616
# parameters of 2 bytes; 32 layers, 32 key heads of size 128) on the H100 above, 64 sequences, 2,048 tokens of cache each.
# Suppose that the step wastes nothing: it takes just the time to read weights and caches. What is its MFU?

# %%
# Your lines.

# %% [markdown]
# ## 12. Your numbers
#
# Replace each `None` by a number. Write plain numbers, no formulas; shares with four decimals. The cells below
# say whether a number could be right; whether it *is* right, you learn with the grade.

# %% nbgrader={"grade": false, "grade_id": "lab4-answers", "locked": false, "schema_version": 3, "solution": true, "task": false}
ANSWERS = {
    "refused-with-room": None,  # steps
    "samples-blocks": None,  # blocks
    "chat-computed": None,  # tokens
    "waste-share": None,  # share from 0 to 1
    "timer-median": None,  # microseconds
    "graph-gain": None,  # no unit
    "roof-share": None,  # share from 0 to 1
    "step-mbu": None,  # share from 0 to 1
    "perfect-mfu": None,  # share from 0 to 1; at least four decimals
}
### BEGIN SOLUTION
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "answer-refused-with-room", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("refused-with-room", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-samples-blocks", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("samples-blocks", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-chat-computed", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("chat-computed", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-waste-share", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("waste-share", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-timer-median", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("timer-median", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-graph-gain", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("graph-gain", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-roof-share", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("roof-share", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-step-mbu", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("step-mbu", ANSWERS)

# %% nbgrader={"grade": true, "grade_id": "answer-perfect-mfu", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
llmlab.check_answer("perfect-mfu", ANSWERS)

# %% [markdown]
# ## 13. Two written answers
#
# A person reads them.
#
# **Paging removes fragmentation, so blocks should be large: then tables are short.** What is right and what is
# wrong about this? Four to six sentences, with at least two numbers from this notebook. A full answer says which
# fragmentation is gone, what is left and what bounds it, and one more thing that large blocks are bad for.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written-blocks", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# Rubric, 2 points each. (a) External fragmentation is gone: all blocks are alike, any free one fits, nobody is
# refused with room (in part 2: at 163 of 300 steps with exact pieces). Internal fragmentation is left, below one
# block for each sequence, in its last block; it grows with the block: 0.7 % with 16, 5.8 % with 128 for lengths
# up to 2,048. (b) Large blocks are shared less: only full blocks are found by the prefix cache, so up to a block
# of each common prefix is computed and stored again; a copy-on-write copies more, and eviction throws away more
# at once. What speaks for them: shorter tables, longer runs for a kernel to read.

# %% [markdown]
# **How would you check a benchmark?** A colleague reports a new attention kernel for decoding: 5.1 TB/s on a device whose
# data sheet says 3.35 TB/s, "the mean of ten runs, timed with `time.perf_counter`". Four to eight sentences. A full
# answer names what may be wrong with the clock, with the cache and with the counting of bytes, and for each a measurement
# that would show it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "written-benchmark", "locked": false, "points": 6, "schema_version": 3, "solution": true, "task": false}
# Rubric, 2 points each. (a) Clock: a launch returns at once; without synchronising before both readings the host's clock
# measures launches or part of the work. Shown by: the time does not grow with the context; events or a synchronise give
# another one. Also: mean of ten, and was there a warm-up? Both make it slower rather than faster, so they do not explain
# a rate that is too high. (b) Cache: more than the peak cannot come from memory; repeats on the same small cache of keys
# and values read from L2. Shown by: flush before each repeat, or a context whose keys and values are larger than L2. (c)
# Bytes: counted for query heads instead of key heads, twice for copies, or GiB against GB (7 % only). Shown by: counting
# from the shapes, and a profiler's byte counter.

# %% [markdown]
# ## 14. Hand in
#
# Save the notebook and both files. `llmlab check lab4` shows where you stand; `llmlab submit lab4` packs
# everything and writes a receipt with the hashes of what it packed.
