"""Judges what a cache says of its memory: capacities and bytes. What it holds is the business of `stores`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmlab.checks.compare import show
from llmlab.checks.protocol import PASS, Verdict


def accounts(script: Sequence[tuple[str, tuple]], layers: int, first: int, got: Sequence[Any]) -> Verdict:
    """Capacities at least double, start as asked for, hold what there is; nbytes counts what is reserved."""
    room, held, size = [0] * layers, [0] * layers, 0
    for (method, args), value in zip(script, got, strict=True):
        if method == "append":
            batch, heads, tokens, width = args[1].shape
            held[args[0]] += tokens
            size = 2 * batch * heads * width * args[1].element_size()
        elif method in ("capacity", "nbytes") and type(value) is not int:
            return Verdict(False, f"{method}() should return an int, got {show(value)}.", got=show(value))
        elif method == "capacity":
            layer = args[0] if args else 0
            verdict = grown(first, room[layer], value, held[layer])
            if not verdict.ok:
                return verdict
            room[layer] = value
        elif method == "nbytes":
            verdict = counted(sum(room) * size, sum(held) * size, value)
            if not verdict.ok:
                return verdict
    return PASS


def grown(first: int, before: int, now: int, held: int) -> Verdict:
    """Whether a capacity may follow the one before."""
    if now < held:
        return Verdict(
            False, f"capacity() is {now}, but the layer holds {held} tokens.", f"at least {held}", str(now)
        )
    if held and now < first:
        return Verdict(
            False,
            f"Room for {first} tokens should be reserved at the first append; capacity() is {now}.",
            f"at least {first}",
            str(now),
            "reserves-nothing",
        )
    if before and now < before:
        return Verdict(False, f"capacity() fell from {before} to {now}. Memory stays reserved.", got=str(now))
    if before and before < now < 2 * before:
        return Verdict(
            False,
            f"The memory grew from {before} to {now} tokens, a little at a time: then every append copies "
            "everything. It at least doubles.",
            f"at least {2 * before}",
            str(now),
            "grows-by-little",
        )
    return PASS


def counted(want: int, used: int, got: int) -> Verdict:
    """Whether nbytes is that of the reserved memory."""
    if got == want:
        return PASS
    words, name = "nbytes() is not the number of bytes reserved for keys and values.", ""
    if got * 2 == want:
        words, name = "Only half was counted: keys and values both take memory.", "nbytes-counts-one-of-two"
    elif got == used:
        words, name = (
            "Only the tokens there are were counted. Reserved memory is taken, used or not.",
            "nbytes-counts-used",
        )
    return Verdict(False, words, str(want), str(got), name)
