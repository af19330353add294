"""The oracles of the timer's checks against torch, numpy, published numbers and the simulated device run by hand."""

import random
import statistics
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.flop_counter import FlopCounterMode

from llmlab.checks.gpu_timing import cases, costs, graphs, numbers, roofline, samples, summary
from llmlab.devices import SimulatedDevice


def counted(run) -> int:
    """FLOPs that torch counts."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 64, 32), (17, 1, 9)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8])
def test_a_product_costs_what_torch_counts_and_its_tensors_hold(shape, dtype):
    m, k, n = shape
    a, b = torch.ones(m, k), torch.ones(k, n)
    flops, moved = costs.matmul_oracle(m, k, n, dtype.itemsize)
    assert flops == counted(lambda: a @ b)
    assert moved == sum(tensor.to(dtype).nbytes for tensor in (a, b, a @ b))


@pytest.mark.parametrize(("heads", "kv"), [(8, 8), (8, 2), (6, 1)])
def test_attention_costs_what_torch_counts_and_its_tensors_hold(heads, kv):
    batch, dim, context = 3, 16, 40
    q = torch.zeros(batch, heads, 1, dim, dtype=torch.bfloat16)
    k, v = (torch.zeros(batch, kv, context, dim, dtype=torch.bfloat16) for _ in range(2))
    many = [x.repeat_interleave(heads // kv, dim=1) for x in (k, v)]
    flops, moved = costs.attention_oracle(batch, heads, kv, dim, context, 2)
    assert flops == counted(lambda: scaled_dot_product_attention(q.to("meta"), *(x.to("meta") for x in many)))
    assert moved == sum(x.nbytes for x in (q, k, v, q))  # the output has the shape of the queries


def test_quantiles_equal_numpys_and_the_statistics_modules():
    dice = random.Random(1)
    for n in (1, 2, 3, 10, 37):
        values = summary.times(dice, n, n // 5)
        for q in range(1, 10):
            assert summary.quantile(values, Fraction(q, 10)) == pytest.approx(np.percentile(values, 10 * q), rel=1e-12)
        assert summary.quantile(values, Fraction(1, 2)) == pytest.approx(statistics.median(values), rel=1e-12)


def test_bandwidth_utilisation_of_the_published_example():
    """Agarwal et al. 2023: 7 billion parameters of 2 bytes in 14 ms are 1 TB/s; on a device of 2 TB/s that is 50 %."""
    assert roofline.mbu_case(14 * 10**9, 0, 14.0, 2_000).expect.right["share"] == pytest.approx(0.5)


def test_flops_utilisation_of_a_7b_model_that_reads_its_weights_at_full_bandwidth():
    """One token: 2 FLOPs for each 2 bytes, so the share is 1 over the ridge of an H100, 989e12 / 3.35e12 = 295."""
    ms = 1e3 * 2 * 7e9 / 3.35e12
    found = roofline.mfu_case(7 * 10**9, 1, ms, 989.0).expect.right["share"]
    assert 1 / found == pytest.approx(295.2, abs=0.1) and found == pytest.approx(0.0034, abs=5e-5)


def test_a_point_lies_under_the_lower_of_two_limits_that_meet_at_the_ridge():
    for flops, roof, bound in ((1e9, 1e12, "memory"), (8e9, 8e12, "compute"), (64e9, 8e12, "compute")):
        right = roofline.point_case("", int(flops), 10**9, 100.0, 8e12, 1e12).expect.right
        assert (right["roof"], right["bound"]) == (roof, bound)
        assert right["share"] == right["flop_per_s"] / roof


@pytest.mark.parametrize("flush", [True, False])
def test_the_times_of_a_careful_timer_written_by_hand_are_the_oracles(flush):
    """No course code on the student's side: event by event on the device itself."""
    case = samples.samples_case("", 77, 200.0, 90.0, flush=flush, warmup=3, repeats=8)
    device = case.steps[0].args[0].make()
    for _ in range(3):
        device.run("kernel")
    found = []
    for _ in range(8):
        device.flush() if flush else device.run("kernel")  # something in front, so that no launch is waited for
        pair = [device.record(), device.run("kernel"), device.record()]
        found.append((pair[0], pair[2]))
    device.synchronize()
    got = [1e3 * device.elapsed(*pair) for pair in found]
    ordinals = range(3, 11) if flush else range(4, 20, 2)
    base = 200.0 if flush else 90.0
    assert got == pytest.approx([base * device.factor(n) for n in ordinals])
    ops = [samples.Op("run", {}, None, False)] * 11
    if flush:
        assert [1e3 * one for one in case.expect.right(ops)] == pytest.approx(got)


def test_a_replayed_step_takes_what_the_device_says():
    kernels = {"a": samples.Kernel(30.0, 10.0), "b": samples.Kernel(8.0, 5.0)}
    works = ("a", "b", "a", "b", "b")
    device = SimulatedDevice(kernels, 0, jitter=0.0, stragglers=0.0, ramp=0)
    for work in works:
        device.run(work)
    graph = device.capture(works)
    device.replay(graph)
    device.flush()
    start, _, end = device.record(), device.replay(graph), device.record()
    device.synchronize()
    assert 1e3 * device.elapsed(start, end) == pytest.approx(graphs.step_us(works, kernels))


def test_every_wrong_rule_is_told_apart_somewhere():
    """A wrong rule whose values equal the right ones in every case could never be named."""
    listed: dict[str, set[str]] = {}
    telling: dict[str, set[str]] = {}
    for case in cases(0):
        if isinstance(case.expect, numbers.Want):
            for name, (values, _) in case.expect.wrong.items():
                listed.setdefault(case.task, set()).add(name)
                right = case.expect.right
                if any(not numbers.near(right[key], value, 10 * case.expect.tol) for key, value in values.items()):
                    telling.setdefault(case.task, set()).add(name)
    assert listed and telling == listed
