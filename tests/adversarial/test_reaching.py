"""Nothing outside of the process can be reached, changed or slowed down from it."""

import pytest

from tests.adversarial import reaching
from tests.adversarial.attack import FULL
from tests.adversarial.room import earned


@pytest.mark.parametrize("namespaces", [True, False])
@pytest.mark.parametrize("probe", reaching.TABLES, ids=lambda probe: probe.name)
def test_nothing_can_be_damaged(room, bare, probe, namespaces):
    """With the namespaces of bubblewrap around the warm process, and without, as on machines that have none."""
    here = room if namespaces else bare
    warm = here.warm
    assert here.probe(probe) == []
    assert here.left() == [] and here.warm == warm


@pytest.mark.parametrize("namespaces", [True, False])
def test_after_all_of_it_an_honest_submission_gets_every_point(room, bare, namespaces):
    here = room if namespaces else bare
    assert earned(here.check(here.solution)) == FULL
