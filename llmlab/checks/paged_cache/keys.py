"""Checks of block_key: which blocks get equal keys. The hash function itself is the student's choice."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from llmlab.checks.compare import raised, show
from llmlab.checks.protocol import PASS, Call, Case, Event, Output, Raised, Task, Verdict

TASK = "paged_cache.block_key"
OWN, PARENT = "the tokens of the block", "the blocks before it"
TASKS = (Task(TASK, "lab4", "name a full block by a hash of its tokens and of everything before them",
              {OWN: 1, PARENT: 2},
              "part3/sharing.html#sec-block-key"),)
LENGTH = "key-only-of-length", ("Blocks of other tokens got the same key: the key depends on how many tokens there "
                                "are, not on which.")
ORDER = "key-ignores-order", "The same tokens in another order got the same key."
DIGITS = "key-joins-digits", "[1, 23] and [12, 3] got the same key: put a separator between the numbers."
NO_PARENT = "key-without-parent", ("The same tokens after another block got the same key. Their K and V differ, "
                                   "because they depend on all the text before: hash the parent's key too.")
RANDOM = "key-changes", "The same block got two keys, so it would never be found again."


def pairs(group: str, first: tuple, second: tuple, equal: bool, named: tuple[str, str], show_as: str = "") -> Case:
    """Two calls, whose results must be equal, or must not."""
    steps = Call("block_key", first), Call("block_key", second)
    shown = f"block_key({show(first[0])}, {show(first[1])}) and block_key({show(second[0])}, {show(second[1])})"
    return Case(TASK, group, steps, (equal, named), show_as or shown)


def cases(seed: int) -> list[Case]:
    """Cases of this file's task."""
    generator = torch.Generator().manual_seed(44_000 + seed)
    tokens = torch.randint(100, 90_000, (16,), generator=generator).tolist()
    changed = [*tokens[:-1], tokens[-1] + 1]
    p, q = "".join("0123456789abcdef"[i] for i in torch.randint(16, (32,), generator=generator)), ""
    return [
        pairs(OWN, (q, tokens), (q, list(tokens)), True, RANDOM),
        pairs(OWN, (q, tokens), (q, changed), False, LENGTH),
        pairs(OWN, (q, [1, 2, 3, 4]), (q, [4, 3, 2, 1]), False, ORDER),
        pairs(OWN, (q, [1, 23]), (q, [12, 3]), False, DIGITS),
        pairs(OWN, (q, [7, 7, 8]), (q, [7, 8, 8]), False, ORDER), pairs(OWN, (q, [0]), (q, [1]), False, LENGTH),
        pairs(PARENT, (p, tokens), (p, list(tokens)), True, RANDOM),
        pairs(PARENT, (p, tokens), (q, tokens), False, NO_PARENT),
        pairs(PARENT, (p, tokens), (p[::-1], tokens), False, NO_PARENT),
        pairs(PARENT, (p, tokens), (p, changed), False, LENGTH),
        pairs(PARENT, (p[:-1] + "5", [1, 2]), (p[:-1] + "6", [1, 2]), False, NO_PARENT),
    ]


def judge(case: Case, outputs: Sequence[Output], events: Sequence[Event]) -> Verdict:
    """Both results are strings of one length, and equal if they must be."""
    for output in outputs:
        if isinstance(output, Raised):
            return raised(output)
    keys, (equal, (name, words)) = [output.value for output in outputs], case.expect
    if not all(isinstance(key, str) for key in keys):
        return Verdict(False, "A key is a string.", got=show(keys[0]))
    if len(set(map(len, keys))) > 1 or len(keys[0]) > 200:
        return Verdict(False, "Keys have a fixed, short length, however long the text is: hash it.",
                       got=f"lengths {[*map(len, keys)]}",
                       misconception="key-of-any-length")
    if (keys[0] == keys[1]) != equal:
        return Verdict(False, words, "equal keys" if equal else "different keys",
                       show(keys[0]) if keys[0] == keys[1] else show(keys), name)
    return PASS
