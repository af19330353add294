"""The CPU behind the interface of a device, and the course's own timers on it."""

import inspect
import time

import pytest
import torch

from llmlab import devices
from llmlab.devices import CpuDevice, CudaDevice, SimulatedDevice, cpu
from llmlab.devices.base import Device
from solutions import gpu_timing

METHODS = [name for name, member in vars(Device).items() if callable(member) and not name.startswith("_")]


@pytest.mark.parametrize("name", METHODS)
def test_all_devices_have_the_same_methods(name):
    wanted = list(inspect.signature(getattr(Device, name)).parameters)
    assert len(METHODS) == 8
    for kind in (CpuDevice, CudaDevice, SimulatedDevice):
        assert list(inspect.signature(getattr(kind, name)).parameters) == wanted
        assert isinstance(getattr(kind, "asynchronous"), bool)


def test_a_work_is_done_when_run_returns():
    device, seen = CpuDevice(), []
    start = device.record()
    device.run(lambda: (time.sleep(0.004), seen.append(1)))
    end = device.record()
    assert seen == [1]
    assert device.elapsed(start, end) >= 4.0
    with pytest.raises(TypeError, match="a function without arguments, got str"):
        device.run("matmul")


def test_a_graph_is_the_works_in_order_and_each_must_have_run():
    device, seen = CpuDevice(), []
    works = [lambda i=i: seen.append(i) for i in range(3)]
    with pytest.raises(RuntimeError, match="has never run"):
        device.capture(works)
    for work in works:
        device.run(work)
    graph = device.capture(works)
    assert seen == [0, 1, 2], "a capture runs nothing"
    device.replay(graph)
    assert seen == [0, 1, 2, 0, 1, 2]


def test_a_flush_writes_more_than_the_last_cache():
    device = CpuDevice()
    device.flush()
    device.flush()
    assert device._buffer.nbytes >= 2 * min(cpu.last_level_cache(), cpu.MOST_CACHE)
    assert float(device._buffer[-1]) == 2, "every flush writes it"


def test_the_caches_size_is_read_where_the_system_tells_it(tmp_path, monkeypatch):
    monkeypatch.setattr(cpu, "CACHE", tmp_path)
    assert cpu.last_level_cache() == cpu.USUAL_CACHE
    for index, size in enumerate(("32K", "8192K", "48M", "odd")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(size + "\n")
    assert cpu.last_level_cache() == 48 * 2**20


def test_it_says_that_it_is_the_cpu():
    assert CpuDevice().name.startswith("CPU: ") and CpuDevice().describe()["driver"].startswith("none")


def test_best_is_the_cpu_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert isinstance(devices.best(), CpuDevice)
    with pytest.raises(RuntimeError, match="no CUDA device.*CpuDevice"):
        CudaDevice()


def test_the_timers_of_the_solution_run_on_the_cpu_as_they_are():
    device, ran = CpuDevice(), []
    a = torch.randn(64, 64)

    def work():
        ran.append(1)
        return a @ a

    assert gpu_timing.host_ms(device, work) > 0 and gpu_timing.event_ms(device, work) > 0
    ran.clear()
    for flush in (True, False):
        times = gpu_timing.samples_ms(device, work, warmup=2, repeats=5, flush=flush)
        assert len(times) == 5 and min(times) > 0
    assert len(ran) == 2 * (2 + 5)
    times = gpu_timing.graph_samples_ms(device, [work, work], warmup=1, repeats=3)
    assert len(times) == 3 and set(gpu_timing.summarise(times)) == {"median", "p10", "p90", "spread"}
