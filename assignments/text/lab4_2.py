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
