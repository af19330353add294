"""Forging gets exactly what the right functions of a module are worth, and leaves nothing behind."""

import pytest

from tests.adversarial import forging, frames
from tests.adversarial.room import earned, outcome


@pytest.mark.parametrize("attack", [*forging.TABLES, *frames.TABLES], ids=lambda attack: attack.name)
def test_forging(room, attack):
    report = room.attack(attack)
    assert earned(report) == attack.points, outcome(report)
    if attack.says:
        assert {task.status for task in report.tasks if task.earned < task.points} <= set(attack.says)
    assert room.left() == []
