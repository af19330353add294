"""One room for all files of this folder, in each pytest process."""

import pytest

from tests.adversarial.room import Room


@pytest.fixture(scope="session")
def room(tmp_path_factory):
    made = Room(tmp_path_factory.mktemp("instructor"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """A room whose warm process has no namespaces around it: only what each fork does to itself."""
    made = Room(tmp_path_factory.mktemp("instructor"), namespaces=False)
    yield made
    made.close()
