"""The simulated device keeps its two clocks as an asynchronous device does."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.devices import Kernel, SimulatedDevice, simulated
from llmlab.devices.base import Device

KERNELS = {"big": Kernel(300.0, 200.0, 1_000.0), "tiny": Kernel(2.0, 1.0, 1_000.0)}


def quiet(**settings: float) -> SimulatedDevice:
    """A device without chance and without a ramp, whose kernels are compiled and cold."""
    device = SimulatedDevice(KERNELS, 0, **{"jitter": 0.0, "stragglers": 0.0, "ramp": 0} | settings)
    for work in KERNELS:
        device.run(work)
    device.flush()
    device.synchronize()
    return device


def timed(device: SimulatedDevice, launch) -> float:
    """Microseconds between an event before and one after."""
    start = device.record()
    launch()
    end = device.record()
    device.synchronize()
    return 1e3 * device.elapsed(start, end)


def test_a_launch_returns_before_the_work_is_done():
    device = quiet()
    before = device.now()
    device.run("big")
    assert 1e6 * (device.now() - before) == pytest.approx(5)
    device.synchronize()
    assert 1e6 * (device.now() - before) == pytest.approx(5 + 300 + 25)


def test_a_time_cannot_be_read_before_the_device_is_there():
    device = quiet()
    start = device.record()
    device.run("big")
    end = device.record()
    with pytest.raises(ValueError, match="not been reached.*synchronize"):
        device.elapsed(start, end)
    device.synchronize()
    assert device.elapsed(start, end) > 0


def test_on_an_empty_queue_the_launch_lies_between_the_events_and_behind_a_work_it_does_not():
    device = quiet()
    assert timed(device, lambda: device.run("big")) == pytest.approx(300 + 5)
    device.flush()
    assert timed(device, lambda: device.run("big")) == pytest.approx(300)


def test_data_stay_in_the_cache_until_it_is_flushed():
    device = quiet(launch_us=0.0)
    assert [timed(device, lambda: device.run("big")) for _ in range(3)] == pytest.approx([300, 200, 200])
    device.flush()
    assert timed(device, lambda: device.run("big")) == pytest.approx(300)
    assert timed(device, lambda: (device.flush(), device.run("big"))) == pytest.approx(300 + 80)


def test_the_first_run_compiles_and_the_first_runs_are_slow():
    device = SimulatedDevice(KERNELS, 0, jitter=0.0, stragglers=0.0, ramp=2, launch_us=0.0, record_us=0.0)
    times = [timed(device, lambda: device.run("big")) for _ in range(4)]
    assert times == pytest.approx([1_000 + 450, 300, 200, 200])


def test_earlier_work_is_in_front():
    device = SimulatedDevice(KERNELS, 0, jitter=0.0, stragglers=0.0, ramp=0, backlog_us=5_000.0)
    before = device.now()
    device.synchronize()
    assert 1e6 * (device.now() - before) == pytest.approx(5_025)


def test_a_graph_saves_the_launches():
    device = quiet()
    step = ["tiny"] * 20
    one_by_one = timed(device, lambda: [device.run(work) for work in step])
    assert one_by_one == pytest.approx(20 * 5 + 1)  # the device waits for every launch; the last kernel is warm
    graph = device.capture(step)
    first, second = (timed(device, lambda: device.replay(graph)) for _ in range(2))
    assert first == pytest.approx(5 + 300 + 20 * 1 + 19 * 0.5)
    assert second == pytest.approx(5 + 20 * 1 + 19 * 0.5)


def test_a_capture_runs_nothing_and_cannot_compile():
    device = quiet()
    done = device.executions
    device.capture(["big", "tiny"])
    assert device.executions == done
    with pytest.raises(ValueError, match="'big' has never run"):
        SimulatedDevice(KERNELS).capture(["big"])


def test_chance_depends_on_the_seed_and_the_execution_alone():
    def times(seed: int, waits: bool) -> list[float]:
        device = simulated(seed)
        found = []
        for _ in range(200):
            device.flush()
            found.append(timed(device, lambda: device.run("matmul")))
            if waits:
                device.synchronize()
        return found[2:]

    assert times(3, False) == pytest.approx(times(3, True))
    assert times(3, False) != times(4, False)
    usual = sorted(times(3, False))
    assert usual[0] > 310 * 0.98 and usual[100] < 310 * 1.02 and usual[-1] > 310 * 3.9


@pytest.mark.parametrize(("method", "given", "says"), [
    ("run", ("fast",), "no work 'fast'.*big, tiny"), ("run", (["big"],), "no work"), ("run", (None,), "no work"),
    ("elapsed", (0, 7), "two events"), ("elapsed", (True, 0), "two events"), ("elapsed", (-1, 0), "two events"),
    ("elapsed", ("0", 0), "two events"), ("elapsed", (0.0, 0), "two events"),
    ("capture", ([],), "1 to 256"), ("capture", ("big",), "1 to 256"), ("capture", (["big"] * 300,), "1 to 256"),
    ("capture", ([["big"]],), "no work"), ("replay", (0,), "takes a graph"), ("replay", ([],), "takes a graph"),
    ("replay", (False,), "takes a graph"),
])
def test_what_is_no_work_event_or_graph_is_refused(method, given, says):
    device = quiet()
    device.record()
    with pytest.raises(ValueError, match=says):
        getattr(device, method)(*given)


ACTIONS = st.lists(max_size=40, elements=st.sampled_from(
    ["big", "tiny", "record", "synchronize", "flush", "capture", "replay", "now"]))


@settings(max_examples=150, deadline=None)
@given(ACTIONS, st.integers(0, 99))
def test_both_clocks_only_run_forward_whatever_is_asked(actions, seed):
    device = SimulatedDevice(KERNELS, seed)
    device.run("big")
    device.run("tiny")
    clock = [device.now()]
    for action in actions:
        if action in KERNELS:
            device.run(action)
        elif action == "capture":
            device.capture(["tiny", "big"])
        elif action == "replay":
            if device.graphs:
                device.replay(len(device.graphs) - 1)
        else:
            getattr(device, action)()
        clock.append(device.now())
    assert clock == sorted(clock) and device.events == sorted(device.events)
    for lane in ("host", "device"):
        spans = [span for span in device.trace if span.lane == lane]
        assert all(span.start <= span.end for span in spans)
        assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(spans)), f"two things at once on the {lane}"
    device.synchronize()
    assert all(span.end <= device.host for span in device.trace)


def test_it_has_every_method_of_a_device():
    assert all(callable(getattr(SimulatedDevice, name)) for name in vars(Device) if not name.startswith("_")
               and callable(getattr(Device, name)))
