"""The training loop: one cosine run, resumable at any step.

Batches depend on the step number only, so a run that was stopped and resumed sees the same text as one that
was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW

from llmlab.models.llama import Llama
from llmlab.models.train.data import windows
from llmlab.models.train.drills import IGNORED, drills
from llmlab.models.train.muon import Muon
from llmlab.models.train.shapes import Plan


def bf16_pays() -> bool:
    """Whether bf16 matrix products are faster than fp32 here (many only emulate them): measured."""
    spent = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(1024, 256, dtype=dtype), torch.ones(256, 704, dtype=dtype)
        a @ b
        begin = time.perf_counter()
        for _ in range(3):
            a @ b
        spent[dtype] = time.perf_counter() - begin
    return spent[torch.bfloat16] < spent[torch.float32]


class Run:
    """Model, optimiser and step of one training run."""

    def __init__(
        self, plan: Plan, row: Tensor, checkpoint: Path | None = None, autocast: bool = False
    ) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.row, self.checkpoint, self.autocast = plan, row, checkpoint, autocast
        self.model = Llama(plan.config)
        self._initialise()
        inside = [p for p in self.model.model.layers.parameters() if p.ndim == 2]
        others = [p for p in self.model.parameters() if all(p is not q for q in inside)]
        self.optimizers = [
            (Muon(inside, lr=plan.muon_lr, weight_decay=plan.weight_decay), plan.muon_lr),
            (AdamW(others, lr=plan.adam_lr, betas=(0.9, 0.95), weight_decay=0.0), plan.adam_lr),
        ]
        self.step, self.seconds = 0, 0.0
        if checkpoint is not None and checkpoint.exists():
            self._resume(checkpoint)

    def _initialise(self) -> None:
        """Normal, 0.02; what writes into the stream is smaller by sqrt(2 * layers) (Radford et al., 2019)."""
        for name, p in self.model.named_parameters():
            if p.ndim == 2:
                writes = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(
                    p, std=0.02 / (math.sqrt(2 * self.plan.config.num_hidden_layers) if writes else 1.0)
                )

    def _resume(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        if state["steps"] != self.plan.steps:
            raise ValueError(
                f"{path} belongs to a run of {state['steps']} steps, not {self.plan.steps}: "
                "delete it or give another --out"
            )
        self.model.load_state_dict(state["model"])
        for (optimizer, _), saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.seconds = state["step"], state["seconds"]

    def save(self) -> None:
        """Write the checkpoint, if the run has a place for one."""
        if self.checkpoint is None:
            return
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        part = self.checkpoint.with_suffix(".part")
        torch.save(
            {
                "model": self.model.state_dict(),
                "step": self.step,
                "optimizers": [o.state_dict() for o, _ in self.optimizers],
                "seconds": self.seconds,
                "steps": self.plan.steps,
            },
            part,
        )
        part.replace(self.checkpoint)

    def schedule(self) -> float:
        """Share of the peak learning rate: linear warm-up, cosine to 5 %, linearly to 0 before a stop."""
        plan = self.plan
        if self.step < plan.warmup:
            return (self.step + 1) / plan.warmup
        done = (self.step - plan.warmup) / max(1, plan.steps - plan.warmup)
        ending = 1.0 if plan.stop is None else min(1.0, (plan.stop - self.step) / plan.cooldown)
        return ending * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))

    def one_step(self) -> float:
        """One update; the loss of its text in nats. Every fourth batch: half the rows, twice as long."""
        began, plan = time.perf_counter(), self.plan
        long = 2 if self.step % 4 == 3 else 1
        inputs, targets, drilled = self._batch(plan.batch // long, plan.context * long)
        for optimizer, peak in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = peak * self.schedule()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            logits = self.model(inputs)
        flat = F.cross_entropy(
            logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="none"
        )
        losses = flat.view_as(targets)  # (rows, context), 0 where ignored
        (losses.sum() / (targets != IGNORED).sum()).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer, _ in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        self.seconds += time.perf_counter() - began
        return losses[drilled:].mean().item()

    def _batch(self, rows: int, context: int) -> tuple[Tensor, Tensor, int]:
        """Inputs and targets (rows, context) of this step, and how many of the first rows are copy drills."""
        plan, seed = self.plan, self.plan.seed * 1_000_003 + self.step
        first_step, end = plan.drill_steps
        drilled = round(rows * plan.drilled) if first_step <= self.step < end else 0
        inputs, targets = windows(self.row, rows - drilled, context, seed)
        if drilled:
            first, wanted = drills(self.row, drilled, context, seed)
            inputs, targets = torch.cat([first, inputs]), torch.cat([wanted, targets])
        return inputs, targets, drilled

    def finish(
        self, each: Callable[[float], None] = lambda loss: None, max_seconds: float = math.inf
    ) -> None:
        """Train to the end of the plan, or for ``max_seconds``; ``each`` is called with every loss."""
        until = time.monotonic() + max_seconds
        while self.step < self.plan.last and time.monotonic() < until:
            each(self.one_step())
