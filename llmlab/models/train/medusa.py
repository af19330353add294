"""Train the Medusa heads of the shipped target: ``python -m llmlab.models.train.medusa``.

Each head is one matrix W of the stream's width: x + silu(W x) goes through the target's own last norm and
output matrix, and should give the token 2, 3 or 4 places on (Cai et al., 2024, section 2.1.1, with the
output matrix shared). W starts at zero, so that a head first says what the target says. The target does not
change. ``--steps 20`` is a smoke run.
"""

from __future__ import annotations

import math
import os
import platform
import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import torch.nn.functional as F
import typer
from safetensors.torch import save_file
from torch import Tensor

from llmlab.models import load
from llmlab.models.llama import Llama
from llmlab.models.loader import WEIGHTS
from llmlab.models.train import corpus
from llmlab.models.train.data import pack, windows
from llmlab.models.train.dice import Dice
from llmlab.models.train.export import _write, sha256
from llmlab.models.train.muon import Muon


@dataclass(frozen=True)
class HeadPlan:
    """One cosine run over windows of the training text."""

    heads: int = 3
    steps: int = 600
    batch: int = 8
    context: int = 256
    lr: float = 0.1
    warmup: int = 20
    seed: int = 1

    def rate(self, step: int) -> float:
        """The learning rate of a step: linear warm-up, then a cosine to 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        return self.lr * 0.5 * (1 + math.cos(math.pi * (step - self.warmup) / (self.steps - self.warmup)))


def stream(model: Llama, ids: Tensor) -> Tensor:
    """x (B, T, D) after the last layer, before the last norm."""
    found: list[Tensor] = []
    hook = model.model.norm.register_forward_pre_hook(lambda _, given: found.append(given[0]))
    with torch.no_grad():
        model(ids, last_only=False)
    hook.remove()
    return found[0]


def losses(model: Llama, heads: Tensor, ids: Tensor, ahead: Tensor, graph: bool = True) -> Tensor:
    """Mean loss of each head in nats, (n,). ``ids`` (B, T); ``ahead`` (B, T + n): the tokens after each."""
    x, out = stream(model, ids), []
    with torch.set_grad_enabled(graph):
        for number, weight in enumerate(heads):
            logits = model.lm_head(model.model.norm(x + F.silu(x @ weight.T)))
            wanted = ahead[:, number + 1 : number + 1 + ids.shape[1]]
            out.append(F.cross_entropy(logits.flatten(0, 1), wanted.flatten()))
        return torch.stack(out)


def train(model: Llama, row: Tensor, plan: HeadPlan) -> tuple[Tensor, list[list[float]]]:
    """The heads (n, D, D), and the losses of every step."""
    model.requires_grad_(False)
    width = model.config.hidden_size
    heads = [torch.zeros(width, width, requires_grad=True) for _ in range(plan.heads)]
    optimizer, told = Muon(heads, lr=plan.lr, weight_decay=0.0), []
    for step in range(plan.steps):
        inputs, targets = windows(row, plan.batch, plan.context + plan.heads, plan.seed * 1_000_003 + step)
        for group in optimizer.param_groups:
            group["lr"] = plan.rate(step)
        each = losses(model, heads, inputs[:, : plan.context], targets)
        each.sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        told.append(each.tolist())
        if step % 20 == 19:
            recent = torch.tensor(told[-20:]).mean(0).tolist()
            print(f"step {step + 1}: losses {', '.join(f'{loss:.3f}' for loss in recent)}", flush=True)
    return torch.stack([head.detach() for head in heads]), told


@torch.no_grad()
def validation(model: Llama, heads: Tensor, row: Tensor, context: int = 256, batch: int = 16) -> list[float]:
    """Losses of the heads over windows of ``row`` that do not overlap."""
    count, ahead = (len(row) - len(heads) - 1) // context, context + len(heads)
    total = torch.zeros(len(heads))
    for first in range(0, count, batch):
        starts = range(first * context, min(first + batch, count) * context, context)
        taken = torch.stack([row[s : s + ahead + 1] for s in starts])
        total += losses(model, heads, taken[:, :context], taken[:, 1:], graph=False) * len(starts)
    return (total / count).tolist()


def main(
    out: Annotated[Path, typer.Option(help="Folder to write.")] = Path("runs") / "medusa",
    steps: Annotated[int, typer.Option(help="Another number of steps than the plan's.")] = HeadPlan.steps,
    scale: Annotated[float, typer.Option(help="Share of the text to generate.")] = 1.0,
) -> None:
    """Train the heads and write them with a manifest."""
    plan, began, cpu = HeadPlan(steps=steps), time.perf_counter(), time.process_time()
    torch.set_num_threads(1)
    text, lm = corpus.build(scale), load("target")
    docs = Dice(plan.seed).shuffled([doc for part in text.train.values() for doc in part])
    row = pack(lm.tokenizer, docs)
    held = pack(lm.tokenizer, [doc for part in text.validation.values() for doc in part])
    heads, told = train(lm.model, row, plan)
    heads = heads.to(torch.bfloat16)
    found = validation(lm.model, heads.float(), held)
    kept = [a for i, a in enumerate(sys.argv[1:]) if a != "--out" and sys.argv[i : i + 1] != ["--out"]]
    out.mkdir(parents=True, exist_ok=True)
    save_file({"heads": heads.contiguous()}, out / "heads.part", metadata={"format": "pt"})
    (out / "heads.part").chmod(0o644)
    os.replace(out / "heads.part", out / "heads.safetensors")
    last = torch.tensor(told[-50:]).mean(0).tolist()
    _write(out / "manifest.json", {
        "model": "medusa", "of": "target", "parameters": heads.numel(), "heads": plan.heads, "seed": plan.seed,
        "batch": plan.batch, "context": plan.context, "muon_lr": plan.lr, "planned_steps": plan.steps,
        "steps": len(told), "tokens": len(told) * plan.batch * plan.context, "threads": 1,
        "text": {"procedural_sha256": text.procedural_sha256, "docstrings_sha256": text.docstrings_sha256},
        "target_sha256": sha256(WEIGHTS / "target" / "model.safetensors"),
        "loss": {f"{name}_head_{k + 1}": round(value, 4)
                 for name, values in (("train_last_50", last), ("validation", found))
                 for k, value in enumerate(values)},
        "curve": [[round(value, 3) for value in each] for each in told[:: max(1, len(told) // 30)]],
        "wall_seconds": round(time.perf_counter() - began), "cpu_seconds": round(time.process_time() - cpu),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "machine": platform.machine(), "date": time.strftime("%Y-%m-%d"),
        "command": shlex.join(["python", "-m", "llmlab.models.train.medusa", *kept]),
        "text_licence": "see LICENSE-text.md",
        "sha256": {"heads.safetensors": sha256(out / "heads.safetensors")},
    })
    print("validation:", ", ".join(f"{value:.4f}" for value in found), f"written to {out}")


if __name__ == "__main__":
    typer.run(main)
