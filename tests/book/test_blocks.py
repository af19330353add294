"""book/_data/blocks.json: up to date, and state by state what the course's own BlockManager does."""

from __future__ import annotations

import importlib.util
import json
import types
from pathlib import Path

import pytest

from llmlab.checks.paged_cache.oracle import World
from llmlab.grading import variants

FOLDER = Path(__file__).resolve().parents[2] / "book" / "_data"
DATA = json.loads((FOLDER / "blocks.json").read_text(encoding="utf-8"))


def maker() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("make_blocks", FOLDER / "make_blocks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def solved() -> types.ModuleType:
    found = types.ModuleType("solved_paged_cache")
    exec(compile(variants.solution("paged_cache"), "paged_cache.py", "exec"), found.__dict__)
    return found


def test_the_file_is_what_the_script_makes():
    assert json.loads(json.dumps(maker().make())) == DATA, "run python book/_data/make_blocks.py"


@pytest.mark.parametrize("name", DATA)
def test_every_state_is_that_of_the_manager(name):
    story, module = DATA[name], solved()
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
