"""What must hold of block tables, told without a block manager: texts are plain lists, memory is a plain list
of slots.

K and V of a token depend on all the text up to it. So `World` writes that whole text into a slot where a real
cache would write numbers, does the copies that the manager asks for, and lets every sequence read itself back
through its table. If it finds its own text, its attention would have been right. How the tables came about
plays no part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Wrong = tuple[str, str]
"""A misconception's id ("" if it has no name) and what was done, in words."""

TIMES = {"add": ("hit-does-not-count", "Blocks found in the prefix cache got a new user without `share`: when "
                                       "their first user "
                 "is finished they are handed out, and this sequence reads somebody else's text."),
         "fork": ("fork-does-not-count", "The fork reads blocks whose reference count was not raised: when the "
                                         "first of the two "
                  "is finished they are handed out, while the other still reads them."),
         "free": ("freed-while-read", "A block was freed once too often: it is on the free list, or soon will be, "
                                      "while another "
                  "sequence still reads it."),
         "append": ("freed-while-read", "A block lost a user that still reads it.")}
KEPT = {"free": ("never-freed", "The sequence is gone, but blocks of its table still count it as a user: they are "
                                "lost for good."),
        "append": ("copy-keeps-old-count", "The sequence has a block of its own now, but the block it left still "
                                           "counts it as a "
                   "user: it will never be free again. Free it once.")}


def integer(value: Any) -> bool:
    return type(value) is int


def well_formed(snapshot: Any, num_blocks: int) -> str:
    """What is wrong with the form of a snapshot ("" if nothing): it comes from a student's process."""
    if not isinstance(snapshot, dict) or not {"tables", "lengths", "free", "counts"} <= snapshot.keys():
        return "snapshot() gives a dict with tables, lengths, free and counts; leave it as it was in the scaffold"
    tables, lengths = snapshot["tables"], snapshot["lengths"]
    if not isinstance(tables, dict) or not all(isinstance(name, str) and isinstance(table, list) for name,
                                               table in tables.items()):
        return "the tables should be lists of block ids, by name"
    if not isinstance(lengths, dict) or not all(isinstance(name, str) and integer(n) for name,
                                                n in lengths.items()):
        return "the lengths should be numbers of tokens, by name"
    for table in tables.values():
        if not all(integer(block) and 0 <= block < num_blocks for block in table):
            return f"a table holds {table}, but the blocks are 0 to {num_blocks - 1}"
    for key in ("free", "counts"):
        if not isinstance(snapshot[key], list) or not all(map(integer, snapshot[key])):
            return f"{key} should be a list of numbers"
    if len(snapshot["counts"]) != num_blocks:
        return f"there are {num_blocks} blocks, and counts of {len(snapshot['counts'])}"
    return ""


