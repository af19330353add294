"""Damage costs its own question, is over when the case is, and the next submission notices nothing."""

import pytest

from tests.adversarial import damage
from tests.adversarial.attack import FULL, Attack
from tests.adversarial.room import earned, outcome


@pytest.mark.parametrize("attack", damage.ATTACKS, ids=lambda attack: attack.name)
def test_damage(room, attack):
    warm = room.warm
    report = room.attack(attack)
    assert earned(report) == attack.points, outcome(report)
    assert {task.status for task in report.tasks if task.earned < task.points} <= set(attack.says)
    assert room.left() == [] and room.warm == warm


@pytest.mark.parametrize("namespaces", [True, False])
@pytest.mark.parametrize("probe", damage.PROBES, ids=lambda probe: probe.name)
def test_nothing_can_be_damaged(room, bare, probe, namespaces):
    """With the namespaces of bubblewrap around the warm process, and without, as on machines that have none."""
    here = room if namespaces else bare
    warm = here.warm
    assert here.probe(probe) == []
    assert here.left() == [] and here.warm == warm


@pytest.mark.parametrize("source", [damage.KILL_WARM, damage.SIGIO], ids=["kill", "sigio"])
@pytest.mark.parametrize("namespaces", [True, False])
def test_the_warm_process_cannot_be_killed(room, bare, source, namespaces):
    """Real signals at the process it was forked from: it goes on, and the attacker loses its own question."""
    here = room if namespaces else bare
    warm = here.warm
    report = here.attack(Attack("kills-the-warm-process", "damage", "", source, {"top_k": 0.0}))
    assert earned(report) == FULL | {"top_k": 0.0}
    assert here.warm == warm and here.harness.starter.process.poll() is None and here.left() == []


def test_after_all_of_it_an_honest_submission_gets_every_point(room):
    assert earned(room.check(room.solution)) == FULL
