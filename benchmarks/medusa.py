"""Measures the shipped Medusa heads: results/medusa.json.

    python -m benchmarks.medusa

How often a head is right, how many tokens a pass gives for several trees, how far typical acceptance is from the
target's distribution (computed, not sampled), and the ratio of times on `wide`, plain against Medusa in turns.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import torch
import torch.nn.functional as F

import llmlab
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import models  # noqa: E402  (after the choice of the code)
from llmlab.medusa import (  # noqa: E402
    candidate_tree, generate, head_logits, tree_pass, typical_acceptance, typical_output)  # fmt: skip
from llmlab.models.medusa import ColumnCache, load_heads  # noqa: E402
from llmlab.models.parts import Parts  # noqa: E402

COMMAND = "python -m benchmarks.medusa"
PROMPTS = (
    "Once upon a time there was a little girl named", "One sunny Monday, a small fox", "Song of the frog",
    "47 + 38\n", "English: The cat", '{"name": "', "Shopping list of Anna:", "Count: 5, 10, 15,", "Return the",
)  # fmt: skip
NEW = 64
TREES = {"chain": (1, 1, 1), "small": (2, 1, 1), "medium": (3, 2, 1), "wide": (4, 3, 2), "one_head": (4,)}
EPSILON, DELTA = 0.09, 0.3
ROUNDS = 9
Values = dict[str, float | int | str]


def nodes(tops: tuple[int, ...]) -> int:
    """How many nodes such a tree has."""
    count = width = 1
    for top in tops:
        width *= top
        count += width
    return count


def texts(lm: models.LM, model: Parts, heads: torch.Tensor) -> list[torch.Tensor]:
    """Each prompt and its greedy continuation."""
    out = []
    for prompt in PROMPTS:
        ids = torch.tensor([lm.bos_id, *lm.encode(prompt)])
        new, _ = generate(model, ColumnCache(model.n_layers), heads, ids, NEW, ())
        out.append(torch.cat([ids, torch.tensor(new)]))
    return out


def hits(model: Parts, heads: torch.Tensor, rows: list[torch.Tensor]) -> Values:
    """How often the token that greedy decoding writes is among a head's first k."""
    found: dict[str, list[bool]] = {}
    for row in rows:
        x = tree_pass(model, ColumnCache(model.n_layers), row, list(range(-1, len(row) - 1)))
        said, start = head_logits(model, heads, x), len(row) - NEW - 1
        for k, logits in enumerate(said):
            order = logits[start : len(row) - 2 - k].topk(4).indices
            wanted = row[start + 2 + k :, None]
            for top in (1, 2, 4):
                found.setdefault(f"head{k + 1}_top{top}", []).extend((order[:, :top] == wanted).any(1).tolist())
    return {name: sum(each) / len(each) for name, each in found.items()}


def trees(model: Parts, heads: torch.Tensor, rows: list[torch.Tensor]) -> Values:
    """Tokens per pass, and that the text is the greedy one."""
    values: Values = {}
    for name, tops in TREES.items():
        sizes, same = [], 0
        for row in rows:
            new, each = generate(model, ColumnCache(model.n_layers), heads, row[:-NEW], NEW, tops)
            same += new == row[-NEW:].tolist()
            sizes += each
        values |= {f"{name}_tops": "·".join(map(str, tops)), f"{name}_nodes": nodes(tops), f"{name}_same": same,
                   f"{name}_tokens_per_pass": sum(sizes) / len(sizes)}  # fmt: skip
    return values


def lossy(model: Parts, heads: torch.Tensor, rows: list[torch.Tensor]) -> Values:
    """Total variation between the target and what typical acceptance samples, draft from the first head."""
    far, taken, least = [], [], []
    for row in rows:
        x = tree_pass(model, ColumnCache(model.n_layers), row, list(range(-1, len(row) - 1)))
        p = model.logits(x)[0].softmax(-1)
        q = head_logits(model, heads[:1], x)[0].softmax(-1)
        for t in range(len(row) - NEW, len(row)):
            out = typical_output(p[t], q[t - 1], EPSILON, DELTA)
            far.append(float((out - p[t]).abs().sum()) / 2)
            taken.append(float(q[t - 1][typical_acceptance(p[t], EPSILON, DELTA)].sum()))
            least.append(float(torch.minimum(p[t], q[t - 1]).sum()))
    return {"typical_epsilon": EPSILON, "typical_delta": DELTA, "typical_contexts": len(far),
            "typical_tv_mean": statistics.fmean(far), "typical_tv_max": max(far),
            "typical_accepted": statistics.fmean(taken), "exact_accepted": statistics.fmean(least)}  # fmt: skip


def speed(lm: models.LM, heads: torch.Tensor, dtype: torch.dtype, name: str) -> Values:
    """Plain decoding against trees, in turns, by the same code: a tree of one node is plain decoding."""
    model = Parts(lm, dtype)
    padded = F.pad(heads.to(dtype), (0, model.width - heads.shape[1], 0, model.width - heads.shape[2]))
    ids = torch.tensor([lm.bos_id, *lm.encode(PROMPTS[0])])
    spent: dict[str, list[float]] = {}
    plans = {"plain": (), "chain": TREES["chain"], "small": TREES["small"], "medium": TREES["medium"]}
    texts_of, sizes = {}, {}
    for turn in range(ROUNDS + 1):
        for plan, tops in plans.items():
            began = time.perf_counter()
            texts_of[plan], sizes[plan] = generate(model, ColumnCache(model.n_layers), padded, ids, 32, tops)
            if turn:
                spent.setdefault(plan, []).append(time.perf_counter() - began)
    values: Values = {f"{name}_rounds": ROUNDS, f"{name}_new": 32}
    for plan in list(plans)[1:]:
        ratios = [a / b for a, b in zip(spent["plain"], spent[plan], strict=True)]
        values |= {f"{name}_{plan}_speed": statistics.median(ratios), f"{name}_{plan}_speed_low": min(ratios),
                   f"{name}_{plan}_speed_high": max(ratios), f"{name}_{plan}_passes": len(sizes[plan]),
                   f"{name}_{plan}_same": int(texts_of[plan] == texts_of["plain"])}  # fmt: skip
    return values


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(1)
    lm, heads = models.load("target"), load_heads()
    model = Parts(lm)
    rows = texts(lm, model, heads)
    assert candidate_tree(1, torch.zeros(3, 4), TREES["medium"])[0].numel() == nodes(TREES["medium"])
    values: Values = {"prompts": len(rows), "new": NEW} | hits(model, heads, rows) | trees(model, heads, rows)
    values |= lossy(model, heads, rows) | speed(lm, heads, torch.float32, "target")
    for dtype, name in ((torch.float32, "wide32"), (torch.bfloat16, "wide16")):
        values |= speed(models.load("wide", dtype), heads, dtype, name)
    for key, value in values.items():
        print(key, value)
    write("medusa", COMMAND, values)


if __name__ == "__main__":
    main()
