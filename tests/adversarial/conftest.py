"""One room for all files of this folder, in each pytest process."""

import pytest

from tests.adversarial.room import Room


@pytest.fixture(scope="session")
def room(tmp_path_factory):
    made = Room(tmp_path_factory.mktemp("instructor"))
    yield made
    made.close()
