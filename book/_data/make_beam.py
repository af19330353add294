"""Writes book/_data/beam.json: what the shipped model says wherever a beam search asked it.

    python book/_data/make_beam.py

For the figure of the beam tree. The course's own `beam_search` runs on every prompt with every width, and each prefix
that any of these runs extended is written down with its most likely continuations and their log-probabilities. As many
are kept per prefix as the widest search can rank, so every narrower or shorter search, with any length penalty, can be
done again from the file alone. Nothing here picks or drops a branch; run it again when the model changes.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import torch

from llmlab import models
from llmlab.figures.beam import Watch

OUT = Path(__file__).with_name("beam.json")
SOLUTION = Path(__file__).resolve().parents[2] / "solutions" / "decoding.py"
PROMPTS = {
    "a little cat": "Once upon a time there was a little cat.",
    "the sad dog": "The little dog was sad",
    "in the park": "Lily and Tom played in the park. They were",
    "one day": "One day",
    "all day": "They played all day. Then",
}
"""The name that the figure's knob shows, and the text."""
BEAMS, STEPS = 4, 5
"""The widest search and the longest; the figure's knobs end there."""


def recorded(lm: models.LM, prompt: list[int]) -> dict[str, list[tuple[int, float]]]:
    """{prefix: its 2 * BEAMS best (token, log-probability)} for every prefix that a search extended.

    A prefix is the ids of its new tokens with spaces between, "" for none. Log-probabilities have six digits.
    """
    spec = importlib.util.spec_from_file_location("_solved_decoding", SOLUTION)
    decoding = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(decoding)
    watch = Watch(lm.next_logits)
    with torch.inference_mode():
        for beams in range(1, BEAMS + 1):
            decoding.beam_search(watch, prompt, beams=beams, max_new_tokens=STEPS, eos_id=lm.eos_id)
    found = {}
    for row, logits in sorted(watch.rows.items(), key=lambda item: (len(item[0]), item[0])):
        values, tokens = logits.double().log_softmax(-1).sort(descending=True, stable=True)
        best = zip(tokens[: 2 * BEAMS].tolist(), values[: 2 * BEAMS].tolist(), strict=True)
        found[" ".join(map(str, row[len(prompt) :]))] = [(token, round(value, 6)) for token, value in best]
    return found


def make() -> dict[str, Any]:
    """What beam.json holds: {"eos", "beams", "steps", "tokens": {id: text}, "prompts": {name: {"text", "nodes"}}}."""
    lm = models.load("target")
    prompts = {name: {"text": text, "nodes": recorded(lm, lm.encode(text))} for name, text in PROMPTS.items()}
    used = {token for prompt in prompts.values() for best in prompt["nodes"].values() for token, _ in best}
    tokens = {str(i): lm.pieces[i].decode("utf-8", "backslashreplace") for i in sorted(used - {lm.eos_id})}
    return {"eos": lm.eos_id, "beams": BEAMS, "steps": STEPS, "tokens": tokens, "prompts": prompts}


if __name__ == "__main__":
    OUT.write_text(json.dumps(make(), ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"wrote {OUT.name}: {OUT.stat().st_size / 1e3:.0f} kB")
