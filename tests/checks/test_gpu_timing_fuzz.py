"""The judge of timers on timers made by chance: it never fails, and what it accepts was measured as asked for."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.checks.gpu_timing import graphs, judge, samples, single
from llmlab.checks.gpu_timing.journal import METHODS
from llmlab.checks.protocol import Event, Raised, Returned

ODD = st.sampled_from([None, "kernel", "attention", ["attention"], 0, 1, 2, -1, True, 1.5, "fast", [], {"a": 1}, b"x",
                       10**30])


def cases():
    return [single.one_case(single.HOST, single.BUSY, 300.0, 1, 900.0),
            single.one_case(single.EVENT, single.IDLE, 300.0, 2),
            samples.samples_case("", 3, 200.0, 90.0, warmup=2, repeats=2),
            samples.samples_case("", 4, 200.0, 90.0, flush=False, warmup=1, repeats=1),
            graphs.graph_case("", 5, ("attention",), {"attention": samples.Kernel(60.0, 30.0)}, warmup=1, repeats=1)]


def played(case, moves) -> list[Event]:
    """The events of these calls on a new device of the case, as the harness records them."""
    device, events = case.steps[0].args[0].make(), []
    for method, args in moves:
        seen = {"method": method, "args": args, "kwargs": {}}
        events.append(Event("device", seen))
        try:
            seen["value"] = getattr(device, method)(*args)
        except Exception:
            continue
    return events


MOVES = st.lists(st.tuples(st.sampled_from(METHODS), st.lists(ODD, max_size=2)), max_size=25)
VALUES = st.one_of(ODD, st.lists(st.floats(allow_nan=True), max_size=3), st.just(0.3))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 4), MOVES, VALUES, st.booleans())
def test_calls_by_chance_are_judged_and_never_accepted(which, moves, value, raised):
    case = cases()[which]
    output = Raised("ValueError", "x") if raised else Returned(value)
    verdict = judge(case, [output], played(case, moves))
    assert not verdict.ok and verdict.message


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_right_timer_with_one_call_more_less_or_elsewhere(chance: random.Random):
    """Two runs of warm-up, two repeats; then one call is dropped, doubled or moved."""
    case = samples.samples_case("", 6, 200.0, 90.0, warmup=2, repeats=2)
    repeat = [("flush", []), ("record", []), ("run", ["kernel"]), ("record", [])]
    moves = [("run", ["kernel"])] * 2 + repeat * 2 + [("synchronize", []), ("elapsed", [0, 1]), ("elapsed", [2, 3])]

    def verdict(calls):
        events = played(case, calls)
        times = [event.data["value"] for event in events if event.data["method"] == "elapsed" and "value" in event.data]
        return judge(case, [Returned(times)], events)

    assert verdict(moves).ok
    place, other = chance.randrange(len(moves)), chance.randrange(len(moves))
    kind = chance.choice(("drop", "double", "move"))
    changed = moves[:place] + moves[place + 1:]
    if kind != "drop":
        changed.insert(other, moves[place])
        if kind == "double":
            changed.insert(place, moves[place])
    found = verdict(changed)
    order = [method for method, _ in changed]
    if changed == moves:
        assert found.ok
    elif found.ok:
        assert kind != "drop", "nothing of it can be left out"
        assert order.count("run") == 4, "warmup + repeats, no more"
        assert "synchronize" in order[order.index("record", order.index("run")):], "somebody waited"
    else:
        assert found.message
