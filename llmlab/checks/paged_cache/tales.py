"""The stories of BlockManager: who gets which block, told by hand with literal ids, in the manner of vLLM's
own tests.

Only the stories of eviction look at the order in which blocks are given back, so a mistake there costs nothing
elsewhere.
"""

from __future__ import annotations

from llmlab.checks.paged_cache.manager import EVICTED, FORKS, HITS, TABLES, line, refusals, tale
from llmlab.checks.paged_cache.stories import Line
from llmlab.checks.protocol import Case

FORGOT = "forgets-freed-blocks", ("The blocks of a finished sequence were not found any more. Their content stays "
                                  "until the allocator hands them out for something else: keep their keys until "
                                  "then.")
APPENDED = "appended-blocks-not-cached", ("A block that was filled by append was not found. It goes into the "
                                          "prefix cache as soon as it is full, as the blocks of add do.")
MISSED = "misses-a-hit", "Full blocks of this prefix are in use, and were not found."
ALONE = "shares-only-the-first-block", "Only the first block was found. Go on to the first miss."
HALF = "half-done", ("the call before raised, but by then it had changed something: blocks were taken or shared, "
                     "or a token added. Find out first how many blocks are needed and free, then act.")
OVER = "over-commits", "there are too few blocks, and it went through."


def table_tales() -> list[Case]:
    return [
        tale(TABLES, 8, 4, False, [
            line("add", "a", [1, 2, 3, 4, 5, 6], want=0, tables={"a": [0, 1]}, free=[2, 3, 4, 5, 6, 7]),
            line("append", "a", 7, want=None, tables={"a": [0, 1]}),
            line("append", "a", 8, want=None, tables={"a": [0, 1]}, free=[2, 3, 4, 5, 6, 7]),
            line("append", "a", 9, want=None, tables={"a": [0, 1, 2]}, free=[3, 4, 5, 6, 7]),
            line("add", "b", [5], want=0, tables={"a": [0, 1, 2], "b": [3]}),
            line("free", "a", tables={"b": [3]}, free=[4, 5, 6, 7, 2, 1, 0]),
            line("append", "b", 6, want=None), line("append", "b", 7, want=None),
            line("append", "b", 8, want=None, tables={"b": [3]}),
            line("append", "b", 9, want=None, tables={"b": [3, 4]}),
            line("add", "c", [1, 1, 1, 1, 1], want=0, tables={"b": [3, 4], "c": [5, 6]}),
            line("add", "d", [2, 2, 2, 2], want=0, tables={"b": [3, 4], "c": [5, 6], "d": [7]}, free=[2, 1, 0])]),
        tale(TABLES, 4, 1, False, [
            line("add", "a", [3, 3], want=0, tables={"a": [0, 1]}),
            line("append", "a", 3, want=None, tables={"a": [0, 1, 2]}),
            line("free", "a", free=[3, 2, 1, 0]), line("add", "a", [4], want=0, tables={"a": [3]})]),
    ]


def fork_tales() -> list[Case]:
    return [
        tale(FORKS, 6, 4, False, [
            line("add", "a", [1, 2, 3, 4, 5, 6], want=0),
            line("fork", "a", "b", tables={"a": [0, 1], "b": [0, 1]}, free=[2, 3, 4, 5]),
            line("append", "b", 7, want=(1, 2), tables={"a": [0, 1], "b": [0, 2]}, free=[3, 4, 5]),
            line("append", "a", 8, want=None, tables={"a": [0, 1], "b": [0, 2]}), line("append", "b", 9, want=None),
            line("free", "a", free=[3, 4, 5, 1]), line("append", "b", 1, want=None, tables={"b": [0, 2, 3]}),
            line("free", "b", free=[4, 5, 1, 3, 2, 0])]),
        tale(FORKS, 6, 4, False, [
            line("add", "a", [1, 2, 3, 4], want=0), line("fork", "a", "b", tables={"a": [0], "b": [0]}),
            line("append", "b", 5, want=None, tables={"a": [0], "b": [0, 1]}),
            line("append", "a", 6, want=None, tables={"a": [0, 2], "b": [0, 1]}),
            line("free", "b", free=[3, 4, 5, 1]),
            line("append", "a", 7, want=None, tables={"a": [0, 2]})], "a full block is shared for good"),
        tale(FORKS, 8, 4, False, [
            line("add", "a", [1, 2, 3, 4, 5], want=0), line("fork", "a", "b"), line("fork", "a", "c"),
            line("append", "a", 6, want=(1, 2)), line("append", "b", 7, want=(1, 3)),
            line("append", "c", 8, want=None),
            line("append", "a", 9, want=None, tables={"a": [0, 2], "b": [0, 3], "c": [0, 1]}, free=[4, 5, 6, 7])],
             "parallel sampling: one prompt, three continuations"),
        tale(FORKS, 8, 2, False, [
            line("add", "a", [1, 2, 3], want=0), line("fork", "a", "b"), line("append", "a", 4, want=(1, 2)),
            line("append", "b", 5, want=None),
            line("fork", "b", "c"), line("free", "a", free=[3, 4, 5, 6, 7, 2]), line("append", "b", 6, want=None),
            line("append", "c", 7, want=None, tables={"b": [0, 1, 3], "c": [0, 1, 4]}), line("fork", "c", "d"),
            line("free", "c"), line("append", "d", 8, want=None, tables={"b": [0, 1, 3], "d": [0, 1, 4]}),
            line("free", "b"), line("free", "d", free=[5, 6, 7, 2, 3, 4, 1, 0])],
             "beam search: the best are forked, the others freed"),
    ]


