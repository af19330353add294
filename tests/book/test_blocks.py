"""book/_data/blocks.json: up to date, and state by state what the course's own BlockManager does."""

from __future__ import annotations

import json

import pytest

from llmlab.checks.paged_cache.oracle import World
from tests.book.data import read, script, solved

DATA = read("blocks.json")


def test_the_file_is_what_the_script_makes():
    assert json.loads(json.dumps(script("make_blocks").make())) == DATA, "run python book/_data/make_blocks.py"


@pytest.mark.parametrize("name", DATA)
def test_every_state_is_that_of_the_manager(name):
    story, module = DATA[name], solved("paged_cache")
    manager = module.BlockManager(module.BlockAllocator(story["blocks"]), story["size"], story["caching"])
    world = World(story["blocks"], story["size"], story["caching"])
    for state in story["states"]:
        method, *args = state["call"]
        value = getattr(manager, method)(*args)
        shot = manager.snapshot()
        assert world.step(method, args, value, shot) is None
        assert state["value"] == (list(value) if isinstance(value, tuple) else value)
        for key in ("tables", "free", "counts"):
            assert state[key] == shot[key], state["call"]
        assert {who: len(text) for who, text in state["tokens"].items()} == shot["lengths"]
        assert state["cached"] == sorted(manager._block_of.values())
        for who, table in state["tables"].items():
            size, text = story["size"], state["tokens"][who]
            assert [state["slots"][table[i // size]][i % size] for i in range(len(text))] == text


def test_the_stories_show_what_they_are_for():
    events = {name: " ".join(state["event"] for state in story["states"]) for name, story in DATA.items()}
    for name, words in (("grow", "the last block is full"), ("fork", "copies it"), ("beam", "shares all blocks"),
                        ("share", "4 tokens are there already"), ("evict", "is evicted")):
        assert words in events[name]
