"""What the CUDA backend asks of torch.cuda, where there is no GPU: a stand-in writes the calls down.

This shows that names and order are right, not that a GPU does what it should: tests/gpu does that on a real one.
"""

import contextlib
from types import SimpleNamespace

import pytest
import torch

from llmlab.devices import CudaDevice
from solutions import gpu_timing


class Event:
    """Stands in for torch.cuda.Event: reached once the device was synchronized after it was recorded."""

    def __init__(self, log, enable_timing):
        assert enable_timing, "an event without timing cannot be read"
        self.log, self.place = log, None

    def record(self):
        self.place = len(self.log)
        self.log.append("record")

    def query(self):
        return "synchronize" in self.log[self.place:]

    def elapsed_time(self, end):
        return float(end.place - self.place)


@pytest.fixture
def log(monkeypatch):
    log: list[str] = []

    def stream(name):
        return SimpleNamespace(name=name, wait_stream=lambda other: log.append(f"{name} waits for {other.name}"))

    @contextlib.contextmanager
    def inside(what):
        log.append(f"begin {what}")
        yield
        log.append(f"end {what}")

    properties = SimpleNamespace(name="Stand-in", L2_cache_size=50 * 2**20, major=9, minor=0, total_memory=2**37)
    main = stream("main")
    for name, value in {
        "is_available": lambda: True, "set_device": lambda index: None,
        "get_device_properties": lambda index: properties,
        "Event": lambda enable_timing=False: Event(log, enable_timing), "Stream": lambda index: stream("side"),
        "synchronize": lambda index: log.append("synchronize"), "current_stream": lambda index: main,
        "stream": lambda s: inside(f"stream {s.name}"), "graph": lambda g, stream: inside(f"capture on {stream.name}"),
        "CUDAGraph": lambda: SimpleNamespace(replay=lambda: log.append("replay")),
    }.items():
        assert hasattr(torch.cuda, name), f"torch.cuda has no {name}"
        monkeypatch.setattr(torch.cuda, name, value)

    def empty(elements, dtype, device):
        assert device == "cuda:0" and elements * dtype.itemsize >= 4 * properties.L2_cache_size
        return SimpleNamespace(zero_=lambda: log.append("flush"))

    monkeypatch.setattr(torch, "empty", empty)
    return log


def test_samples_are_launched_in_a_row_and_waited_for_once(log):
    device = CudaDevice()
    times = gpu_timing.samples_ms(device, lambda: log.append("work"), warmup=2, repeats=3)
    assert log == ["work"] * 2 + ["flush", "record", "work", "record"] * 3 + ["synchronize"]
    assert times == [2.0, 2.0, 2.0]


def test_an_event_that_is_not_reached_is_refused(log):
    device = CudaDevice()
    start, end = device.record(), device.record()
    with pytest.raises(RuntimeError, match="start event has not been reached.*synchronize"):
        device.elapsed(start, end)


def test_a_capture_warms_up_on_the_stream_that_it_captures(log):
    device = CudaDevice()

    def work():
        log.append("work")

    with pytest.raises(RuntimeError, match="has never run"):
        device.capture([work])
    device.run(work)
    del log[:]
    graph = device.capture([work, work])
    assert log == ["side waits for main", "begin stream side", "work", "work", "end stream side", "main waits for side",
                   "begin capture on side", "work", "work", "end capture on side"]
    device.replay(graph)
    assert log[-1] == "replay"


def test_it_says_which_device_it_is(log, monkeypatch):
    monkeypatch.setattr("llmlab.devices.cuda.driver", lambda: "1.2")
    told = CudaDevice().describe()
    assert told["device"] == "GPU: Stand-in" and told["driver"] == "1.2" and told["l2"] == "50 MiB"
    with pytest.raises(TypeError, match="got str"):
        CudaDevice().run("matmul")
