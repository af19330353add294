"""Prunes the shipped target and repairs it: results/compression.json. About six CPU minutes.

    python -m benchmarks.compression

Half of the key-value heads and half of the MLP's channels go. What is left is trained for equally many
steps on the same text: without a teacher, and with the target as its teacher. Nothing here is a ratio of times.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch

import llmlab
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import models  # noqa: E402  (after the choice of the code)
from llmlab.compression import (  # noqa: E402
    channel_importance, distillation_loss, group_importance, prune_channels, prune_groups)  # fmt: skip
from llmlab.models.smaller import layer_weights, with_layers  # noqa: E402
from llmlab.models.train import corpus  # noqa: E402
from llmlab.models.train.data import mean_loss, pack, windows  # noqa: E402
from llmlab.models.train.dice import Dice  # noqa: E402

COMMAND = "python -m benchmarks.compression"
KEEP_GROUPS, KEEP_CHANNELS = 2, 352
CALIBRATION, VALIDATION = 16, 40  # windows of 256 tokens
STEPS, BATCH, CONTEXT, RATE = 180, 8, 256, 1.5e-3
Values = dict[str, float | int | str]
Scores = list[tuple[torch.Tensor, torch.Tensor]]


@torch.no_grad()
def scores(lm: models.LM, ids: torch.Tensor) -> Scores:
    """(importance of groups, importance of channels) of each layer on calibration text."""
    config, kept, hooks = lm.config, {}, []
    for number, block in enumerate(lm.model.model.layers):
        for name, part in (("o", block.self_attn.o_proj), ("down", block.mlp.down_proj)):
            hooks.append(part.register_forward_pre_hook(
                lambda _, given, key=(number, name): kept.__setitem__(key, given[0])))  # fmt: skip
    lm.logits(ids)
    for hook in hooks:
        hook.remove()
    out = []
    for number in range(config.num_hidden_layers):
        attended = kept[number, "o"].unflatten(2, (-1, config.head_dim)).transpose(1, 2)
        out.append((group_importance(attended, config.num_key_value_heads), channel_importance(kept[number, "down"])))
    return out


def pruned(lm: models.LM, found: Scores, groups: int = KEEP_GROUPS, channels: int = KEEP_CHANNELS) -> models.LM:
    """The model with the most important groups and channels of each layer."""
    layers, config = [], lm.config
    for number, (group, channel) in enumerate(found):
        weights = prune_groups(layer_weights(lm, number), group.topk(groups).indices.sort().values.tolist(),
                               config.num_attention_heads, config.num_key_value_heads)  # fmt: skip
        layers.append(prune_channels(weights, channel.topk(channels).indices.sort().values.tolist()))
    return with_layers(lm, layers)


def trained(small: models.LM, teacher: models.LM | None, row: torch.Tensor, temperature: float, mix: float) -> float:
    """Train in place; with mix 0 there is no teacher. Returns CPU seconds."""
    began, model = time.process_time(), small.model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.0)
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 8) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        inputs, targets = windows(row, BATCH, CONTEXT, 5_000 + step)
        said = model(inputs).flatten(0, 1)
        told = said.detach() if teacher is None else teacher.logits(inputs).flatten(0, 1)
        distillation_loss(said, told, targets.flatten(), temperature, mix).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    return time.process_time() - began


def size(lm: models.LM) -> int:
    return sum(p.numel() for p in lm.model.parameters())


def main() -> None:
    torch.set_num_threads(1)
    lm, text = models.load("target"), corpus.build()
    row = pack(lm.tokenizer, Dice(3).shuffled([d for docs in text.train.values() for d in docs]))
    held = pack(lm.tokenizer, Dice(4).shuffled([d for docs in text.validation.values() for d in docs]))
    held = held[: VALIDATION * 256 + 1]

    def perplexity(model: models.LM) -> float:
        return math.exp(mean_loss(model.model, held))

    found = scores(lm, windows(row, CALIBRATION, 256, 1)[0])
    generator = torch.Generator().manual_seed(2)
    chance = [tuple(torch.rand(part.shape, generator=generator) for part in pair) for pair in found]
    small = pruned(lm, found)
    values: Values = {
        "groups": KEEP_GROUPS, "channels": KEEP_CHANNELS, "all_groups": lm.config.num_key_value_heads,
        "all_channels": lm.config.intermediate_size, "parameters": size(lm), "parameters_pruned": size(small),
        "share_left": size(small) / size(lm), "calibration_tokens": CALIBRATION * 256, "steps": STEPS,
        "tokens": STEPS * BATCH * CONTEXT, "validation_tokens": VALIDATION * 256,
        "ppl_target": perplexity(lm), "ppl_pruned": perplexity(small), "ppl_random": perplexity(pruned(lm, chance)),
        "ppl_reversed": perplexity(pruned(lm, [(-a, -b) for a, b in found])),
        "ppl_groups_only": perplexity(pruned(lm, found, channels=704)),
        "ppl_channels_only": perplexity(pruned(lm, found, groups=4)),
        "ppl_one_group": perplexity(pruned(lm, found, 3, 704)),
        "ppl_tenth_channels": perplexity(pruned(lm, found, 4, 634)),
        "ppl_tenth_random": perplexity(pruned(lm, chance, 4, 634)),
    }  # fmt: skip
    print(values, flush=True)
    runs = (("text", None, 1.0, 0.0), ("distil", lm, 1.0, 0.9), ("distil_tau2", lm, 2.0, 0.9))
    for name, teacher, temperature, mix in runs:
        student = pruned(lm, found)
        values[f"cpu_{name}"] = round(trained(student, teacher, row, temperature, mix))
        values[f"ppl_{name}"] = perplexity(student)
        print(name, values[f"ppl_{name}"], values[f"cpu_{name}"], flush=True)
    write("compression", COMMAND, values | {"mix": 0.9})


if __name__ == "__main__":
    main()
