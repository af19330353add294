"""The oracles of the checks of paged_cache, against torch's attention, sets of slots, and states broken by hand."""

import copy

import pytest
import torch

from llmlab.checks import paged_cache as checks
from llmlab.checks.judging import Expect
from llmlab.checks.paged_cache import allocator, attention, manager, slots, stories, walk
from llmlab.checks.paged_cache.manager import Tale
from llmlab.checks.paged_cache.oracle import World, check_integrity
from llmlab.checks.paged_cache.stories import Story
from llmlab.checks.paged_cache.trusted import Pool
from llmlab.checks.protocol import Call, Raised, Returned
from llmlab.grading import variants
from tests.checks.paged_cache_kit import solved

CASES = checks.cases(0)


@pytest.mark.parametrize(("heads", "kv"), [(1, 1), (4, 2), (6, 1), (6, 3)])
def test_attention_by_hand_equals_torch(heads, kv):
    g = torch.Generator().manual_seed(heads)
    q, k, v = (torch.randn(n, h, 5, generator=g, dtype=torch.float64) for n, h in ((1, heads), (9, kv), (9, kv)))
    whole = torch.nn.functional.scaled_dot_product_attention(q.transpose(0, 1), k.transpose(0, 1), v.transpose(0,
                                                                                                               1),
                                                             enable_gqa=True)
    assert torch.allclose(attention.contiguous(q[0], k, v), whole[:, 0], atol=1e-12)


def test_slots_and_usage_equal_plain_arithmetic():
    g = torch.Generator().manual_seed(5)
    for size in (1, 3, 16):
        table = torch.randperm(30, generator=g)[:7].tolist()
        assert [slots.slot(table, i,
                           size) for i in range(7 * size)] == [b * size + o for b in table for o in range(size)]
    assert slots.used([[0, 1], [0, 2]], [3, 4], 2) == {"tokens": 7, "allocated": 6, "filled": 5, "wasted": 1}
    assert slots.used([[4, 2, 9]], [33], 16) == {"tokens": 33, "allocated": 48, "filled": 33, "wasted": 15}


@pytest.mark.parametrize("case", [c for c in CASES if isinstance(c.expect, Expect)], ids=lambda c: c.group)
def test_no_known_mistake_is_as_good_as_right_in_a_whole_group(case):
    """Each wrong rule of attention and slots differs from the right one in some case of its group."""
    group = [c.expect for c in CASES if c.task == case.task and isinstance(c.expect, Expect)]
    for name in case.expect.wrong:
        values = [(e.value, e.wrong[name][0]) for e in group if name in e.wrong]
        assert any(not torch.equal(right, wrong() if callable(wrong) else wrong) for right, wrong in values), name


def story(*calls, caching=False, size=2, blocks=6):
    """The solution's snapshots along some calls: [(method, args, value, snapshot)]."""
    module, told = solved(), []
    manager = module.BlockManager(module.BlockAllocator(blocks), size, caching)
    for method, *args in calls:
        value = getattr(manager, method)(*args)
        told.append((method, args, value, manager.snapshot()))
    return told


def followed(told, caching=False, size=2, blocks=6):
    """What the world says of the last of these calls, after it had nothing to say of those before."""
    world = World(blocks, size, caching)
    for step in told[:-1]:
        assert world.step(*step) is None
    return world.step(*told[-1])


FORKED = story(("add", "a", [1, 2, 3]), ("fork", "a", "b"), ("append", "b", 4))
FREED = story(("add", "a", [1, 2, 3]), ("fork", "a", "b"), ("free", "a"))