def hit_tales() -> list[Case]:
    return [
        tale(HITS, 8, 2, True, [
            line("add", "a", [1, 2, 3, 4, 5], want=0, tables={"a": [0, 1, 2]}),
            line("add", "b", [1, 2, 3, 4, 6], want=4, wrong=[(0, *MISSED), (2, *ALONE)],
                 tables={"a": [0, 1, 2], "b": [0, 1, 3]}),
            line("add", "c", [1, 2, 7], want=2, wrong=[(0, *MISSED)]),
            line("add", "d", [3, 4, 1], want=0, free=[7]),
            line("free", "a", free=[7, 2]), line("append", "b", 7, want=None),
            line("free", "b", free=[7, 2, 3, 1])]),
        tale(HITS, 8, 2, True, [
            line("add", "a", [1, 2, 3, 4, 5], want=0), line("free", "a", free=[3, 4, 5, 6, 7, 2, 1, 0]),
            line("add", "b", [1, 2, 3, 4, 9], want=4, wrong=[(0, *FORGOT), (2, *ALONE)], tables={"b": [0, 1, 3]},
                 free=[4, 5, 6, 7, 2])],
             "a hit after the first user is gone"),
        tale(HITS, 8, 2, True, [
            line("add", "a", [1, 2, 3], want=0), line("append", "a", 4, want=None),
            line("append", "a", 5, want=None),
            line("add", "b", [1, 2, 3, 4, 8], want=4, wrong=[(2, *APPENDED), (0, *MISSED)],
                 tables={"a": [0, 1, 2], "b": [0, 1, 3]}),
            line("fork", "b", "c"), line("append", "c", 9, want=(3, 4)), line("append", "b", 7, want=None),
            line("add", "d", [1, 2, 3, 4, 8, 9, 1], want=6, wrong=[(4, *APPENDED)]),
            line("add", "e", [1, 2, 3, 4, 8, 7, 1], want=6, wrong=[(4, *APPENDED)])],
             "blocks that were filled by append"),
        tale(HITS, 8, 2, True, [
            line("add", "a", [1, 2, 3], want=0), line("add", "b", [1, 2, 3], want=2, wrong=[(0, *MISSED)],
                                                      tables={"a": [0, 1], "b": [0, 2]}),
            line("append", "a", 9, want=None), line("append", "b", 8, want=None),
            line("add", "c", [2, 1, 3], want=0)],
             "a partial block is nobody else's"),
        tale(HITS, 6, 2, True, [
            line("add", "a", [1, 2, 3, 4], want=0),
            line("add", "b", [1, 2, 3, 4], want=2, wrong=[(0, *MISSED)], tables={"a": [0, 1], "b": [0, 2]}),
            line("append", "b", 5, want=None), line("append", "a", 6, want=None,
                                                    tables={"a": [0, 1, 4], "b": [0, 2, 3]})],
             "a prompt that is cached to its end"),
        tale(HITS, 6, 2, False, [line("add", "a", [1, 2, 3], want=0),
                                 line("add", "b", [1, 2, 3], want=0, tables={"a": [0, 1], "b": [2, 3]})],
             "no prefix caching"),
    ]


