"""Honest work, however odd, gets every point; each question alone gets its own; a mistake costs its own task only."""

import pytest

from llmlab.grading import variants
from tests.adversarial import fair
from tests.adversarial.attack import FULL
from tests.adversarial.room import earned, outcome

MUTANTS = [one for one in variants.mutants("decoding") if one.task.partition(".")[2] in FULL]
ALTERNATIVES = [one for one in variants.alternatives("decoding") if one.task.partition(".")[2] in FULL]


@pytest.mark.parametrize("attack", fair.TABLES, ids=lambda attack: attack.name)
def test_fair(room, attack):
    report = room.attack(attack)
    told = [task.failure.text() for task in report.tasks if task.failure]
    assert earned(report) == attack.points, (outcome(report), told)
    if attack.says:
        assert {task.status for task in report.tasks if task.earned < task.points} <= set(attack.says)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_a_mistake_costs_its_own_task_only(room, mutant):
    report = room.check(mutant.source)
    for task in report.tasks:
        if task.id == mutant.task:
            assert task.earned < task.points
            assert task.earned == sum(group.points for group in task.groups if group.passed == group.cases)
        else:
            assert task.earned == task.points, task.failure.text()


@pytest.mark.parametrize("variant", ALTERNATIVES, ids=lambda one: one.name)
def test_another_right_way_gets_every_point(room, variant):
    assert earned(room.check(variant.source)) == FULL
