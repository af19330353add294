"""Damage costs its own question, is over when the case is, and the next submission notices nothing."""

import pytest

from tests.adversarial import damage
from tests.adversarial.attack import FULL
from tests.adversarial.room import earned, outcome


@pytest.mark.parametrize("attack", damage.ATTACKS, ids=lambda attack: attack.name)
def test_damage(room, attack):
    warm = room.warm
    report = room.attack(attack)
    assert earned(report) == attack.points, outcome(report)
    assert {task.status for task in report.tasks if task.earned < task.points} <= set(attack.says)
    assert room.left() == [] and room.warm == warm


@pytest.mark.parametrize("attack", damage.KILLS, ids=lambda attack: attack.name)
@pytest.mark.parametrize("namespaces", [True, False])
def test_the_warm_process_cannot_be_killed(room, bare, attack, namespaces):
    """Real signals at the process it was forked from: it goes on, and the attacker loses its own question."""
    here = room if namespaces else bare
    warm = here.warm
    report = here.attack(attack)
    assert earned(report) == attack.points
    assert here.warm == warm and here.harness.starter.process.poll() is None and here.left() == []


def test_after_all_of_it_an_honest_submission_gets_every_point(room):
    assert earned(room.check(room.solution)) == FULL
