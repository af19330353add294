"""Times what decoding is made of on a GPU, or on the CPU where there is none. Writes results/gpu_<device>.json.

    python -m benchmarks.gpu

Measured with the course's own timer (`solutions/gpu_timing.py`): matrix products, products with a batch of vectors,
attention of one decoding step over batch sizes, a whole decoding step of a Llama-shaped model with random weights
(launched work by work, and as a graph), and one product timed in the wrong ways. Every time is the median of repeats
after a warm-up, the cache flushed before each. The roof is that of the device's data sheet where it is known here,
else the best rates that this run reached.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import rms_norm, scaled_dot_product_attention, silu

import llmlab
from benchmarks.record import write
from llmlab import devices

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import gpu_timing as timing  # noqa: E402  (after the choice of the code)

COMMAND = "python -m benchmarks.gpu"
SHEETS = {"H200": (989.4e12, 4.8e12), "H100 80GB HBM3": (989.4e12, 3.35e12), "A100-SXM4-80GB": (312e12, 2.039e12),
          "A100-SXM4-40GB": (312e12, 1.555e12)}
"""Dense bf16 FLOP/s and byte/s from NVIDIA's data sheets, by a part of the name that the driver tells."""
Work = Callable[[], object]
Values = dict[str, float | int | str]


@dataclass(frozen=True)
class Sizes:
    """What is measured on one kind of device. `layers` to `context` are the shape of the decoding step's model."""

    dtype: torch.dtype
    products: tuple[int, ...]
    width: int
    batches: tuple[int, ...]
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    middle: int
    context: int
    copied: int
    repeats: int


GPU = Sizes(torch.bfloat16, (256, 512, 1024, 2048, 4096, 8192, 16384), 8192,
            (1, 2, 4, 8, 16, 32, 64, 128, 256, 512), 32, 4096, 32, 8, 14336, 2048, 2**32, 30)
CPU = Sizes(torch.float32, (32, 64, 128, 256, 512, 1024), 2048,
            (1, 2, 4, 8, 16, 32, 64), 4, 512, 8, 4, 1408, 256, 2**28, 15)


class Bench:
    """One device, its sizes and what was measured so far."""

    def __init__(self) -> None:
        self.device = devices.best()
        self.gpu = isinstance(self.device, devices.CudaDevice)
        self.sizes = GPU if self.gpu else CPU
        self.where = {"device": "cuda" if self.gpu else "cpu", "dtype": self.sizes.dtype}
        self.item = self.sizes.dtype.itemsize
        self.values: Values = {}
        self.points: dict[str, tuple[float, float, float]] = {}

    def new(self, *shape: int) -> torch.Tensor:
        """Random numbers, small enough that nothing overflows."""
        return torch.randn(*shape, **self.where) * 0.02

    def time(self, work: Work) -> dict[str, float]:
        """Median and spread of a work, flushed."""
        return timing.summarise(timing.samples_ms(self.device, work, repeats=self.sizes.repeats))

    def point(self, name: str, work: Work, cost: tuple[int, int]) -> None:
        """Measure a work of known cost."""
        told = self.time(work)
        self.points[name] = (*cost, told["median"])
        self.values |= {f"{name}_ms": told["median"], f"{name}_spread": told["spread"]}
        print(f"{name}: {told['median']:.4g} ms, spread {told['spread']:.0%}")


def products(bench: Bench) -> None:
    """Square products, and a batch of vectors times one weight matrix."""
    for n in bench.sizes.products:
        a, b, out = (bench.new(n, n) for _ in range(3))
        bench.point(f"matmul_{n}", lambda a=a, b=b, out=out: torch.mm(a, b, out=out),
                    timing.matmul_cost(n, n, n, bench.item))
    width = bench.sizes.width
    weight = bench.new(width, width)
    for batch in bench.sizes.batches:
        x, out = bench.new(batch, width), bench.new(batch, width)
        bench.point(f"vectors_{batch}", lambda x=x, out=out: torch.mm(x, weight, out=out),
                    timing.matmul_cost(batch, width, width, bench.item))


def attention(bench: Bench) -> None:
    """One layer's attention in a decoding step, over batch sizes."""
    size = bench.sizes
    dim = size.hidden // size.heads
    for batch in size.batches:
        q = bench.new(batch, size.heads, 1, dim)
        k, v = (bench.new(batch, size.kv_heads, size.context, dim) for _ in range(2))
        bench.point(f"attention_{batch}", lambda q=q, k=k, v=v: scaled_dot_product_attention(q, k, v, enable_gqa=True),
                    timing.decode_attention_cost(batch, size.heads, size.kv_heads, dim, size.context, bench.item))