def eviction_tales() -> list[Case]:
    return [
        tale(EVICTED, 2, 2, True, [
            line("add", "a", [1, 2, 3], want=0), line("free", "a", free=[1, 0]),
            line("add", "b", [7, 8, 9], want=0, tables={"b": [1, 0]}),
            line("free", "b", free=[0, 1]), line("add", "c", [1, 2, 5], want=0, tables={"c": [0, 1]})],
             "what was overwritten cannot be found"),
        tale(EVICTED, 3, 2, True, [
            line("add", "a", [1, 2, 3], want=0), line("add", "b", [5], want=0), line("free", "a"),
            line("free", "b", free=[1, 0, 2]),
            line("add", "c", [8], want=0, tables={"c": [1]}, free=[0, 2]),
            line("add", "d", [1, 2, 9], want=2, wrong=[(0, *FORGOT)], tables={"c": [1], "d": [0, 2]}, free=[])],
             "a hit that is the next block to be handed out"),
        tale(EVICTED, 4, 2, True, [
            line("add", "a", [1, 2, 3], want=0), line("add", "b", [5, 6, 7], want=0), line("free", "a"),
            line("free", "b", free=[1, 0, 3, 2]),
            line("add", "c", [1, 2, 9], want=2, wrong=[(0, *FORGOT)], tables={"c": [0, 1]}, free=[3, 2]),
            line("free", "c", free=[3, 2, 1, 0]), line("add", "d", [8, 8, 8, 8, 8], want=0, tables={"d": [3, 2, 1]},
                                                       free=[0]),
            line("free", "d", free=[0, 1, 2, 3]), line("add", "e", [1, 2, 4], want=2, wrong=[(0, *FORGOT)],
                                                       tables={"e": [0, 1]}),
            line("add", "f", [5, 6, 4], want=0, tables={"e": [0, 1], "f": [2, 3]})],
             "the block that was used last is evicted last"),
        tale(EVICTED, 4, 2, True, [
            line("add", "a", [1, 2, 3, 4, 5], want=0), line("free", "a", free=[3, 2, 1, 0]),
            line("add", "b", [9, 9, 9, 9, 9], want=0),
            line("free", "b", free=[0, 1, 2, 3]), line("add", "c", [1, 2, 3, 4, 5], want=2, wrong=[(0, *FORGOT)],
                                                       tables={"c": [0, 1, 2]})],
             "the end of a prefix is evicted before its beginning"),
    ]


def state(tables: dict, lengths: dict, free: list, counts: list) -> Line:
    return Line("snapshot", (), {"tables": tables, "lengths": lengths, "free": free, "counts": counts}, (), HALF,
                unordered=True)


def full(method: str, *args) -> Line:
    return Line(method, args, refuses=("OutOfBlocks",), otherwise=OVER)


def refused(names: str, method: str, *args) -> Line:
    return Line(method, args, refuses=("ValueError",), names=names)


def refusal_tales() -> list[Case]:
    one = {"a": [0, 1]}, {"a": 3}
    return [
        *refusals("grown", 3, 2, False, Line("add", ("a", [1, 2]), 0), full("add", "b", [1, 2, 3, 4, 5]),
                  state({"a": [0]}, {"a": 2}, [1, 2], [1, 0, 0]),
                  Line("add", ("b", [1, 2, 3]), 0), Line("append", ("b", 4), None), full("append", "b", 5),
                  state({"a": [0], "b": [1, 2]}, {"a": 2, "b": 4}, [], [1, 1, 1]), Line("free", ("a",)),
                  Line("append", ("b", 5), None), state({"b": [1, 2, 0]}, {"b": 5}, [], [1, 1, 1])),
        *refusals("copied", 2, 2, False, Line("add", ("a", [1, 2, 3]), 0), Line("fork", ("a", "b")),
                  full("append", "b", 4),
                  state({"a": [0, 1], "b": [0, 1]}, {"a": 3, "b": 3}, [], [2, 2]), Line("free", ("a",)),
                  Line("append", ("b", 4), None)),
        *refusals("found", 3, 2, True, Line("add", ("a", [1, 2, 3]), 0), full("add", "b", [1, 2, 5, 6, 7]),
                  state(*one, [2], [1, 1, 0])),
        *refusals("revived", 2, 2, True, Line("add", ("a", [1, 2]), 0), Line("free", ("a",)),
                  full("add", "b", [1, 2, 3, 4, 5]),
                  state({}, {}, [1, 0], [0, 0])),
        *refusals("named", 4, 2, False, Line("add", ("a", [1, 2, 3]), 0), refused("b", "append", "b", 1),
                  refused("c", "fork", "c", "d"),
                  refused("e", "free", "e"), refused("a", "fork", "a", "a"), refused("a", "add", "a", [4]),
                  refused("[]", "add", "b", []),
                  state(*one, [2, 3], [1, 1, 0, 0])),
    ]


def told() -> list[Case]:
    """All stories."""
    return table_tales() + fork_tales() + hit_tales() + eviction_tales() + refusal_tales()
