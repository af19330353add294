"""The shipped models' shapes and how long they are trained."""

from __future__ import annotations

from dataclasses import dataclass

from llmlab.models.llama import LlamaConfig
from llmlab.models.train.tokenizer import VOCAB_SIZE

TARGET = LlamaConfig(
    vocab_size=VOCAB_SIZE,
    hidden_size=256,
    intermediate_size=704,
    num_hidden_layers=4,
    num_attention_heads=8,
    num_key_value_heads=4,
    head_dim=32,
)
DRAFT = LlamaConfig(
    vocab_size=VOCAB_SIZE,
    hidden_size=96,
    intermediate_size=256,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=24,
)


@dataclass(frozen=True)
class Plan:
    """One cosine run. Every step sees ``batch * context`` tokens."""

    config: LlamaConfig
    steps: int
    batch: int = 16
    context: int = 256
    muon_lr: float = 6e-3  # matrices inside the layers
    adam_lr: float = 3e-3  # embedding and norm gains
    warmup: int = 60
    weight_decay: float = 0.1
    seed: int = 1
    drilled: float = 0.0  # share of rows that are copy drills, see drills.py ...
    drill_steps: tuple[int, int] = (0, 0)  # ... in the steps from the first to before the second
    stop: int | None = None  # the cosine is cut here, after a linear cooldown
    cooldown: int = 100

    @property
    def last(self) -> int:
        """The number of steps that are made."""
        return self.steps if self.stop is None else self.stop


PLANS = {
    "target": Plan(TARGET, steps=1500, drilled=0.25, drill_steps=(612, 1112), stop=1250, cooldown=150),
    "draft": Plan(DRAFT, steps=800),
}
