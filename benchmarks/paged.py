"""What paging saves in memory and costs in time. Writes results/paged.json.

    python -m benchmarks.paged

Memory: the serving simulations of `paged_memory`, counts only. Time: whole steps of the models
(`paged_steps`), and attention of one decode step, one thread, float32; every way in turns in one process, CPU
time, medians over rounds; the ratio of each round against contiguous attention in that round. The contiguous
cache is read in place. A paged one is gathered first:

    tokens      pool[slots], token by token
    blocks      pool[tables], the index as torch offers it
    rows        one row per block, (num_blocks, S * K * D), index_select
    head_rows   one row per block and head, K and V in one pool (2 * K * num_blocks, S * D), one index_select:
                what is gathered lies as attention wants it
    in_turn     the same for one sequence after the other, into a buffer that is kept and stays in the processor's cache
    copy        no table at all: K and V of the contiguous cache are copied and then read, which is what any
                gather must do
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import scaled_dot_product_attention as attend

import llmlab
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from benchmarks import paged_memory as memory  # noqa: E402  (after the choice of the code)
from benchmarks.paged_steps import step_ratio  # noqa: E402
from llmlab.paged_cache import paged_attention  # noqa: E402

COMMAND = "python -m benchmarks.paged"
SHAPES = {"tiny": (8, 4, 32), "wide": (24, 12, 32)}
"""Query heads, KV heads, head size: those of the shipped model, and of it widened."""
BATCHES, LENGTHS, BLOCK, ROUNDS = (1, 8), (64, 256, 1_000), 16, 41
WAYS = ("tokens", "blocks", "rows", "head_rows", "in_turn", "copy", "solution")


def ways(batch: int, length: int, heads: int, kv: int, dim: int) -> dict[str, Callable[[], torch.Tensor]]:
    """The ways to attend over the same numbers, as functions without arguments; "contiguous" is the measure."""
    g = torch.Generator().manual_seed(batch * length)
    k, v = (torch.randn(batch, kv, length, dim, generator=g) for _ in range(2))
    # the query heads of a KV head as rows: nothing is repeated
    q = torch.randn(batch, kv, heads // kv, dim, generator=g)
    most = -(-length // BLOCK)
    blocks = batch * most + 8
    tables = torch.randperm(blocks, generator=g)[:batch * most].view(batch, most)
    slots = (tables[:, :, None] * BLOCK + torch.arange(BLOCK)).flatten(1)[:, :length].contiguous()
    pools = [torch.zeros(blocks * BLOCK, kv, dim) for _ in range(2)]
    for pool, source in zip(pools, (k, v), strict=True):
        pool[slots] = source.transpose(1, 2)
    pools = [pool.view(blocks, BLOCK, kv, dim) for pool in pools]
    flat = tables.flatten()
    rows = [pool.view(blocks, -1) for pool in pools]
    by_head = torch.stack(pools).permute(0, 3, 1, 2, 4).reshape(2 * kv * blocks, BLOCK * dim)
    planes = torch.arange(2 * kv).view(2, 1, kv, 1) * blocks
    places = (tables[:, None] + planes).flatten()  # (2 * B * K * M,)
    each = (tables[:, None, None] + planes[None, :, 0]).flatten(1)  # (B, 2 * K * M)
    buffer = torch.empty(2 * kv * most, BLOCK * dim)
    lengths = torch.full((batch,), length)

    def gathered(take: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        one, two = (take(pool).view(batch, -1, kv, dim)[:, :length].transpose(1, 2) for pool in pools)
        return attend(q, one, two)

    def head_rows() -> torch.Tensor:
        one, two = by_head.index_select(0, places).view(2, batch, kv, most * BLOCK, dim)[:, :, :, :length]
        return attend(q, one, two)

    def in_turn() -> torch.Tensor:
        told = torch.empty_like(q)
        for row in range(batch):
            torch.index_select(by_head, 0, each[row], out=buffer)
            one, two = buffer.view(2, 1, kv, most * BLOCK, dim)[:, :, :, :length]
            told[row:row + 1] = attend(q[row:row + 1], one, two)
        return told

    def by_rows() -> torch.Tensor:
        one, two = (r.index_select(0, flat).view(batch, -1, kv, dim)[:, :length].transpose(1, 2) for r in rows)
        return attend(q, one, two)

    return {
        "contiguous": lambda: attend(q, k, v),
        "tokens": lambda: gathered(lambda pool: pool.view(-1, kv, dim)[slots]),
        "blocks": lambda: gathered(lambda pool: pool[tables]),
        "rows": by_rows,
        "head_rows": head_rows,
        "in_turn": in_turn,
        "copy": lambda: attend(q, k.clone(), v.clone()),
        "solution": lambda: paged_attention(q.flatten(1, 2), *pools, tables, lengths).view(q.shape),
    }


@torch.inference_mode()
def ratios(batch: int, length: int, shape: tuple[int, int, int]) -> dict[str, tuple[float, float]]:
    """Way -> (median ratio, half the distance of the quartiles). Raises AssertionError if two ways differ."""
    todo = ways(batch, length, *shape)
    right = todo["contiguous"]()
    for name, way in todo.items():
        assert torch.allclose(way(), right, atol=1e-4), name
        way()
    inner = max(1, 150_000 // (batch * length * shape[1]))
    seen: dict[str, list[float]] = {name: [] for name in todo}
    for _ in range(ROUNDS):
        for name, way in todo.items():
            began = time.process_time()
            for _ in range(inner):
                way()
            seen[name].append(time.process_time() - began)
    made = {}
    for name in WAYS:
        each = [mine / base for mine, base in zip(seen[name], seen["contiguous"], strict=True)]
        low, middle, high = statistics.quantiles(each, n=4)
        made[name] = middle, (high - low) / 2
    return made


def times() -> dict[str, float | int | str]:
    """The ratios of all shapes, batches and lengths."""
    values: dict[str, float | int | str] = {"block": BLOCK, "rounds": ROUNDS}
    for shape, numbers in SHAPES.items():
        for batch in BATCHES:
            for length in LENGTHS:
                found = ratios(batch, length, numbers)
                for way, (middle, spread) in found.items():
                    values[f"{way}_{shape}_b{batch}_n{length}"] = middle
                    values[f"{way}_{shape}_b{batch}_n{length}_spread"] = spread
                told = "  ".join(f"{way} {middle:.2f}" for way, (middle, _) in found.items())
                print(f"{shape}, batch {batch}, {length} tokens: {told}")
    return values


def counts() -> dict[str, float | int]:
    """The memory."""
    line = memory.requests(6_000)
    values: dict[str, float | int] = {"slots": memory.SLOTS, "longest": memory.LONGEST,
                                      "steps": memory.STEPS - memory.WARM}
    values |= {"prompt_mean": statistics.fmean(p for p, _ in line), "answer_mean": statistics.fmean(a for _, a in line)}
    runs = {name: memory.contiguous(rule, line) for name, rule in memory.RESERVE.items()}
    runs["paged"] = memory.paged(line)
    for name, tally in runs.items():
        values |= {f"{key}_{name}": share for key, share in tally.shares().items()}
        values |= {f"filled_{name}": tally.tokens / tally.reserved, f"refused_{name}": tally.refused,
                   f"refused_with_room_{name}": tally.refused_with_room, f"finished_{name}": tally.finished}
        print(f"{name}: {tally.tokens / tally.reserved:.1%} of what is reserved holds tokens, "
              f"{tally.finished} finished, {tally.refused_with_room} refusals with enough free slots")
    values |= {"preempted_paged": runs["paged"].preempted, "worst_waste": runs["paged"].worst_waste,
               "more_finished": runs["paged"].finished / runs["max"].finished, "kept_free": memory.KEPT}
    values |= {f"wasted_{block}": memory.wasted_share(block) for block in (1, 8, 16, 32, 64, 128, 256)}
    samples, prompt, answer = 4, 200, 100
    shared = memory.shared_prompt(samples, prompt, answer)
    values |= {"samples": samples, "samples_prompt": prompt, "samples_answer": answer,
               "samples_tokens": shared["tokens"], "samples_filled": shared["filled"],
               "samples_saved": 1 - shared["filled"] / shared["tokens"]}
    chats, common, own = 32, 500, 40
    without, cached = memory.system_prompt(chats, common, own)
    return values | {"chats": chats, "chat_common": common, "chat_own": own, "chat_computed": without,
                     "chat_computed_cached": cached, "chat_saved": 1 - cached / without}


def steps() -> dict[str, float]:
    """Whole steps of the models."""
    values = {}
    for name in ("target", "wide"):
        values[f"step_{name}"], values[f"step_{name}_spread"] = step_ratio(name)
        print(f"a step of {name} on blocks: {values[f'step_{name}']:.2f} times a step on a contiguous cache")
    return values


def main() -> None:
    torch.set_num_threads(1)
    write("paged", COMMAND, counts() | times() | steps())


if __name__ == "__main__":
    main()