@pytest.mark.parametrize(("told", "change", "says"), [
    (FORKED, lambda s: s["tables"].update(b=[0, 1]), "copy-on-write-forgotten"),
    (FORKED, lambda s: s["tables"].update(a=[0, 2]), "table-aliased"),
    (FORKED, lambda s: s["lengths"].update(a=4), "tokens-aliased"),
    (FORKED, lambda s: s["lengths"].update(b=3), ""),
    (FORKED, lambda s: s["tables"].update(c=[]), ""),
    (FORKED, lambda s: s["counts"].__setitem__(1, 2), "copy-keeps-old-count"),
    (FORKED, lambda s: s["tables"].update(b=[0, 0]), "block-twice-in-a-table"),
    (FORKED, lambda s: s["tables"].update(b=[0]), "takes-block-late"),
    (FORKED, lambda s: s["tables"].update(b=[0, 2, 5]), "takes-block-early"),
    (FORKED, lambda s: s["free"].append(2), ""),
    (FORKED, lambda s: s["tables"].update(b=[0, 6]), ""),
    (FORKED, lambda s: s["tables"].update(b="02"), ""),
    (FORKED, lambda s: s.pop("free"), ""),
    (FREED, lambda s: s["counts"].__setitem__(0, 0), "freed-while-read"),
    (FREED, lambda s: s["counts"].__setitem__(0, 2), "never-freed"),
])
def test_a_state_broken_by_hand_is_told(told, change, says):
    assert followed(told) is None
    broken = copy.deepcopy(told)
    change(broken[-1][3])
    found = followed(broken)
    assert found and found[0] == says, found


def test_integrity_after_no_call_in_particular():
    snapshot = {"tables": {"a": [0, 1]}, "lengths": {"a": 3}, "free": [2], "counts": [1, 1, 0]}
    assert check_integrity(snapshot, {"a": 3}, 2) is None
    assert check_integrity(snapshot | {"counts": [1, 0, 0], "free": [2, 1]}, {"a": 3}, 2)[0] == "count-too-low"
    assert check_integrity(snapshot | {"counts": [1, 1, 1], "free": []}, {"a": 3}, 2)[0] == "count-too-high"


@pytest.mark.parametrize(("calls", "value", "says"), [
    ([("add", "a", [1, 2, 3]), ("add", "b", [1, 2, 9])], 3, "partial-block-cached"),
    ([("add", "a", [1, 2, 3]), ("add", "b", [1, 2, 9])], 4, "partial-block-cached"),
    ([("add", "a", [1, 2, 3]), ("add", "b", [1, 2, 9, 9])], 4, "nothing-left-to-compute"),
    ([("add", "a", [1, 2, 3]), ("add", "b", [2, 2, 9])], 2, "partial-block-cached"),  # its block was never written
    ([("add", "a", [1, 2, 3]), ("add", "b", [1, 2, 9])], None, ""),
    ([("add", "a", [1, 2, 3]), ("fork", "a", "b"), ("append", "b", 4)], (2, 1), "copy-reversed"),
    ([("add", "a", [1, 2, 3]), ("fork", "a", "b"), ("append", "b", 4)], None, "copy-not-reported"),
    ([("add", "a", [1, 2, 3]), ("fork", "a", "b"), ("append", "b", 4)], (0, 2), ""),
    ([("add", "a", [1, 2, 3]), ("append", "a", 4), ("append", "a", 5)], (1, 2), "copies-full-block"),
])
def test_a_wrong_value_is_told(calls, value, says):
    told = story(*calls, caching=True)
    assert followed(told, caching=True) is None
    found = followed([*told[:-1], (*told[-1][:2], value, told[-1][3])], caching=True)
    assert found and found[0] == says, found


def test_a_world_without_prefix_caching_has_no_hits():
    told = story(("add", "a", [1, 2, 3]), ("add", "b", [1, 2, 9]), caching=True)
    assert "off" in followed(told, caching=False)[1]


@pytest.mark.parametrize("seed", range(6))
def test_walks_fit_do_much_and_find_prefixes(seed):
    """A walk that never forks, never copies and never hits would check nothing."""
    hits = copies = 0
    for case in walk.walks(seed):
        blocks, size, caching = case.expect.shape
        module = solved()
        manager = module.BlockManager(module.BlockAllocator(blocks), size, caching)
        for line in case.expect.lines:
            value = getattr(manager, line.method)(*line.args)
            hits += line.method == "add" and value > 0
            copies += line.method == "append" and value is not None
        assert manager.snapshot()["tables"] == {}
    assert hits >= 3 and copies >= 2


