"""Hidden cases of `gpu_timing`: see `llmlab.grading.hidden`."""

import random

from llmlab.checks.gpu_timing import costs, graphs, roofline, samples, single, summary
from llmlab.checks.protocol import Case
from llmlab.devices.simulated import Kernel

SEED = 41_414


def extra() -> list[Case]:
    """A longer backlog, more repeats, more stragglers, a step of many kernels, other devices."""
    dice = random.Random(SEED)
    step = ("norm", "matvec", "matvec", "attention", "add") * 3
    kernels = {"norm": Kernel(11.0, 5.0), "matvec": Kernel(70.0, 30.0), "attention": Kernel(55.0, 31.0),
               "add": Kernel(9.0, 4.0)}
    return [
        single.one_case(single.HOST, single.BUSY, 333.0, SEED, 25_000.0),
        single.one_case(single.EVENT, single.BUSY, 333.0, SEED, 25_000.0),
        samples.samples_case(samples.FLUSHED, SEED, 260.0, 130.0, warmup=5, repeats=31, stragglers=0.2),
        samples.samples_case(samples.WARM, SEED + 1, 260.0, 130.0, flush=False, warmup=4, repeats=9),
        graphs.graph_case(graphs.REPLAYS, SEED, step, kernels, warmup=2, repeats=9),
        summary.summary_case(summary.EVEN, summary.times(dice, 100, 8)),
        costs.matmul_case(costs.SIZES, 64, 5_120, 13_824, itemsize=4),
        costs.attention_case(costs.GROUPED, 24, 64, 8, 128, 2_000),
        roofline.point_case(roofline.MEMORY, 7 * 10 ** 11, 3 * 10 ** 9, 4.2, 312e12, 2.0e12),
        roofline.mfu_case(68_976_648_192, 256, 120.0, 989.0),
        roofline.mbu_case(137_953_296_384, 5 * 10 ** 9, 70.0, 4_800),
    ]
