"""What decoding strategies do to text: repetition and cost. Writes results/sampling.json.

    python -m benchmarks.text_quality

Every strategy continues the same prompts by the same number of tokens (benchmarks/inputs.py says which). `repeat` is
the share of 4-grams of the new tokens that occurred earlier in them; `nats` is the mean of -log p of the chosen tokens.
"""

from __future__ import annotations

from pathlib import Path

import torch

import llmlab
from benchmarks.continuations import continue_all, repeated
from benchmarks.inputs import PROMPTS, START, TOKENS, stories
from benchmarks.record import write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import models  # noqa: E402  (after the choice of the code)
from llmlab.decoding import apply_temperature, greedy, min_p, sample, top_k, top_k_top_p, top_p  # noqa: E402

COMMAND = "python -m benchmarks.text_quality"
SEED, DRAWS = 20, 8
"""Seed of every strategy that draws; texts drawn for each prompt, since single draws differ a lot."""


@torch.inference_mode()
def real(lm, texts: list[list[int]]) -> dict[str, float]:
    """The same figures for the stories themselves, and the size of the nucleus along them."""
    nats, sizes = [], []
    for ids in texts:
        logp = lm.logits(torch.tensor([ids]))[0, :-1].double().log_softmax(-1)
        nats += (-logp.gather(-1, torch.tensor(ids[1:])[:, None]))[START - 1:, 0].tolist()
        sizes += (top_p(logp, 0.9) > -torch.inf).sum(-1).tolist()
    joined = [token for ids in texts for token in ids]
    pieces = [joined[i:i + TOKENS] for i in range(0, len(joined) - TOKENS + 1, TOKENS)]
    sizes.sort()
    return {"repeat_real": sum(map(repeated, pieces)) / len(pieces), "nats_real": sum(nats) / len(nats),
            "nucleus_median": sizes[len(sizes) // 2], "nucleus_p90": sizes[int(len(sizes) * 0.9)]}


def main() -> None:
    torch.set_num_threads(1)
    lm = models.load("target")
    texts = stories(lm)
    prompts = torch.tensor([ids[:START] for ids in texts])
    strategies = {
        "t08": lambda z: apply_temperature(z, 0.8),
        "t10": lambda z: z,
        "t15": lambda z: apply_temperature(z, 1.5),
        "k20": lambda z: top_k(z, 20),
        "p09": lambda z: top_p(z, 0.9),
        "m01": lambda z: min_p(z, 0.1),
        "all": lambda z: top_k_top_p(apply_temperature(z, 0.8), 50, 0.9),
    }
    found = {"greedy": continue_all(lm, prompts, lambda z, prompt, new: z, greedy)}
    for name, change in strategies.items():
        generator = torch.Generator().manual_seed(SEED)
        found[name] = continue_all(lm, prompts.repeat(DRAWS, 1), lambda z, prompt, new, change=change: change(z),
                                   lambda z, generator=generator: sample(z, generator))
        print(f"{name}: {found[name][0]:.0%} repeated, {found[name][1]:.2f} nats a token")
    values = {"prompts": PROMPTS, "tokens": TOKENS, "draws": DRAWS, **real(lm, texts)}
    for name, (repeat, nats) in found.items():
        values |= {f"repeat_{name}": repeat, f"nats_{name}": nats}
    write("sampling", COMMAND, values)


if __name__ == "__main__":
    main()