def copy_rate(bench: Bench) -> float:
    """Byte/s of copying a large tensor: read once, written once."""
    source = torch.zeros(bench.sizes.copied // bench.item, **bench.where)
    target = torch.empty_like(source)
    ms = bench.time(lambda: target.copy_(source))["median"]
    return 2 * source.nbytes / (ms / 1e3)


def roof(bench: Bench) -> tuple[float, float]:
    """Peak FLOP/s and byte/s: the data sheet's, or what this run reached at best."""
    reached = max(flops / (ms / 1e3) for flops, _, ms in bench.points.values())
    copied = copy_rate(bench)
    streamed = max(moved / (ms / 1e3) for _, moved, ms in bench.points.values())
    bench.values |= {"reached_flop_per_s": reached, "copy_byte_per_s": copied}
    for part, sheet in SHEETS.items():
        if bench.gpu and part in bench.device.name:
            bench.values["roof_source"] = "data sheet"
            return sheet
    bench.values["roof_source"] = "the best product and the best stream of this run"
    return reached, max(copied, streamed)


def decoding_step(bench: Bench, batch: int) -> tuple[list[Work], int, int]:
    """The works of one decoding step, the bytes of all weights and the bytes of all caches."""
    size = bench.sizes
    dim, kv = size.hidden // size.heads, size.kv_heads * (size.hidden // size.heads)
    x, normed, mixed = (bench.new(batch, size.hidden) for _ in range(3))
    qkv = bench.new(batch, size.hidden + 2 * kv)
    wide, act = bench.new(batch, 2 * size.middle), bench.new(batch, size.middle)
    works: list[Work] = []
    weights: list[torch.Tensor] = []
    caches: list[torch.Tensor] = []
    for _ in range(size.layers):
        layer = [bench.new(size.hidden, size.hidden + 2 * kv), bench.new(size.hidden, size.hidden),
                 bench.new(size.hidden, 2 * size.middle), bench.new(size.middle, size.hidden), bench.new(size.hidden)]
        k, v = (bench.new(batch, size.kv_heads, size.context, dim) for _ in range(2))
        weights, caches = weights + layer, [*caches, k, v]

        def norm(gain=layer[4]):
            normed.copy_(rms_norm(x, (size.hidden,), gain))

        def attend(k=k, v=v):
            q = qkv[:, :size.hidden].view(batch, size.heads, 1, dim)
            mixed.copy_(scaled_dot_product_attention(q, k, v, enable_gqa=True).reshape(batch, size.hidden))

        def gate():
            act.copy_(silu(wide[:, :size.middle]) * wide[:, size.middle:])

        works += [norm, lambda w=layer[0]: torch.mm(normed, w, out=qkv), attend, lambda w=layer[1]: x.addmm_(mixed, w),
                  norm, lambda w=layer[2]: torch.mm(normed, w, out=wide), gate, lambda w=layer[3]: x.addmm_(act, w)]
    return works, sum(w.nbytes for w in weights), sum(c.nbytes for c in caches)


def steps(bench: Bench, peak_byte_per_s: float) -> None:
    """A whole step at two batch sizes: work by work, and as a graph; the bandwidth it uses."""
    for batch in (1, bench.sizes.batches[len(bench.sizes.batches) // 2]):
        works, params, cached = decoding_step(bench, batch)

        def all_works(works=works):
            for work in works:
                work()

        eager = bench.time(all_works)["median"]
        graph = timing.summarise(timing.graph_samples_ms(bench.device, works, repeats=bench.sizes.repeats))["median"]
        best = min(eager, graph)
        share = timing.mbu(params, cached, best, peak_byte_per_s / 1e9)
        bench.values |= {f"step_{batch}_eager_ms": eager, f"step_{batch}_graph_ms": graph, f"step_{batch}_mbu": share,
                         f"step_{batch}_param_bytes": params, f"step_{batch}_cache_bytes": cached,
                         "step_works": len(works)}
        print(f"step of batch {batch}: {eager:.4g} ms work by work, {graph:.4g} ms as a graph, MBU {share:.0%}")


def mistakes(bench: Bench) -> None:
    """One product, timed in wrong ways beside the right one."""
    width = bench.sizes.width // 2
    a, b, out = bench.new(16, width), bench.new(width, width), bench.new(16, width)

    def work():
        torch.mm(a, b, out=out)

    device = bench.device
    first = timing.host_ms(device, work)
    for _ in range(5):
        work()
    launches, hosts = [], []
    for _ in range(bench.sizes.repeats):
        device.synchronize()
        start = device.now()
        device.run(work)
        launches.append(1e3 * (device.now() - start))
        hosts.append(timing.host_ms(device, work))
    warm = timing.samples_ms(device, work, repeats=bench.sizes.repeats, flush=False)
    cold = timing.samples_ms(device, work, repeats=bench.sizes.repeats)
    median = {name: timing.summarise(samples)["median"]
              for name, samples in {"launch": launches, "host": hosts, "warm": warm, "cold": cold}.items()}
    bench.values |= {f"wrong_{name}_ms": value for name, value in median.items()}
    bench.values |= {"wrong_first_ms": first, "wrong_cold_mean_ms": sum(cold) / len(cold)}
    print(", ".join(f"{name} {value:.4g} ms" for name, value in bench.values.items() if name.startswith("wrong")))


def main() -> None:
    torch.set_num_threads(1)  # on a machine that others use, two threads wait for each other more than they compute
    bench = Bench()
    size = bench.sizes
    print(f"{bench.device.name}{'' if bench.gpu else ' (no GPU here: the same measurements on the CPU)'}")
    mistakes(bench)
    products(bench)
    attention(bench)
    flop_per_s, byte_per_s = roof(bench)
    for name, (flops, moved, ms) in bench.points.items():
        at = timing.roofline_point(flops, moved, ms, peak_flop_per_s=flop_per_s, peak_byte_per_s=byte_per_s)
        bench.values |= {f"{name}_{key}": at[key] for key in ("intensity", "flop_per_s", "byte_per_s", "share")}
    steps(bench, byte_per_s)
    bench.values |= {"roof_flop_per_s": flop_per_s, "roof_byte_per_s": byte_per_s,
                     "dtype": str(size.dtype).partition(".")[2], "repeats": size.repeats, "width": size.width,
                     "context": size.context, "hidden": size.hidden, "heads": size.heads, "kv_heads": size.kv_heads,
                     "layers": size.layers}
    bench.values |= bench.device.describe() | {"load_average": os.getloadavg()[0]}
    slug = re.sub(r"\W+", "_", bench.device.name.removeprefix("GPU: ").lower()) if bench.gpu else "cpu"
    write(f"gpu_{slug}", COMMAND, bench.values)


if __name__ == "__main__":
    main()