def check_integrity(snapshot: Mapping[str, Any], lengths: Mapping[str, int], block_size: int,
                    did: str = "") -> Wrong | None:
    """The invariants of a block manager after any call: lengths, sizes of tables, reference counts, the free
    list.

    `lengths`: what the sequences' lengths should be; `did`: the method called last, which tells how a count
    went wrong.
    """
    tables, counts, free = snapshot["tables"], snapshot["counts"], snapshot["free"]
    if set(tables) != set(lengths):
        return "", f"the sequences should be {sorted(lengths)}, and there are tables of {sorted(tables)}"
    if dict(snapshot["lengths"]) != dict(lengths):
        return "", f"the lengths should be {dict(lengths)}, and are {snapshot['lengths']}"
    for name, length in lengths.items():
        table, need = tables[name], -(-length // block_size)
        if len(set(table)) < len(table):
            return ("hit-handed-out-again" if did == "add" else "block-twice-in-a-table",
                    f"the table of {name!r} is {table}: a block is in it twice. A hit may be free, and the next to "
                    f"be handed out; "
                    "share the hits before you take new blocks.")
        if len(table) > need:
            return "takes-block-early", (f"{name!r} has {length} tokens in {len(table)} blocks of {block_size}: a "
                                         f"block is taken "
                                         "only when there is a token for it.")
        if len(table) < need:
            return "takes-block-late", (f"{name!r} has {length} tokens, for which {len(table)} blocks of {block_size} "
                                        "are too few")
    users = Counter(block for table in tables.values() for block in table)
    for block, count in enumerate(counts):
        if count < users[block]:
            name, words = TIMES.get(did, ("count-too-low", "A block has more users than it counts."))
            return name, f"{words} (block {block}: count {count}, in {users[block]} tables)"
        if count > users[block]:
            name, words = KEPT.get(did, ("count-too-high", "A block counts more users than it has: it will never "
                                                           "be free again."))
            return name, f"{words} (block {block}: count {count}, in {users[block]} tables)"
    if sorted(free) != [block for block, count in enumerate(counts) if count == 0]:
        return "", f"the free list should hold the blocks without a user, and holds {free}"
    return None


class World:
    """The texts and the memory of one story. `step` follows a call and says what went wrong with it, or None.

    `ordered`: the order in which `free` gives blocks back counts too.
    """

    def __init__(self, num_blocks: int, block_size: int, prefix_caching: bool, ordered: bool = True):
        self.num_blocks, self.size, self.caching, self.ordered = num_blocks, block_size, prefix_caching, ordered
        self.texts: dict[str, list[int]] = {}
        self.memory: list[list[tuple | None]] = [[None] * block_size for _ in range(num_blocks)]
        # what each block held when it was full
        self.held: list[list[list[tuple | None]]] = [[] for _ in range(num_blocks)]
        self.last: dict[str, Any] = {"tables": {}, "free": list(range(num_blocks))}

    def step(self, method: str, args: Sequence[Any], value: Any, snapshot: Any) -> Wrong | None:
        """The call `method(*args)` gave `value`, and left `snapshot` behind."""
        form = well_formed(snapshot, self.num_blocks)
        if form:
            return "", form
        before, name = self.last, args[-1] if method == "fork" else args[0]
        self.last = snapshot
        self._tell(method, args)
        alias = self._others_moved(before, snapshot, name)
        if alias:
            return alias
        if method == "append":
            copied = self._copying(before, name, value)
            if copied:
                return copied
        broken = check_integrity(snapshot, {who: len(text) for who, text in self.texts.items()}, self.size, method)
        if broken:
            return broken
        if method == "fork" and snapshot["tables"][name] != snapshot["tables"][args[0]]:
            return "fork-copies-blocks", ("The fork has blocks of its own. It shares all of them, until one of the two "
                                          "writes.")
        if method == "free":
            return self._order(before, snapshot, name) if self.ordered else None
        return self._write(method, name, value, before) if method in ("add", "append") else None

    def _tell(self, method: str, args: Sequence[Any]) -> None:
        """The texts after the call."""
        if method == "add":
            self.texts[args[0]] = list(args[1])
        elif method == "append":
            self.texts[args[0]].append(args[1])
        elif method == "fork":
            self.texts[args[1]] = list(self.texts[args[0]])
        elif method == "free":
            del self.texts[args[0]]

    def _others_moved(self, before: dict, now: dict, name: str) -> Wrong | None:
        for who, table in now["tables"].items():
            if who != name and who in before["tables"] and table != before["tables"][who]:
                return "table-aliased", (f"The table of {who!r} changed with that of {name!r}: both are the same "
                                         f"list. A fork "
                                         "gets a copy of the table.")
            if who != name and who in before["tables"] and now["lengths"].get(who) != before["lengths"].get(who):
                return "tokens-aliased", f"{who!r} grew together with {name!r}: both hold the same list of tokens."
        return None

    def _copying(self, before: dict, name: str, value: Any) -> Wrong | None:
        """A copy that was not needed, or one that was and is missing."""
        table, now = before["tables"][name], self.last["tables"].get(name, [])
        users = sum(table[-1] in other for other in before["tables"].values())
        full = (len(self.texts[name]) - 1) % self.size == 0
        if full and (value is not None or now[:len(table)] != table):
            return "copies-full-block", ("The last block was full, so nothing more is written to it: it stays "
                                         "shared, and a new block follows.")
        if not full and users == 1 and now != table and len(now) == len(table):
            return "copies-unshared-block", "The last block has no other user: write to it, without a copy."
        if not full and users > 1 and now == table:
            return "copy-on-write-forgotten", ("The last block is shared, and the new token goes into it: another "
                                               "sequence will read it, or write its own there. Copy the block "
                                               "first.")
        return None

    def _order(self, before: dict, now: dict, name: str) -> Wrong | None:
        """Blocks that became free are at the end of the list, those of the table's end first."""
        gone = [block for block in before["tables"][name] if block in now["free"]]
        if now["free"] == before["free"] + gone[::-1] or len(gone) < 2:
            return None
        if now["free"] == before["free"] + gone:
            return "frees-head-first", (f"The blocks {gone} were freed from the first to the last. Free the last "
                                        f"one first: the end "
                                        "of a prefix is worth nothing without its beginning, so it is to be "
                                        "evicted first.")
        return "", f"the free list should end in {gone[::-1]}, and is {now['free']}"

    def _write(self, method: str, name: str, value: Any, before: dict) -> Wrong | None:
        """Does what the caller has to do after the call, then reads every sequence back."""
        text, table = self.texts[name], self.last["tables"][name]
        first = len(text) - 1
        if method == "add":
            odd = self._cached(value, len(text))
            if odd:
                return odd
            first = value
        elif value is not None:
            if not isinstance(value, (list, tuple)) or len(value) != 2 or not all(
                    integer(block) and 0 <= block < self.num_blocks for block in value):
                return "", f"append gives None or (source, target), and gave {value!r}"
            self.memory[value[1]] = list(self.memory[value[0]])
        hits = {block: list(self.memory[block]) for block in table[:first // self.size]} if method == "add" else {}
        for place in range(first, len(text)):
            block = table[place // self.size]
            self.memory[block][place % self.size] = tuple(text[:place + 1])
            if place % self.size == self.size - 1:
                self.held[block].append(list(self.memory[block]))
        for who in self.texts:
            read = self._read(who)
            if read is not None:
                return self._named(method, name, who, read, value, before, hits)
        return None

    def _cached(self, value: Any, length: int) -> Wrong | None:
        """What is wrong with the number of cached tokens as such."""
        if not integer(value) or value < 0:
            return "", f"add gives the number of tokens that are cached, and gave {value!r}"
        if value % self.size or value > length:
            return "partial-block-cached", (f"{value} tokens of {length} are said to be cached, with blocks of "
                                            f"{self.size}. Only full "
                                            "blocks go into the prefix cache: a partial one will still be written "
                                            "to.")
        if value == length:
            return "nothing-left-to-compute", (f"All {length} tokens are said to be cached. The last one must be "
                                               f"computed, since its "
                                               "logits choose the next token: look up full blocks before the last "
                                               "token only.")
        if value and not self.caching:
            return "", f"{value} tokens are said to be cached, but prefix_caching is off"
        return None

    def _read(self, name: str) -> int | None:
        """The first position at which a sequence does not find its own text."""
        text, table = self.texts[name], self.last["tables"][name]
        for place in range(len(text)):
            if self.memory[table[place // self.size]][place % self.size] != tuple(text[:place + 1]):
                return place
        return None

    def _named(self, method: str, name: str, who: str, place: int, value: Any, before: dict, hits: dict) -> Wrong:
        """Why the sequence `who` does not read its own text at `place`, after a call about `name`."""
        where = f"(sequence {who!r}, position {place})"
        if method == "append":
            old = before["tables"][name][-1]
            now = self.last["tables"][name][-1]
            if value is None and old != now:
                return "copy-not-reported", ("The sequence has a new last block, but append did not say what to "
                                             "copy into it: "
                                             f"the tokens before are missing. {where}")
            if value is not None and tuple(value) == (now, old):
                return "copy-reversed", f"The copy goes from the shared block to the new one: (source, target). {where}"
            return "", f"after the copy {value!r} a sequence does not read its own text {where}"
        if who != name:
            return "overwrites-block-in-use", f"A block that another sequence reads was written to. {where}"
        found, start = hits.get(self.last["tables"][name][place // self.size], []), place - place % self.size
        return self._bad_hit(found, self.texts[name], start, self.last["tables"][name][place // self.size], where)

    def _bad_hit(self, found: list, text: list[int], start: int, block: int, where: str) -> Wrong:
        """Why a block that was found in the prefix cache holds another text."""
        want = [tuple(text[:start + i + 1]) for i in range(self.size)]
        if want in self.held[block]:
            return "stale-key", ("A block was found by the key of a text that it held once. It has been handed out "
                                 "since, and "
                                 f"overwritten: forget its key at that moment. {where}")
        if any(entry is None for entry in found):
            return "partial-block-cached", f"A block was found in the prefix cache that is not full. {where}"
        if [entry[-1] for entry in found] == text[start:start + self.size]:
            return "key-without-parent", ("A block was found that holds the same tokens after another prefix. K "
                                          "and V depend on "
                                          f"everything before: the key of the block before belongs into the key. "
                                          f"{where}")
        held = [entry[-1] for entry in found]
        return "finds-other-text", f"A block was found that holds other tokens: {held}. {where}"
