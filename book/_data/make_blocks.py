"""Writes book/_data/blocks.json: stories of a paged cache, state by state, for a stepper in the browser.

    python book/_data/make_blocks.py

`Stepper` is the reference for the browser's own program: a block manager with a prefix cache, on plain lists and
dicts, with the text itself as the key of a block, so no hash is needed. The file holds its states after every call;
a test holds them against the course's BlockManager. A browser may show them as they are, or compute its own and
compare.

A state: {"call": [method, ...], "value": what it returned, "tables": name -> blocks, "tokens": name -> token ids,
"free": blocks, front first, "counts": users of each block, "slots": for each block the token in each slot or null,
"cached": blocks that the prefix cache would find, "event": what happened, in words}.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

OUT = Path(__file__).with_name("blocks.json")
STORIES: dict[str, dict[str, Any]] = {
    "grow": {"title": "A sequence grows and leaves", "blocks": 6, "size": 4, "caching": False, "calls": [
        ["add", "a", [11, 12, 13, 14, 15, 16]], ["append", "a", 17], ["append", "a", 18], ["append", "a", 19],
        ["add", "b", [21]], ["free", "a"], ["add", "c", [31, 32, 33, 34, 35]]]},
    "fork": {"title": "One prompt, three samples", "blocks": 8, "size": 4, "caching": False, "calls": [
        ["add", "a", [11, 12, 13, 14, 15, 16]], ["fork", "a", "b"], ["fork", "a", "c"], ["append", "a", 17],
        ["append", "b", 18], ["append", "c", 19], ["append", "a", 20], ["append", "a", 21], ["free", "b"], ["free", "a"]]},
    "beam": {"title": "Beam search: winners are forked, losers freed", "blocks": 8, "size": 2, "caching": False, "calls": [
        ["add", "a", [11, 12, 13]], ["fork", "a", "b"], ["append", "a", 14], ["append", "b", 15], ["fork", "b", "c"],
        ["free", "a"], ["append", "b", 16], ["append", "c", 17], ["append", "b", 18], ["append", "c", 19]]},
    "share": {"title": "Prompts that begin alike", "blocks": 8, "size": 2, "caching": True, "calls": [
        ["add", "a", [11, 12, 13, 14, 15]], ["add", "b", [11, 12, 13, 14, 16]], ["add", "c", [11, 12, 19]],
        ["add", "d", [13, 14, 15]], ["free", "a"], ["free", "b"], ["add", "e", [11, 12, 13, 14, 15]]]},
    "evict": {"title": "What was used last is evicted last", "blocks": 4, "size": 2, "caching": True, "calls": [
        ["add", "a", [11, 12, 13]], ["add", "b", [21, 22, 23]], ["free", "a"], ["free", "b"], ["add", "c", [11, 12, 19]],
        ["free", "c"], ["add", "d", [8, 8, 8, 8, 8]], ["free", "d"], ["add", "e", [11, 12, 14]], ["add", "f", [21, 22, 24]]]},
}


class Stepper:
    """The states of one story."""

    def __init__(self, blocks: int, size: int, caching: bool):
        self.size, self.caching = size, caching
        self.free = list(range(blocks))
        self.counts = [0] * blocks
        self.slots: list[list[int | None]] = [[None] * size for _ in range(blocks)]
        self.tables: dict[str, list[int]] = {}
        self.tokens: dict[str, list[int]] = {}
        self.block_of: dict[tuple[int, ...], int] = {}  # the text up to a block's end -> the block
        self.event: list[str] = []

    def take(self) -> int:
        block = self.free.pop(0)
        self.counts[block] = 1
        lost = [text for text, held in self.block_of.items() if held == block]
        for text in lost:
            del self.block_of[text]
            self.event.append(f"block {block} is evicted")
        self.slots[block] = [None] * self.size
        return block

    def share(self, block: int) -> None:
        if self.counts[block] == 0:
            self.free.remove(block)
        self.counts[block] += 1

    def drop(self, block: int) -> None:
        self.counts[block] -= 1
        if self.counts[block] == 0:
            self.free.append(block)

    def write(self, name: str, first: int) -> None:
        """The tokens from `first` on into their slots; blocks that became full into the prefix cache."""
        tokens, table = self.tokens[name], self.tables[name]
        for i in range(first, len(tokens)):
            self.slots[table[i // self.size]][i % self.size] = tokens[i]
        for end in range(self.size, len(tokens) + 1, self.size):
            if self.caching and end > first:
                self.block_of.setdefault(tuple(tokens[:end]), table[end // self.size - 1])

    def add(self, name: str, tokens: list[int]) -> int:
        table: list[int] = []
        while (end := (len(table) + 1) * self.size) < len(tokens) and tuple(tokens[:end]) in self.block_of:
            table.append(self.block_of[tuple(tokens[:end])])
            self.share(table[-1])
        cached = len(table) * self.size
        self.event.append(f"{cached} tokens are there already" if cached else "nothing is there yet")
        while len(table) * self.size < len(tokens):
            table.append(self.take())
        self.tables[name], self.tokens[name] = table, list(tokens)
        self.write(name, cached)
        return cached

    def append(self, name: str, token: int) -> list[int] | None:
        table, tokens, moved = self.tables[name], self.tokens[name], None
        if len(tokens) == len(table) * self.size:
            table.append(self.take())
            self.event.append(f"the last block is full: {name} takes block {table[-1]}")
        elif self.counts[table[-1]] > 1:
            old, table[-1] = table[-1], self.take()
            self.drop(old)
            self.slots[table[-1]] = list(self.slots[old])
            moved = [old, table[-1]]
            self.event.append(f"block {old} is shared: {name} copies it to block {table[-1]}")
        tokens.append(token)
        self.write(name, len(tokens) - 1)
        return moved

    def fork(self, name: str, new: str) -> None:
        for block in self.tables[name]:
            self.share(block)
        self.tables[new], self.tokens[new] = list(self.tables[name]), list(self.tokens[name])
        self.event.append(f"{new} shares all blocks of {name}")

    def leave(self, name: str) -> None:
        for block in reversed(self.tables.pop(name)):
            self.drop(block)
        del self.tokens[name]
        self.event.append(f"{name} is finished; its blocks lose a user, the last one first")

    def state(self, call: list) -> dict[str, Any]:
        """Do a call, and everything that can be drawn after it."""
        self.event = []
        method, *args = call
        value = getattr(self, "leave" if method == "free" else method)(*args)
        return copy.deepcopy({
            "call": call, "value": value, "tables": self.tables, "tokens": self.tokens, "free": self.free,
            "counts": self.counts, "slots": self.slots, "cached": sorted(self.block_of.values()),
            "event": "; ".join(self.event)})


def make() -> dict[str, Any]:
    """Name -> {"title", "blocks", "size", "caching", "states": one for each call}."""
    made = {}
    for name, story in STORIES.items():
        stepper = Stepper(story["blocks"], story["size"], story["caching"])
        made[name] = {key: story[key] for key in ("title", "blocks", "size", "caching")}
        made[name]["states"] = [stepper.state(call) for call in story["calls"]]
    return made


if __name__ == "__main__":
    data = make()
    OUT.write_text(json.dumps(data, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"wrote {OUT.name}: {sum(len(story['states']) for story in data.values())} states of {len(data)} stories")
