"""Computes what part III of the book and the lecture ledger say about the KV cache: results/cache.json.

    python -m benchmarks.cache_claims

Nothing here is timed. The model is the shipped target; the code is solutions/kv_cache.py.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

import llmlab
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import models  # noqa: E402  (after the choice of the code)
from llmlab.kv_cache import KVCache, WindowCache, changed_rows, forward, generate, prefill  # noqa: E402
from llmlab.models.parts import Parts  # noqa: E402

COMMAND = "python -m benchmarks.cache_claims"
STORY = "Once upon a time there was a little girl named Mira. One day"
SUM = "47 + 38\n7 + 8 = 15, write 5, carry 1\n4 + 3 + 1 = 8, write 8\n47 + 38 = 85"
FIRST = 5
WINDOW = 16
Values = dict[str, float | int | str]


def trace(model: Parts, ids: torch.Tensor, causal: bool) -> dict[str, torch.Tensor]:
    """Every activation of a whole pass, by name."""
    kept, x = {}, model.embed(ids)
    where = torch.arange(ids.shape[1]).expand_as(ids)
    for layer in range(model.n_layers):
        q, k, v = model.qkv(layer, x, where)
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True)
        x = model.finish(layer, x, attended)
        kept |= {
            f"q{layer}": q,
            f"k{layer}": k,
            f"v{layer}": v,
            f"attended{layer}": attended,
            f"layer{layer}": x,
        }
    return kept


def old_rows(model: Parts, ids: torch.Tensor) -> Values:
    """How far the old rows move when the last token is appended."""
    values: Values = {"old_rows": ids.shape[1] - 1}
    for name, causal in (("causal", True), ("full", False)):
        before, after = trace(model, ids[:, :-1], causal), trace(model, ids, causal)
        moved = [float((after[key][..., :-1, :] - before[key]).abs().max()) for key in before]
        keys = [changed_rows(before[f"k{i}"], after[f"k{i}"], 1e-4)[:-1] for i in range(model.n_layers)]
        changed = sum(len(changed_rows(before[key], after[key], 1e-4)) > 1 for key in before)
        values |= {
            f"moved_{name}": max(moved),
            f"activations_{name}": changed,
            f"key_layers_{name}": sum(map(bool, keys)),
        }
    return values | {"activations": len(before)}


class Restarted(Parts):
    """Counts the positions of every pass from 0."""

    def qkv(self, layer: int, x: torch.Tensor, positions: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return super().qkv(layer, x, positions - positions[:, :1])


def in_passes(model: Parts, ids: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    cache, rows = KVCache(model.n_layers), []
    for part in ids.split(sizes, 1):
        rows.append(model.logits(forward(model, cache, part)))
    return torch.cat(rows, 1)


def restarted(lm: models.LM, model: Parts) -> Values:
    """What decoding costs when its positions start again."""
    ids = torch.tensor([lm.encode(SUM)])
    sizes, values = [FIRST] + [1] * (ids.shape[1] - FIRST), {}
    for name, parts in (("right", model), ("restarted", Restarted(lm))):
        logits = in_passes(parts, ids, sizes)[0, FIRST - 1 : -1]
        values[f"nats_{name}"] = float(F.cross_entropy(logits, ids[0, FIRST:]))
    return values


def splits(model: Parts, ids: torch.Tensor) -> Values:
    """The largest difference between passes of all kinds and one whole pass, and between chunked and whole prefill."""
    whole, count = in_passes(model, ids, [ids.shape[1]]), ids.shape[1]
    each = [[i, count - i] for i in range(1, count)] + [
        [1] * count,
        [3] * (count // 3) + [count % 3] * (count % 3 > 0),
    ]
    last = [prefill(model, KVCache(model.n_layers), ids, chunk) for chunk in (1, 4, 7)]
    return {
        "splits": len(each),
        "split_difference": max(float((in_passes(model, ids, s) - whole).abs().max()) for s in each),
        "chunk_difference": max(float((row - whole[:, -1]).abs().max()) for row in last),
    }


def windowed(model: Parts, ids: torch.Tensor) -> Values:
    """How far back the last token's output depends on a token, and what the two caches hold."""
    long = ids.repeat(1, 8)[:, :90]

    def last(text: torch.Tensor) -> torch.Tensor:
        return forward(model, KVCache(model.n_layers), text, window=WINDOW)[0, -1]

    right, reach = last(long), 0
    for back in range(1, 91):
        other = long.clone()
        other[0, -back] = (other[0, -back] + 1) % model.vocab_size
        reach = max(reach, back * int(not torch.equal(last(other), right)))
    plain, small = KVCache(model.n_layers), WindowCache(model.n_layers, WINDOW)
    for start in range(0, 90, 10):
        for cache in (plain, small):
            forward(model, cache, long[:, start : start + 10], window=WINDOW)
    used = 2 * model.n_layers * model.n_kv_heads * model.head_dim * 4
    return {
        "window": WINDOW,
        "reach": reach,
        "window_text": 90,
        "window_bytes": small.nbytes(),
        "full_bytes": 90 * used,
        "token_bytes": used,
        "layers": model.n_layers,
    }


def counted(model: Parts) -> Values:
    """Rows and copies."""
    ids = torch.arange(20, 30)[None]
    model.rows = 0
    generate(model, KVCache(model.n_layers), ids, 50)
    off = sum(10 + i for i in range(50))
    return {
        "rows_on": model.rows,
        "rows_off": off,
        "rows_ratio": off / model.rows,
        "copies_doubling": sum(16 * 2**i for i in range(6)),
        "copies_by_one": sum(range(16, 1000)),
    }


def main() -> None:
    torch.set_num_threads(1)
    lm = models.load("target")
    model, ids = Parts(lm), torch.tensor([lm.encode(STORY)])
    values = (
        old_rows(model, ids[:, :9])
        | restarted(lm, model)
        | splits(model, ids)
        | windowed(model, ids)
        | counted(model)
    )
    for key, value in values.items():
        print(key, value)
    write("cache", COMMAND, values)


if __name__ == "__main__":
    main()
