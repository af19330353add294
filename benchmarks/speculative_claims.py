"""Computes what the book says about speculative decoding, without a clock: speculative_claims.json.

    python -m benchmarks.speculative_claims

Laws of one step under the lecture's rule and under the right one, in closed form; acceptance rates of the
shipped pair on validation texts; the formulas of the speed-up against the lecture's; and a roofline model
of the batch.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

import llmlab
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import models, speculative  # noqa: E402  (after the choice of the code)
from llmlab.checks.flops import oracle  # noqa: E402
from llmlab.models.session import Session  # noqa: E402
from llmlab.models.shapes import ACCELERATORS, MODELS  # noqa: E402
from llmlab.models.train import corpus  # noqa: E402

COMMAND = "python -m benchmarks.speculative_claims"
KINDS = ("stories", "arithmetic", "pairs", "records")
TEXTS, TOKENS = 6, 96
TOY_P, TOY_Q = (0.4, 0.3, 0.2, 0.1), (0.2, 0.5, 0.1, 0.2)
ALPHA, COST = 0.8, 0.1
BATCHES, CONTEXTS, GAMMA = (1, 16, 64, 128, 256, 512), (128, 2048), 4
Values = dict[str, float | int | str]


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Total variation of (..., V) distributions."""
    return (a - b).abs().sum(-1) / 2


def readings(p: Tensor, q: Tensor) -> dict[str, Tensor]:
    """The law of one place, in closed form, under the right rule and three readings of the lecture's.

    `drawn`: both models draw a token, and the draft's stays if they are equal. `top`: the drafted token
    stays if it is the target's most likely one. `greedy`: both take their most likely token. What is
    rejected is replaced from the residual.
    """
    left, best = (
        speculative.residual(p, q),
        torch.nn.functional.one_hot(p.argmax(-1), p.shape[-1]).to(p.dtype),
    )
    agree = (p.argmax(-1) == q.argmax(-1)).to(p.dtype)[..., None]

    def mixed(accepted: Tensor) -> Tensor:
        return accepted + (1 - accepted.sum(-1, keepdim=True)) * left

    return {
        "right": mixed(torch.minimum(p, q)),
        "drawn": mixed(p * q),
        "top": mixed(q * best),
        "greedy": mixed(agree * best),
    }


def toy() -> Values:
    """The four tokens of the chapter's example."""
    p, q = torch.tensor(TOY_P, dtype=torch.float64), torch.tensor(TOY_Q, dtype=torch.float64)
    values: Values = {f"toy_tv_{name}": float(distance(p, law)) for name, law in readings(p, q).items()}
    return {
        **values,
        "toy_alpha": float(speculative.acceptance_rate(p, q)),
        "toy_equal": float((p * q).sum()),
        "toy_alpha_greedy_draft": float(p[q.argmax()]),
    }


def texts() -> dict[str, list[list[int]]]:
    """Token ids of validation texts, by kind."""
    lm, found = models.load("target"), corpus.build(with_docstrings=False).validation
    return {kind: [lm.encode(text)[:TOKENS] for text in found[kind][:TEXTS]] for kind in KINDS}


def pair(read: dict[str, list[list[int]]]) -> Values:
    """Mean acceptance rates over all places, and how far the lecture's rule is off."""
    sessions = {"draft": models.load("draft").logits, **{f"exit{n}": exiting(n) for n in (1, 2, 3)}}
    target, values = models.load("target"), {}
    alphas: dict[tuple[str, str], list[Tensor]] = {}
    far: dict[str, list[Tensor]] = {}
    for kind, rows in read.items():
        for row in rows:
            ids = torch.tensor([row])
            z = target.logits(ids)[0].double()
            for name, logits in sessions.items():
                y = logits(ids)[0].double()
                for mode, settings in (("t1", (1.0, 0)), ("t07", (0.7, 0)), ("greedy", (0.0, 0))):
                    p, q = (speculative.distribution(x, *settings) for x in (z, y))
                    rate = speculative.acceptance_rate(p, q)
                    alphas.setdefault((name, mode), []).append(rate)
                    if name == "draft":
                        alphas.setdefault((kind, mode), []).append(rate)
                    if name == "draft" and mode == "t1":
                        for rule, law in readings(p, q).items():
                            far.setdefault(rule, []).append(distance(p, law))
                        alphas.setdefault(("raw_q", mode), []).append(
                            speculative.acceptance_rate(speculative.distribution(z, 0.7), q)
                        )  # the draft at T = 1 for a target at 0.7
    values |= {
        f"alpha_{name}_{mode}": float(torch.cat(rates).mean()) for (name, mode), rates in alphas.items()
    }
    values |= {f"pair_tv_{rule}": float(torch.cat(found).mean()) for rule, found in far.items()}
    return {**values, "places": sum(len(row) for rows in read.values() for row in rows)}


def exiting(layers: int):
    """Logits of the target after its first layers."""

    def logits(ids: Tensor) -> Tensor:
        return speculative.EarlyExit(Session("target"), layers).feed(ids.tolist())

    return logits


def formulas() -> Values:
    """Tokens of a pass and speed-ups for one alpha and cost, against the lecture's k x alpha."""
    values: Values = {
        "alpha": ALPHA,
        "cost": COST,
        "tokens_limit": 1 / (1 - ALPHA),
        "best_gamma": speculative.best_gamma(ALPHA, COST),
    }
    for gamma in (4, 16):
        values |= {
            f"tokens_{gamma}": speculative.expected_tokens(ALPHA, gamma),
            f"lecture_{gamma}": gamma * ALPHA,
            f"speedup_{gamma}": speculative.speedup(ALPHA, gamma, COST),
        }
    return {**values, "speedup_best": speculative.speedup(ALPHA, speculative.best_gamma(ALPHA, COST), COST)}


def seconds(name: str, batch: int, new: int, context: int) -> float:
    """The least time of a pass over batch x new tokens in bfloat16, by the roofline of an H100."""
    shape, chip = MODELS[name], ACCELERATORS["H100 SXM"]
    work = oracle.flops(oracle.products(shape, batch, new, context, new))
    moved = 2 * (oracle.held(shape) + oracle.cached(shape, batch, context))
    return max(work / chip["flops"], moved / chip["bandwidth"])


def batches() -> Values:
    """Speed-up of Llama-3.1-8B with Llama-3.2-1B as its draft, gamma 4: keys end in context_batch."""
    values: Values = {"batch_gamma": GAMMA}
    for context in CONTEXTS:
        for batch in BATCHES:
            one = seconds("Llama-3.1-8B", batch, 1, context)
            cost = seconds("Llama-3.2-1B", batch, 1, context) / one
            verify = seconds("Llama-3.1-8B", batch, GAMMA + 1, context) / one
            end = f"{context}_{batch}"
            values |= {
                f"speedup_{end}": speculative.speedup(ALPHA, GAMMA, cost, verify),
                f"verify_{end}": verify,
                f"cost_{end}": cost,
            }
    return values


if __name__ == "__main__":
    torch.set_num_threads(1)
    write("speculative_claims", COMMAND, {**toy(), **pair(texts()), **formulas(), **batches()})
