"""Writes book/_data/sampling.json: the next-token logits of the shipped model after one prompt.

    python book/_data/make_sampling.py [PROMPT]

The whole vocabulary is written (token texts, logits rounded to 1e-4, and whether a token is in the
prompt), so the playground computes with the model's real distribution, not with its head. Run it again
when the model changes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from llmlab import models

OUT = Path(__file__).with_name("sampling.json")
PROMPT = "Once upon a time there was a little cat. The little"


def make(prompt: str) -> dict[str, object]:
    """{"prompt": str, "tokens": [V] str, "logits": [V] float, "seen": [V] 0 or 1} for the model `target`."""
    lm = models.load("target")
    ids = lm.encode(prompt)
    with torch.inference_mode():
        logits = lm.next_logits(torch.tensor([ids]), None)[0]  # (V,)
    special = [i for i in (lm.bos_id, lm.eos_id, lm.pad_id) if i is not None]
    names = {i: f"<special {i}>" for i in special} | {
        lm.pad_id: "<pad>",
        lm.bos_id: "<bos>",
        lm.eos_id: "<eos>",
    }
    tokens = [names.get(i, piece.decode("utf-8", "backslashreplace")) for i, piece in enumerate(lm.pieces)]
    seen = set(ids)
    return {
        "prompt": prompt,
        "tokens": tokens,
        "logits": [round(x, 4) for x in logits.tolist()],
        "seen": [int(i in seen) for i in range(len(tokens))],
    }


if __name__ == "__main__":
    data = make(sys.argv[1] if len(sys.argv) > 1 else PROMPT)
    OUT.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"wrote {OUT.name}: {len(data['tokens'])} tokens after {data['prompt']!r}")
