"""How the checks of `flops` judge a number: what is right, what is refused, and that no two mistakes share a value."""

import importlib
import math

import pytest
import torch

from llmlab.checks import flops
from llmlab.checks.flops.verdicts import Right, Want, judge, same
from llmlab.checks.protocol import Case, Raised, Returned


HUGE = 2**20_000


def verdict(right, got):
    return judge(Case("flops.matmul_flops", "g", (), Want(right)), [Returned(got)], [])


@pytest.mark.parametrize(("right", "got"), [
    (10**15, 10**15), (10**15, 1e15), (0.125, 0.125), (1.0, 1), (7, torch.tensor(7)), (7, torch.tensor([7])), (0, 0),
    (0, 0.0),
    (None, None), ("memory", "memory"), ([0.5, 1.0], (0.5, 1)), ([0.5, 1.0], torch.tensor([0.5, 1.0])), ([], []),
    (1 / 3, 0.3333333), (10**24 + 1, float(10**24)),
])
def test_what_is_right(right, got):
    assert verdict(Right(right), got).ok


@pytest.mark.parametrize(("right", "got"), [
    (10**15, 10**15 + 1), (1, True), (0, False), (0, None), (None, 0), (1.0, math.nan), (1.0, math.inf), (1, "1"),
    ("memory", "compute"),
    ("memory", None), ([1.0], [1.0, 2.0]), ([1.0], 1.0), ([1.0, 2.0], [2.0, 1.0]), ([], None), (5, [5]),
    (1, torch.tensor([1, 1])),
    (0.3333333, 0.3334), (1, HUGE), (1.0, HUGE), (2.0, -HUGE), ([1.0], [HUGE]), (1, [HUGE]), (1, {"a": 1}),
    (1, b"1"), (1, 1 + 1e-9),
], ids=lambda value: type(value).__name__)
def test_what_is_wrong(right, got):
    found = verdict(Right(right, {"never": (math.nan, "x")}), got)
    assert not found.ok and found.misconception == "" and len(found.message) < 300 and len(found.got) < 400


def test_a_dict_is_judged_key_by_key():
    want = {"a": Right(1), "b": Right(2.0, {"half": (1.0, "Half.")})}
    assert verdict(want, {"a": 1, "b": 2.0, "more": 3}).ok
    assert "lacks b" in verdict(want, {"a": 1}).message
    assert "dict with the keys a, b" in verdict(want, [1, 2.0]).message
    assert not verdict(want, [HUGE]).ok and not verdict(want, {HUGE: 1}).ok
    found = verdict(want, {"a": 1, "b": 1.0})
    assert (found.misconception, found.message) == ("half", 'Half. (in "b")')
    assert verdict(want, {"a": 3, "b": 1.0}).message == '"a" is not right: 3 times what it should be.'


def test_what_is_raised_is_told():
    case = Case("flops.matmul_flops", "g", (), Want(Right(1)))
    found = judge(case, [Raised("KeyError", "'mpl'", 7)], [])
    assert not found.ok and "KeyError (line 7): 'mpl'" in found.message


def test_an_argument_that_was_changed_is_told():
    case = Case("flops.parameters", "g", (), Want(Right(1)))
    assert judge(case, [Returned(1, mutated=("model",))], []).misconception == "changes-its-input"


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4, 27_182])
def test_no_two_mistakes_lead_to_the_same_number(seed):
    """Otherwise a student could be told of the wrong one. Where two cannot be told apart, the check names but one."""
    for case in flops.cases(seed):
        if not isinstance(case.expect, Want):
            continue
        right = case.expect.right
        for one in [right] if isinstance(right, Right) else right.values():
            wrong = [(name, value) for name, (value, _) in one.wrong.items() if not same(one.value, value)]
            for i, (name, value) in enumerate(wrong):
                twins = [other for other, number in wrong[i + 1:] if same(value, number)]
                assert not twins, (case.task, case.group, name, twins)


def test_every_mistake_can_be_reported_by_some_case():
    """A mistake whose number is the right one in all cases would be dead text."""
    alive, known = set(), set()
    for case in flops.cases(0):
        if isinstance(case.expect, Want):
            right = case.expect.right
            for one in [right] if isinstance(right, Right) else right.values():
                known |= {(case.task, name) for name in one.wrong}
                alive |= {(case.task, name) for name, (value, _) in one.wrong.items()
                          if value == value and not same(one.value, value)}
    assert known == alive


def test_the_modules_say_which_section_to_read():
    for part in ("layers", "passes", "memory", "intensity", "seconds"):
        for task in importlib.import_module(f"llmlab.checks.flops.{part}").TASKS:
            assert task.lab == "lab2" and task.read.startswith("part2/") and "#sec-" in task.read
    assert sum(task.points for task in flops.TASKS) == 68
