"""Timing an accelerator: how long a piece of work takes, and how near that is to what the hardware can do.

The timers get a `device` (`llmlab.devices.Device`: a GPU, the CPU, or a simulated one) and a `work` that it can run.
They use the methods of the device only: run, record, elapsed, synchronize, now, flush, capture, replay. Launching is
asynchronous: `device.run(work)` puts the work into a queue and returns before it is done.

Nothing here computes on tensors, and nothing draws. Times are in milliseconds, sizes in bytes, rates in FLOP/s and
byte/s; 1 GB = 10**9 bytes and 1 TFLOP = 10**12 FLOP, as on data sheets. A matrix product counts 2 FLOPs for each
multiply-add.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Number = int | float


### BEGIN SOLUTION
def _positive(name: str, value: Number) -> None:
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be a finite number above 0, got {value}")


def _counts(warmup: int, repeats: int) -> None:
    if warmup < 0:
        raise ValueError(f"warmup must be 0 or more, got {warmup}")
    if repeats < 1:
        raise ValueError(f"repeats must be 1 or more, got {repeats}")


def _samples(device, launch, repeats: int, flush: bool) -> list[float]:
    """Milliseconds of each of `repeats` launches, between events; the host waits once, at the end."""
    marks = []
    for _ in range(repeats):
        if flush:
            device.flush()
        start = device.record()
        launch()
        marks.append((start, device.record()))
    device.synchronize()
    return [device.elapsed(start, end) for start, end in marks]


def _quantile(ordered: list[float], q: float) -> float:
    place = (len(ordered) - 1) * q
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


### END SOLUTION
def host_ms(device, work) -> float:
    """Milliseconds that one run of the work takes, by the host's clock.

    The clock must not start before the device is idle, nor stop before the work is done. What remains inside besides
    the work is the launch and the host's own waking up; `event_ms` does without the second.

    device: see the top; work: something that `device.run` takes. Runs it once, without a warm-up. Returns milliseconds
    (`device.now()` tells seconds).

    >>> from llmlab.devices import simulated
    >>> device = simulated(jitter=0.0, stragglers=0.0, ramp=0)
    >>> device.run("matmul")  # compiles, so that the next run does not
    >>> round(host_ms(device, "matmul"), 3)  # 5 us of launch, 295 us of work, 25 us until the host goes on
    0.325
    """
    ### BEGIN SOLUTION
    device.synchronize()
    start = device.now()
    device.run(work)
    device.synchronize()
    return (device.now() - start) * 1e3
    ### END SOLUTION


def event_ms(device, work) -> float:
    """Milliseconds that one run of the work takes, between two events that the device itself stamps.

    An event is put into the queue like a work. Reading the time between two events is an error while the device has not
    reached both.

    device: see the top; work: something that `device.run` takes. Runs it once, without a warm-up. Returns milliseconds.

    >>> from llmlab.devices import simulated
    >>> device = simulated(jitter=0.0, stragglers=0.0, ramp=0)
    >>> device.run("matmul")  # also keeps the device busy while the next launch is on its way
    >>> round(event_ms(device, "matmul"), 3)
    0.295
    """
    ### BEGIN SOLUTION
    return _samples(device, lambda: device.run(work), 1, False)[0]
    ### END SOLUTION


def samples_ms(device, work, *, warmup: int = 3, repeats: int = 20, flush: bool = True) -> list[float]:
    """One time for each of `repeats` runs of the work, after `warmup` runs that are not timed.

    The first run compiles, and the next ones find a device that is not at full speed yet: both are not what is asked
    for. Each run has its own pair of events. With `flush`, the cache is overwritten before each timed run, outside of
    what is timed: then the work finds its data in memory, as it would amid a whole model. Without, it finds them
    where the run before left them. Wait for the device once, after the last repeat: while it has work, launches cost
    no time of their own.

    device, work: see the top; the work runs warmup + repeats times. Returns `repeats` times in milliseconds, in order.
    Raises ValueError, naming the value, for warmup below 0 or repeats below 1.
    Source: the procedure of Triton's `triton.testing.do_bench`.

    >>> from llmlab.devices import simulated
    >>> device = simulated(jitter=0.0, stragglers=0.0, ramp=0)
    >>> samples_ms(device, "matvec", repeats=3), samples_ms(device, "matvec", repeats=3, flush=False)
    ([0.048, 0.048, 0.048], [0.021, 0.021, 0.021])
    """
    ### BEGIN SOLUTION
    _counts(warmup, repeats)
    for _ in range(warmup):
        device.run(work)
    return _samples(device, lambda: device.run(work), repeats, flush)
    ### END SOLUTION


def graph_samples_ms(device, works: Sequence, *, warmup: int = 3, repeats: int = 20) -> list[float]:
    """One time for each of `repeats` replays of a graph that holds all works, after `warmup` replays that are not
    timed.

    A decoding step is hundreds of small kernels, and launching one can take longer than running it. A graph records the
    launches once; a replay launches all of them together. Run each work once before the capture, capture once, then
    time as `samples_ms` does, with a flush before each timed replay. A capture runs nothing.

    device: see the top; works: what one step runs, in order. Returns `repeats` times in milliseconds, each of a whole
    step. Raises ValueError, naming the value, for warmup below 0 or repeats below 1. Source: PyTorch's documentation,
    "CUDA semantics", section "CUDA graphs".

    >>> from llmlab.devices import simulated
    >>> device = simulated(jitter=0.0, stragglers=0.0, ramp=0)
    >>> graph_samples_ms(device, ["norm", "add"], repeats=2)  # 6 + 0.5 + 5 us; launched one by one, 2 launches of 5 us
    [0.0115, 0.0115]
    """
    ### BEGIN SOLUTION
    _counts(warmup, repeats)
    for work in works:
        device.run(work)
    graph = device.capture(list(works))
    for _ in range(warmup):
        device.replay(graph)
    return _samples(device, lambda: device.replay(graph), repeats, True)
    ### END SOLUTION


def summarise(samples: Sequence[float]) -> dict[str, float]:
    """What to report of many times: "median", "p10", "p90", and "spread", which is (p90 - p10) / median.

    A straggler moves the mean by as much as it likes, and the median hardly. The quantile q of n sorted samples lies at
    place (n - 1) * q, counted from 0, and is interpolated linearly between its two neighbours; the median is quantile
    0.5.

    samples: times in any order and unit, at least one. Returns the four numbers; the spread has no unit.
    Raises ValueError for no samples, and, naming the value, for a time that is not a finite number above 0.
    Source: Hyndman and Fan 1996, "Sample quantiles in statistical packages", definition 7.

    >>> {name: round(value, 3) for name, value in summarise([1.0, 1.2, 1.1, 9.0]).items()}
    {'median': 1.15, 'p10': 1.03, 'p90': 6.66, 'spread': 4.896}
    """
    ### BEGIN SOLUTION
    if not len(samples):
        raise ValueError("there are no samples, got []")
    ordered = sorted(float(sample) for sample in samples)
    for sample in samples:
        _positive("a time", sample)
    median, p10, p90 = (_quantile(ordered, q) for q in (0.5, 0.1, 0.9))
    return {"median": median, "p10": p10, "p90": p90, "spread": (p90 - p10) / median}
    ### END SOLUTION


def matmul_cost(m: int, k: int, n: int, itemsize: int = 2) -> tuple[int, int]:
    """FLOPs, and the fewest bytes to move, of the product of an (m, k) and a (k, n) matrix.

    Fewest: each operand is read once, and the result is written once. m = 1 is a matrix-vector product.

    m, k, n: sizes; itemsize: bytes of an element, the same for all three matrices. Returns (FLOPs, bytes), both int.
    Raises ValueError, naming the value, for a size or an itemsize below 1.

    >>> matmul_cost(1, 4096, 4096)
    (33554432, 33570816)
    """
    ### BEGIN SOLUTION
    for name, value in (("m", m), ("k", k), ("n", n), ("itemsize", itemsize)):
        if value < 1:
            raise ValueError(f"{name} must be 1 or more, got {value}")
    return 2 * m * k * n, (m * k + k * n + m * n) * itemsize
    ### END SOLUTION


def decode_attention_cost(batch: int, query_heads: int, kv_heads: int, head_dim: int, context: int,
                          itemsize: int = 2) -> tuple[int, int]:
    """FLOPs, and the fewest bytes to move, of the attention of one layer in one decoding step.

    Each sequence has one new query in each of `query_heads`; it meets the keys and values of `context` tokens.
    Counted are the two products, q K^T and p V; not the softmax. Moved are the cached keys and values, once for each
    of `kv_heads` however many query heads share it, the queries and the outputs. Each sequence has a cache of its
    own.

    context: tokens in the cache, the new one included. Returns (FLOPs, bytes), both int.

    >>> decode_attention_cost(1, 32, 8, 128, 1000)
    (16384000, 4112384)
    """
    ### BEGIN SOLUTION
    flops = 2 * 2 * batch * query_heads * context * head_dim
    cache = 2 * batch * kv_heads * context * head_dim
    return flops, (cache + 2 * batch * query_heads * head_dim) * itemsize
    ### END SOLUTION


def roofline_point(flops: Number, nbytes: Number, ms: float, *, peak_flop_per_s: float,
                   peak_byte_per_s: float) -> dict[str, float | str]:
    """Where a measurement lies on the roofline of a device.

      "intensity"    FLOPs for each byte moved
      "flop_per_s"   reached
      "byte_per_s"   reached
      "roof"         the most FLOP/s at this intensity: min(peak_flop_per_s, intensity * peak_byte_per_s)
      "share"        of the roof that was reached: 1 is all that the hardware can do for such a work
      "bound"        "memory" where the roof is the sloped part, below peak_flop_per_s, else "compute"

    flops, nbytes: of the work; ms: its time. Returns the six values by name.
    Raises ValueError, naming the value, if any argument is not a finite number above 0.
    Source: Williams, Waterman and Patterson 2009, "Roofline".

    >>> point = roofline_point(2e9, 1e9, 1.0, peak_flop_per_s=10e12, peak_byte_per_s=2e12)
    >>> point["intensity"], point["roof"], point["share"], point["bound"]
    (2.0, 4000000000000.0, 0.5, 'memory')
    """
    ### BEGIN SOLUTION
    for name, value in (("flops", flops), ("nbytes", nbytes), ("ms", ms), ("peak_flop_per_s", peak_flop_per_s),
                        ("peak_byte_per_s", peak_byte_per_s)):
        _positive(name, value)
    seconds, intensity = ms / 1e3, flops / nbytes
    slope = intensity * peak_byte_per_s
    roof = min(peak_flop_per_s, slope)
    return {"intensity": intensity, "flop_per_s": flops / seconds, "byte_per_s": nbytes / seconds, "roof": roof,
            "share": flops / seconds / roof, "bound": "memory" if slope < peak_flop_per_s else "compute"}
    ### END SOLUTION


def mfu(params: int, tokens: int, ms: float, peak_tflop_per_s: float) -> float:
    """Model FLOPs utilisation of one forward pass: the FLOP/s that the model needs, over the peak of the device.

    A forward pass costs 2 FLOPs for each parameter and token. Attention scores are left out.

    params: of the model; tokens: processed in the pass, of all sequences together; ms: its time; peak_tflop_per_s:
    989 for 989 TFLOP/s. Returns a share, 0.4 for 40 %. Raises ValueError, naming the value, for an ms that is not
    above 0. Source: Chowdhery et al. 2022, "PaLM", appendix B; there 6 instead of 2, because training also goes
    backward.

    >>> round(mfu(7_000_000_000, 1, 4.2, 989), 5)
    0.00337
    """
    ### BEGIN SOLUTION
    _positive("ms", ms)
    return 2 * params * tokens / (ms / 1e3) / (peak_tflop_per_s * 1e12)
    ### END SOLUTION


def mbu(param_bytes: int, kv_bytes: int, ms: float, peak_gb_per_s: float) -> float:
    """Model bandwidth utilisation of one decoding step: the bytes per second it must read, over the peak of the device.

    A step reads all parameters once, for the whole batch, and the cached keys and values of all its sequences.

    param_bytes, kv_bytes: sizes in bytes; ms: time of the step, which is the time per output token; peak_gb_per_s:
    3350 for 3,350 GB/s. Returns a share, 0.6 for 60 %. Raises ValueError, naming the value, for an ms that is not
    above 0. Source: Agarwal et al. 2023, "LLM inference performance engineering: best practices" (Databricks).

    >>> round(mbu(14_000_000_000, 1_000_000_000, 10.0, 3350), 3)
    0.448
    """
    ### BEGIN SOLUTION
    _positive("ms", ms)
    return (param_bytes + kv_bytes) / (ms / 1e3) / (peak_gb_per_s * 1e9)
    ### END SOLUTION
