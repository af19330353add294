"""What was asked of the trusted model and cache: rows embedded, rows of logits, sizes of passes, keys "
"appended."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from llmlab.checks.kv_cache.tiny import Tiny
from llmlab.checks.protocol import PASS, Event, Verdict


def asked(events: Sequence[Event], kind: str, method: str, name: str, place: int) -> list[Tensor]:
    """The tensors given to a method as argument `name`, the one at `place`, in the calls that were served."""
    found = []
    for event in events:
        if event.kind == kind and event.data["method"] == method and "value" in event.data:
            args, kwargs = event.data["args"], event.data["kwargs"]
            given = kwargs.get(name, args[place] if len(args) > place else None)
            if isinstance(given, Tensor):
                found.append(given)
    return found


def embedded(events: Sequence[Event]) -> list[tuple[int, int]]:
    """(rows, columns) of every call of embed."""
    return [(int(ids.shape[0]), int(ids.shape[1])) for ids in asked(events, "model", "embed", "ids", 0)]


def of_logits(events: Sequence[Event]) -> int:
    """Rows for which logits were asked."""
    return sum(int(x.shape[0] * x.shape[1]) for x in asked(events, "model", "logits", "x", 0))


def rows(events: Sequence[Event], needed: int, naive: int) -> Verdict:
    """Whether just the `needed` rows were embedded. `naive`: as many as without any cache, 0 if that "
    "cannot be."""
    sizes = embedded(events)
    got = sum(batch * columns for batch, columns in sizes)
    if got == needed:
        return PASS
    shown = ", ".join(f"{batch}x{columns}" for batch, columns in sizes[:8]) + (
        ", ..." if len(sizes) > 8 else ""
    )
    if got > needed:
        words = (
            "Everything was computed again in every step"
            if naive and got >= naive
            else "Rows were computed again"
        )
        return Verdict(
            False,
            f"The result is right, but {got} rows went through the model where {needed} are new. {words}: "
            "the past comes from the cache.",
            f"{needed} rows embedded",
            f"{got} rows: {shown}",
            "recomputes-everything",
        )
    return Verdict(
        False,
        f"The result is right, but only {got} of {needed} rows went through model.embed.",
        f"{needed} rows embedded",
        f"{got} rows: {shown}",
    )


def appended(events: Sequence[Event], tiny: Tiny, columns: int) -> Verdict:
    """Whether each layer's cache got the keys of `columns` tokens, one copy for each key-value head."""
    sizes = [0] * tiny.layers
    for event in events:
        if event.kind == "cache" and event.data["method"] == "append" and "value" in event.data:
            args, kwargs = event.data["args"], event.data["kwargs"]
            layer, keys = (
                kwargs.get("layer", args[0] if args else 0),
                kwargs.get("keys", args[1] if len(args) > 1 else None),
            )
            sizes[layer] += keys.numel()
    want = columns * tiny.kv_heads * tiny.head_dim
    if sizes == [want] * tiny.layers:
        return PASS
    if all(size == want // tiny.kv_heads * tiny.heads for size in sizes):
        return Verdict(
            False,
            f"The result is right, but {tiny.heads} heads were cached where the model has {tiny.kv_heads} "
            f"key-value "
            "heads: repeat them after the cache, not before. Sharing saves memory only in the cache.",
            f"{want} numbers a layer",
            f"{sizes[0]} numbers a layer",
            "caches-repeated-heads",
        )
    if not any(sizes):
        return Verdict(
            False,
            "The result is right, but nothing was appended to the cache that was given.",
            f"{want} numbers a layer",
            "none",
            "cache-not-used",
        )
    return Verdict(
        False,
        "The result is right, but the cache did not get the keys of each new token once.",
        f"{want} numbers for each layer",
        str(sizes),
    )


def chunks(events: Sequence[Event], batch: int, sizes: Sequence[int], chunk: int, calls: int) -> Verdict:
    """Whether a prompt went through in passes of these sizes and asked for one row of logits a sequence "
    "and call."""
    seen = embedded(events)
    widest = max((columns for _, columns in seen), default=0)
    if widest > chunk:
        return Verdict(
            False,
            f"The result is right, but a pass had {widest} columns; the chunk is {chunk}.",
            f"passes of {list(sizes)}",
            f"passes of {[columns for _, columns in seen][:12]}",
            "ignores-chunk",
        )
    if len(seen) > len(sizes) * batch:
        return Verdict(
            False,
            f"The result is right, but it took {len(seen)} passes where {len(sizes)} of up to {chunk} "
            f"columns do.",
            f"passes of {list(sizes)}",
            f"passes of {[columns for _, columns in seen][:12]}",
            "too-many-passes",
        )
    got = of_logits(events)
    if got > batch * calls:
        return Verdict(
            False,
            f"The result is right, but logits were computed for {got} rows; only the last of each "
            f"sequence is "
            f"needed, {batch * calls}.",
            f"{batch * calls} rows of logits",
            f"{got} rows",
            "logits-of-every-row",
        )
    return PASS
