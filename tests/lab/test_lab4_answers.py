"""Lab 4's numeric keys, computed again: by the solution's own manager and timer, and by a bitmap of slots."""

from __future__ import annotations

import random
import statistics
import types

import pytest

from llmlab.devices import simulated
from llmlab.grading import variants
from tests.lab import labs


def solved(module: str) -> types.ModuleType:
    found = types.ModuleType(f"solved_{module}")
    exec(compile(variants.solution(module), f"{module}.py", "exec"), found.__dict__)
    return found


paged_cache, gpu_timing = solved("paged_cache"), solved("gpu_timing")


@pytest.fixture(scope="module")
def keys():
    return labs.keys("lab4")


def test_samples_by_the_manager(keys):
    manager = paged_cache.BlockManager(paged_cache.BlockAllocator(1_000), 16)
    manager.add("0", [0] * 1_000)
    for i in range(1, 8):
        manager.fork("0", str(i))
    for _ in range(205):
        for i in range(8):
            manager.append(str(i), 0)
    assert keys["samples-blocks"].value == 1_000 - manager.allocator.num_free()


def test_waste_by_counting_every_length(keys):
    blocks = [-(-n // 128) for n in range(1, 2_049)]
    wasted = sum(128 * b - n for n, b in enumerate(blocks, start=1))
    assert keys["waste-share"].value == pytest.approx(wasted / (128 * sum(blocks)), rel=1e-12)


def test_refusals_in_a_bitmap_of_slots(keys):
    draw = random.Random(0)
    line = [(draw.randint(5, 60), min(450, 1 + int(draw.expovariate(1 / 120)))) for _ in range(800)]
    memory, live, refused = bytearray(4_096), [], 0
    for _ in range(300):
        while (at := memory.find(bytes(sum(line[0])))) >= 0:
            size = sum(line[0])
            memory[at:at + size] = b"\1" * size
            live.append([at, size, line.pop(0)[1]])
        refused += memory.count(0) >= sum(line[0])
        for one in live:
            one[2] -= 1
        for at, size, left in live:
            if not left:
                memory[at:at + size] = bytes(size)
        live = [one for one in live if one[2]]
    assert keys["refused-with-room"].value == refused


def test_conversations_by_the_manager(keys):
    draw = random.Random(7)
    turns = [(draw.randrange(6), draw.randint(10, 50), draw.randint(20, 60)) for _ in range(30)]
    manager = paged_cache.BlockManager(paged_cache.BlockAllocator(64), 16, prefix_caching=True)
    texts, computed = {}, 0
    for user, message, answer in turns:
        text = texts.setdefault(user, [*range(48)])
        text += [1_000_000 * (user + 1) + len(text) + i for i in range(message)]
        computed += len(text) - manager.add("now", text)
        for _ in range(answer):
            text.append(2_000_000 + len(text))
            manager.append("now", text[-1])
        manager.free("now")
    assert keys["chat-computed"].value == computed


def test_the_timing_keys_are_what_the_timer_measures(keys):
    """The keys come from the device's own arithmetic; here the solution's functions are asked."""
    device = simulated(seed=46, jitter=0.1)
    median = gpu_timing.summarise(gpu_timing.samples_ms(device, "attention", warmup=3, repeats=21))["median"]
    assert 1e3 * median == pytest.approx(keys["timer-median"].value, abs=0.01)

    works = ["norm", "add", "activation", "add"] * 25
    eager, device = [], simulated(seed=12, launch_us=10.0)
    for _ in range(23):
        device.flush()
        start = device.record()
        for work in works:
            device.run(work)
        end = device.record()
        device.synchronize()
        eager.append(device.elapsed(start, end))
    replays = gpu_timing.graph_samples_ms(simulated(seed=12, launch_us=10.0), works)
    gain = statistics.median(eager[3:]) / gpu_timing.summarise(replays)["median"]
    assert gain == pytest.approx(keys["graph-gain"].value, abs=0.001)

    cost = gpu_timing.decode_attention_cost(16, 32, 8, 128, 4_096)
    point = gpu_timing.roofline_point(*cost, 0.115, peak_flop_per_s=989e12, peak_byte_per_s=3.35e12)
    assert point["share"] == pytest.approx(keys["roof-share"].value)

    cache = 12 * 1_000 * 2 * 40 * 40 * 128 * 2
    assert gpu_timing.mbu(26 * 10**9, cache, 15.2, 3_350) == pytest.approx(keys["step-mbu"].value)

    params, cache = 6_738_415_616, 64 * 2_048 * 2 * 32 * 32 * 128 * 2
    ms = (2 * params + cache) / 3.35e9
    assert gpu_timing.mfu(params, 64, ms, 989) == pytest.approx(keys["perfect-mfu"].value)
