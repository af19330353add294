"""Checks of head_logits and head_loss. Oracles: the definition, vector by vector and position by position."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from llmlab.checks.judging import Expect, Refuse, judge
from llmlab.checks.kv_cache.tiny import Tiny
from llmlab.checks.protocol import Call, Case, Task

__all__ = ["TASKS", "cases", "judge"]

LOGITS, LOSS = "medusa.head_logits", "medusa.head_loss"
BLOCK, SEVERAL = "one head", "several heads"
ONE, EACH = "one head, and texts that are too short", "each head its own distance"
READ = "part4/medusa.html#sec-"
TASKS = (
    Task(LOGITS, "lab5", "guess further tokens with residual blocks on the target's last row",
         {BLOCK: 1, SEVERAL: 1}, READ + "medusa-heads"),
    Task(LOSS, "lab5", "score each head on the token it is there for", {ONE: 1, EACH: 2}, READ + "head-loss"),
)  # fmt: skip


def silu(value: float) -> float:
    return value / (1 + math.exp(-value))


def block(weight: Tensor, vector: Tensor) -> Tensor:
    """The oracle: vector + silu(W vector), number by number."""
    return vector + torch.tensor([silu(float(row @ vector)) for row in weight], dtype=torch.float64)


def said(tiny: Tiny, heads: Tensor, x: Tensor) -> Tensor:
    """What every head says at every position, (n, T, V), float64."""
    wide, rows = heads.double(), x[0].double()
    return torch.stack([torch.stack([tiny.logits(block(weight, row)) for row in rows]) for weight in wide])


def logits_case(group: str, generator: torch.Generator, tiny: Tiny, n: int, length: int) -> Case:
    """One call of head_logits."""
    x = torch.randn(1, length, tiny.width, generator=generator) * 2
    heads = torch.randn(n, tiny.width, tiny.width, generator=generator) * 0.4
    wide, rows, act = heads.double(), x[0].double(), torch.nn.functional.silu

    def every(rule) -> Tensor:
        return torch.stack([tiny.logits(rule(weight)) for weight in wide])

    def chained() -> Tensor:
        out, stream = [], rows
        for weight in wide:
            stream = stream + act(stream @ weight.T)
            out.append(tiny.logits(stream))
        return torch.stack(out)

    wrong = {
        "residual-missing": (lambda: every(lambda w: act(rows @ w.T)),
                             "x was not added: a head is x + silu(W x), so that a head of zeros says what the "
                             "model says."),
        "activation-missing": (lambda: every(lambda w: rows + rows @ w.T), "There is no silu around W x."),
        "activation-of-the-sum": (lambda: every(lambda w: act(rows + rows @ w.T)),
                                  "silu was applied to the sum. It goes around W x; x is added to it."),
        "head-transposed": (lambda: every(lambda w: rows + act(rows @ w)),
                            "Each vector was multiplied by W from the wrong side: for rows of x it is x @ W.T."),
        "heads-chained": (chained, "Each head read what the head before it made. Every head reads x itself."),
        "wrong-activation": (lambda: every(lambda w: rows + torch.relu(rows @ w.T)),
                             "relu was used; the block is made with silu."),
        "first-head-for-all": (lambda: every(lambda w: rows + act(rows @ wide[0].T)),
                               "All heads used the first one's matrix."),
    }  # fmt: skip
    return Case(LOGITS, group, (Call("head_logits", (tiny.remote(), heads, x)),),
                Expect(said(tiny, heads, x).float(), wrong, 1e-4),
                f"head_logits(model, heads of shape {tuple(heads.shape)}, x of shape {tuple(x.shape)})")  # fmt: skip


def nats(row: list[float], token: int) -> float:
    """-ln softmax(row)[token]."""
    top = max(row)
    return math.log(math.fsum(math.exp(v - top) for v in row)) + top - row[token]


def loss(logits: Tensor, ids: Tensor, ahead=lambda k: k + 2, cut=None, wrap: bool = False) -> list[list[float]]:
    """Each head's losses, one for each position whose token, `ahead(k)` places on, is there."""
    rows, text = logits.double().tolist(), ids.tolist()
    size, out = len(text), []
    for k, head in enumerate(rows):
        last = size if wrap else size - (cut or ahead)(k)
        out.append([nats(head[t], text[(t + ahead(k)) % size]) for t in range(last)])
    return out


def means(losses: list[list[float]]) -> Tensor:
    return torch.tensor([math.fsum(one) / len(one) if one else math.nan for one in losses])


def loss_case(group: str, generator: torch.Generator, n: int, length: int, vocab: int = 11) -> Case:
    """One call of head_loss."""
    logits = torch.randn(n, length, vocab, generator=generator) * 3
    ids = torch.randint(vocab, (length,), generator=generator)
    right = loss(logits, ids)
    wrong = {
        "head-offset-by-one": (lambda: means(loss(logits, ids, lambda k: k + 1)),
                               "Head 0 was scored on the token that comes next. The model itself predicts that "
                               "one: head k predicts token t + 2 + k."),
        "head-offset-too-far": (lambda: means(loss(logits, ids, lambda k: k + 3)),
                                "Every head was scored one token too far on: head k predicts token t + 2 + k."),
        "scores-its-own-token": (lambda: means(loss(logits, ids, lambda k: k)),
                                 "Head 0 was scored on the token at its own position, which it has read."),
        "same-token-for-all-heads": (lambda: means(loss(logits, ids, lambda k: 2)),
                                     "All heads were scored on the same token. Head k is one further than "
                                     "head k - 1."),
        "targets-wrap-around": (lambda: means(loss(logits, ids, wrap=True)),
                                "At the end of the text the heads were scored on its beginning (torch.roll wraps "
                                "around). The last positions have no target."),
        "heads-cut-alike": (lambda: means(loss(logits, ids, cut=lambda k: n + 1)),
                            "All heads lost as many positions as the furthest one. Each counts all positions whose "
                            "token is known."),
        "sum-instead-of-mean": (lambda: torch.tensor([math.fsum(one) for one in right]),
                                "The losses were added; the mean is asked for."),
        "divides-by-all-positions": (lambda: torch.tensor([math.fsum(one) / length for one in right]),
                                     "The sum was divided by T. The last positions have no target and do not count."),
        "heads-in-one-number": (lambda: means(right).mean(),
                                "One number came back; each head has its own loss, (n,)."),
    }  # fmt: skip
    if n == 1:
        wrong.pop("same-token-for-all-heads")
        wrong.pop("heads-cut-alike")
    return Case(LOSS, group, (Call("head_loss", (logits, ids)),), Expect(means(right), wrong))


def cases(seed: int) -> list[Case]:
    """Cases of this file's tasks."""
    generator, tiny = torch.Generator().manual_seed(91_000 + seed), Tiny(910 + seed, layers=1)
    made = [
        logits_case(BLOCK, generator, tiny, 1, 1),
        logits_case(BLOCK, generator, tiny, 1, 4),
        logits_case(SEVERAL, generator, tiny, 3, 3),
        loss_case(ONE, generator, 1, 6),
        loss_case(EACH, generator, 3, 9),
        loss_case(EACH, generator, 2, 4),
    ]
    for n, length in ((1, 2), (3, 4)):
        short = torch.zeros(n, length, 5), torch.ones(length, dtype=torch.int64)
        made.append(Case(LOSS, ONE, (Call("head_loss", short),), Refuse(str(length))))
    return made
