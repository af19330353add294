"""The CUDA backend and the course's timers on a real GPU. Skipped where there is none. No speed is asserted."""

import pytest
import torch

from llmlab.devices import CudaDevice, best
from solutions import gpu_timing

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")]


@pytest.fixture(scope="module")
def device():
    return CudaDevice()


@pytest.fixture
def long_work():
    """Some hundred milliseconds of matrix products, so that the host is surely ahead of the device."""
    a = torch.randn(4096, 4096, device="cuda")

    def work():
        for _ in range(40):
            torch.mm(a, a, out=work.result)

    work.result = torch.empty_like(a)
    work()
    torch.cuda.synchronize()
    return work


def test_best_is_the_gpu(device):
    assert isinstance(best(), CudaDevice) and device.name.startswith("GPU: ")
    told = device.describe()
    assert told["driver"] != "" and told["cuda"] != "None" and told["memory"].endswith("GiB")


def test_a_launch_returns_before_the_work_is_done(device, long_work):
    start = device.record()
    device.run(long_work)
    end = device.record()
    with pytest.raises(RuntimeError, match="not been reached"):
        device.elapsed(start, end)
    device.synchronize()
    assert device.elapsed(start, end) > 0


def test_the_clock_of_the_host_sees_no_less_than_the_events(device, long_work):
    device.synchronize()
    before = device.now()
    start = device.record()
    device.run(long_work)
    end = device.record()
    device.synchronize()
    assert 1e3 * (device.now() - before) >= 0.99 * device.elapsed(start, end)


def test_a_flush_is_larger_than_the_cache(device):
    device.flush()
    assert device._buffer.nbytes >= 4 * torch.cuda.get_device_properties(0).L2_cache_size


def test_a_capture_keeps_nothing_and_a_replay_computes(device):
    x, y = torch.zeros(8, device="cuda"), torch.zeros(8, device="cuda")

    def add():
        y.add_(x)

    with pytest.raises(RuntimeError, match="has never run"):
        device.capture([add])
    device.run(add)
    graph = device.capture([add, add])
    x.fill_(1)
    y.zero_()
    for _ in range(3):
        device.replay(graph)
    device.synchronize()
    assert y.tolist() == [6.0] * 8, "three replays of two additions each"


def test_the_timers_of_the_solution_run_on_it_as_they_are(device):
    a, out = torch.randn(512, 512, device="cuda"), torch.empty(512, 512, device="cuda")

    def work():
        torch.mm(a, a, out=out)

    device.run(work)
    assert gpu_timing.host_ms(device, work) > 0 and gpu_timing.event_ms(device, work) > 0
    for flush in (True, False):
        times = gpu_timing.samples_ms(device, work, warmup=3, repeats=9, flush=flush)
        assert len(times) == 9 and min(times) > 0
    times = gpu_timing.graph_samples_ms(device, [work] * 8, warmup=2, repeats=5)
    assert len(times) == 5 and min(times) > 0
    assert torch.allclose(out, a @ a, rtol=1e-2, atol=1e-2)
