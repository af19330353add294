"""Stealing gets nothing, and the same probes find everything in a process without the sandbox."""

import json
import subprocess
import sys

import pytest

from llmlab._finder import PACKAGE
from tests.adversarial import reaching, stealing
from tests.adversarial.attack import Attack

ALL = [*stealing.TABLES, *reaching.TABLES]


@pytest.fixture(scope="module")
def outside(room):
    """Probe -> what it finds in a plain process."""
    with open(room.world.files[0]) as planted:
        done = subprocess.run(
            [sys.executable, "-m", "tests.adversarial.outside"], input=json.dumps(room.world.told), text=True,
            capture_output=True, cwd=PACKAGE.parent, pass_fds=[planted.fileno()], timeout=100)
    assert done.returncode == 0, done.stderr[-3_000:]
    room.world.heard.clear()
    return json.loads(done.stdout)


@pytest.mark.parametrize("namespaces", [True, False])
@pytest.mark.parametrize("probe", stealing.TABLES, ids=lambda probe: probe.name)
def test_stealing(room, bare, probe, namespaces):
    """With the namespaces of bubblewrap around the warm process, and without, as on machines that have none."""
    here = room if namespaces else bare
    here.attack(Attack("earlier", "stealing", "", stealing.EARLIER))
    assert here.probe(probe) == []
    assert here.left() == []


@pytest.mark.parametrize("probe", [probe for probe in ALL if probe.control], ids=lambda probe: probe.name)
def test_outside_of_the_sandbox_the_probe_finds_something(outside, probe):
    assert outside[probe.name], f"{probe.name} proves nothing: it finds nothing where there is no sandbox"