JUNK = (None, True, -1, 10**30, 2.5, float("nan"), "a", b"a", [], [[1], "x"], (1, 2), {"tables": 1}, {1: 2},
        torch.zeros(2),
        {"tables": {"a": [10**9]}, "lengths": {"a": 1}, "free": [], "counts": []},
        {"tables": {"a": []}, "lengths": {}, "free": [None], "counts": [0] * 6},
        {"tables": {"a": [0], 3: [1]}, "lengths": {"a": "x"}, "free": [0], "counts": [0] * 6},
        {"tokens": [], "allocated": None, "filled": "x", "wasted": {}})


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: str(junk)[:30])
def test_no_judge_fails_on_junk(junk):
    """Whatever comes back: a verdict, and full marks for nothing but what is right."""
    for case in CASES:
        outputs = [Returned(None if i == 0 and not isinstance(step, Call) else junk) for i,
                   step in enumerate(case.steps)]
        verdict = checks.judge(case, outputs, [])
        if not isinstance(case.expect, (Story, tuple)):  # a story may have a call that returns what the junk is
            assert not verdict.ok, case.show
        if isinstance(case.expect, Tale):
            outputs[0] = Raised("ValueError", "no", None)
            assert not checks.judge(case, outputs[:1], []).ok


def test_the_trusted_pool_is_a_queue_and_refuses():
    pool = Pool(3)
    assert [pool.allocate(), pool.allocate()] == [0, 1]
    pool.free(0)
    pool.share(0)
    pool.share(0)
    assert pool.free_blocks() == [2] and pool.ref_counts() == [2, 1, 0] and pool.num_free() == 1
    for call in (lambda: pool.free(2), lambda: pool.free(-1), lambda: pool.share(3), lambda: pool.share("0"),
                 lambda: pool.ref_count(True), lambda: pool.share(None)):
        with pytest.raises(ValueError, match="block"):
            call()
    assert [pool.allocate()] == [2]
    with pytest.raises(ValueError, match="all 3 blocks"):
        pool.allocate()


def test_a_story_goes_on_after_a_refusal():
    lines = [stories.Line("a"), stories.Line("b", (), refuses=("ValueError",), names="7"), stories.Line("c", (), 3)]
    first, second = stories.told("paged_cache.BlockAllocator", "g", "x", [], lines, "x")
    assert [step.method for step in first.steps] == ["a", "b"] and [step.method for step in second.steps] == ["c"]
    assert stories.judge(first.expect, [Returned(1), Raised("ValueError", "7", None)]).ok
    assert not stories.judge(first.expect, [Returned(1), Returned(7)]).ok
    assert stories.judge(first.expect, [Returned(1), Raised("ValueError", "8",
                                                            None)]).misconception == "unnamed-value"
    assert not stories.judge(first.expect, [Returned(1), Raised("KeyError", "7", None)]).ok
    assert stories.judge(second.expect, [Returned(3)]).ok and not stories.judge(second.expect, [Returned(3.0)]).ok


def lost(report, source: bytes) -> set[tuple[str, str]]:
    return {(task.id.partition(".")[2], group.name) for task in report("paged_cache", source).tasks
            for group in task.groups if group.earned < group.points}


@pytest.mark.parametrize(("mutant", "groups"), [
    ("allocator_stack", {("BlockAllocator", allocator.ORDER)}),
    ("allocator_lowest_id", {("BlockAllocator", allocator.ORDER)}),
    ("allocator_double_free", {("BlockAllocator", allocator.REFUSED)}),
    ("manager_frees_head_first", {("BlockManager", manager.EVICTED)}),
    ("manager_stale_key", {("BlockManager", manager.EVICTED), ("BlockManager", manager.WALK)}),
    ("manager_half_allocated", {("BlockManager", manager.REFUSED)}),
])
def test_one_mistake_costs_its_own_points(report, mutant, groups):
    source = next(one.source for one in variants.mutants("paged_cache") if one.name == mutant)
    assert lost(report, source) <= groups


NO_CACHE = b"""
class BlockManager(BlockManager):
    def __init__(self, allocator, block_size, prefix_caching=False):
        super().__init__(allocator, block_size)
"""


def test_without_a_prefix_cache_the_other_points_stay(report):
    """A student may do the prefix cache last, or never."""
    groups = lost(report, variants.solution("paged_cache") + NO_CACHE)
    assert groups == {("BlockManager", manager.HITS), ("BlockManager", manager.EVICTED)}
