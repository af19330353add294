"""Timers that go wrong in rarer ways, and timers that attack the device: each is told what it did."""

import ast

import pytest

from llmlab._finder import PACKAGE
from llmlab.checks import registry
from llmlab.grading import variants

RULES = ("rules.py", "single.py", "samples.py")
EVENTS = "    start = device.record()\n    device.run(work)\n    end = device.record()\n    device.synchronize()\n"
SAMPLES = "def samples_ms(device, work, *, warmup=3, repeats=20, flush=True):\n"
WARM = "    for _ in range(warmup):\n        device.run(work)\n    marks = []\n"
READ = "    device.synchronize()\n    return [device.elapsed(a, b) for a, b in marks]\n"

MISTAKES = {
    ("host_ms", "events-for-host-clock"): (
        f"def host_ms(device, work):\n{EVENTS}    return device.elapsed(start, end)\n"),
    ("host_ms", "wrong-number-of-runs"): (
        "def host_ms(device, work):\n    device.run(work)\n    device.synchronize()\n    start = device.now()\n"
        "    device.run(work)\n    device.synchronize()\n    return (device.now() - start) * 1e3\n"),
    ("host_ms", "interval-misses-the-work"): (
        "def host_ms(device, work):\n    device.run(work)\n    device.synchronize()\n    start = device.now()\n"
        "    return (device.now() - start) * 1e3\n"),
    ("host_ms", "microseconds-for-milliseconds"): (
        "def host_ms(device, work):\n    device.synchronize()\n    start = device.now()\n    device.run(work)\n"
        "    device.synchronize()\n    return (device.now() - start) * 1e6\n"),
    ("event_ms", "never-reads-the-events"): f"def event_ms(device, work):\n{EVENTS}    return end - start\n",
    ("event_ms", "no-measurement"): "def event_ms(device, work):\n    device.run(work)\n    return 0.3\n",
    ("event_ms", "wrong-number-of-runs"): (
        f"def event_ms(device, work):\n    device.run(work)\n{EVENTS}    return device.elapsed(start, end)\n"),
    ("event_ms", "host-clock-for-events"): (
        "def event_ms(device, work):\n    device.synchronize()\n    start = device.now()\n    device.run(work)\n"
        "    device.synchronize()\n    return (device.now() - start) * 1e3\n"),
    ("event_ms", "seconds-for-milliseconds"): (
        f"def event_ms(device, work):\n{EVENTS}    return device.elapsed(start, end) / 1e3\n"),
    ("samples_ms", "flushes-sometimes"): (
        f"{SAMPLES}{WARM}    for i in range(repeats):\n        if flush and i % 3 != 1:\n            device.flush()\n"
        f"        a = device.record()\n        device.run(work)\n        marks.append((a, device.record()))\n{READ}"),
    ("samples_ms", "wrong-number-of-times"): (
        f"{SAMPLES}{WARM}    for _ in range(repeats):\n        if flush:\n            device.flush()\n"
        f"        a = device.record()\n        device.run(work)\n        marks.append((a, device.record()))\n"
        "    device.synchronize()\n    return [device.elapsed(a, b) for a, b in marks][1:-1]\n"),
    ("samples_ms", "microseconds-for-milliseconds"): (
        f"{SAMPLES}{WARM}    for _ in range(repeats):\n        if flush:\n            device.flush()\n"
        f"        a = device.record()\n        device.run(work)\n        marks.append((a, device.record()))\n"
        "    device.synchronize()\n    return [1e3 * device.elapsed(a, b) for a, b in marks]\n"),
    ("samples_ms", "events-swapped"): (
        f"{SAMPLES}{WARM}    for _ in range(repeats):\n        if flush:\n            device.flush()\n"
        f"        a = device.record()\n        device.run(work)\n        marks.append((device.record(), a))\n{READ}"),
    ("samples_ms", "accepts-invalid-value"): (
        f"{SAMPLES}{WARM}    for _ in range(repeats):\n        if flush:\n            device.flush()\n"
        f"        a = device.record()\n        device.run(work)\n        marks.append((a, device.record()))\n{READ}"),
}


def told(report, function: str, source: str):
    """The result of one task, with this source behind the solution's."""
    name = f"gpu_timing.{function}"
    return report("gpu_timing", variants.solution("gpu_timing") + b"\n\n" + source.encode(), only=name).task(name)


@pytest.mark.parametrize(("function", "name"), MISTAKES, ids=lambda x: x)
def test_a_rare_mistake_has_its_name_too(report, function, name):
    task = told(report, function, MISTAKES[function, name])
    assert name in {group.failure.misconception for group in task.groups if group.failure}


def test_every_name_in_the_rules_is_reached_by_a_wrong_timer():
    """What the rules can say, against what mutants and the sources above make them say."""
    known = {name for _, name in MISTAKES} | {mutant.says for mutant in variants.mutants("gpu_timing")}
    names = set()
    for file in RULES:
        tree = ast.parse((PACKAGE / "checks" / "gpu_timing" / file).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Tuple) and len(node.elts) in (2, 3) and isinstance(node.elts[0], ast.Constant):
                first = node.elts[0].value
                if isinstance(first, str) and "-" in first and " " not in first:
                    names.add(first)
    assert len(names) > 25 and names - known == set()


HOSTILE = {
    "a work that is none": ("device.run({'a': 1})", "there is no work"),
    "a long name": ("device.run('x' * 10**6)", "there is no work"),
    "an event from the future": ("device.elapsed(device.record(), 10**30)", "two events"),
    "an event that is a list": ("device.elapsed([], {})", "two events"),
    "too few arguments": ("device.elapsed(0)", "missing 1 required"),
    "too many": ("device.record(1, 2, 3)", "takes 1 positional"),
    "another keyword": ("device.run(job=work)", "unexpected keyword"),
    "a graph of everything": ("device.capture([work] * 10**5)", "1 to 256"),
    "a graph of nothing": ("device.capture(None)", "1 to 256"),
    "the device's clock": ("device.host", "has no attribute 'host'"),
    "its chance": ("device.factor(0)", "has no attribute 'factor'"),
    "endless calls": ("[device.record() for _ in range(600)]", "called more than 500 times"),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_an_attack_on_the_device_is_refused_and_the_student_is_told(report, attack):
    line, says = HOSTILE[attack]
    source = f"def samples_ms(device, work, *, warmup=3, repeats=20, flush=True):\n    {line}\n"
    failures = [group.failure for group in told(report, "samples_ms", source).groups]
    assert says in failures[0].message and all(failure.misconception != "check-failed" for failure in failures)


ODD = ["None", "'fast'", "[]", "[None] * 7", "['1'] * 7", "[float('nan')] * 7", "[True] * 7", "{1: 2}", "10 ** 5000",
       "[10 ** 5000] * 7", "float('inf')", "[[1.0]] * 7"]


@pytest.mark.parametrize("value", ODD)
def test_an_odd_answer_after_the_right_calls_fails_without_harm(report, value):
    """In all tasks at once."""
    names = [task.function for task in registry.tasks("gpu_timing")]
    source = "".join(f"_{name} = {name}\ndef {name}(*given, **named):\n    _{name}(*given, **named)\n"
                     f"    return {value}\n" for name in names)
    found = report("gpu_timing", variants.solution("gpu_timing") + b"\n\n" + source.encode())
    for task in found.tasks:
        failures = [group.failure for group in task.groups if group.failure]
        assert failures and all(failure.misconception != "check-failed" for failure in failures)
