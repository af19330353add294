"""Speculative decoding against plain cached decoding, on the shipped pair and on `wide`: speculative.json.

    python -m benchmarks.speculative             everything, about seven minutes
    python -m benchmarks.speculative passes      one part: passes, bf16, fp32, plain, pair, drafts, small

CPU seconds on one thread. Both sides run on the same session, with the same settings, and draw with the same
functions; they take turns in one process. A speed-up is taken within each round; the median, the smallest and the
largest are kept. Of each pass the loop's own `verify` is asked how many tokens it gained: alpha is accepted over
checked draft tokens, and the prediction takes it, with the cost of a draft pass and of a pass over gamma + 1 tokens as
they were measured beside it. Prompts are beginnings of validation texts of four kinds; no token ends a text.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import torch

import llmlab
from benchmarks.clock import seconds
from benchmarks.record import RESULTS, write

llmlab.use(Path(__file__).resolve().parents[1] / "solutions")

from llmlab import models, speculative  # noqa: E402  (after the choice of the code)
from llmlab.models.lean import Decoder  # noqa: E402
from llmlab.models.prepacked import FewTokens  # noqa: E402
from llmlab.models.session import Dice, Session  # noqa: E402
from llmlab.models.train import corpus  # noqa: E402

COMMAND = "python -m benchmarks.speculative"
KINDS = ("stories", "arithmetic", "pairs", "records")
PROMPT, NEW, ROUNDS = 8, 64, 3
GAMMAS = range(1, 9)
ROWS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 20, 40, 80)
"""Tokens of a pass that are timed: 1 to gamma + 1, and what batches of 4, 8 and 16 make of 5."""
MODES = {"greedy": 0.0, "t1": 1.0}
MODELS = {
    "bf16": ("wide", torch.bfloat16, "packed", GAMMAS),
    "fp32": ("wide", torch.float32, "packed", GAMMAS),
    "plain": ("wide", torch.float32, "plain", (2, 4, 6)),
    "pair": ("target", torch.float32, "plain", GAMMAS),
}
"""Part -> model, type of its weights, their layout, gammas. The draft is `draft`, in float32."""
Values = dict[str, float | int | str]


def prompts(lm: models.LM) -> list[list[int]]:
    """The first tokens of a validation text of each kind."""
    texts = corpus.build(with_docstrings=False).validation
    return [lm.encode(texts[kind][0])[:PROMPT] for kind in KINDS]


def plainly(target: FewTokens, prompt: list[int], temperature: float, seed: int) -> list[int]:
    """Cached decoding, a token a pass."""
    target.reset()
    new, step, dice = [], prompt, Dice(seed)
    while len(new) < NEW:
        p = speculative.distribution(target.feed([step])[:, -1], temperature)
        step = speculative.draw(p, dice.uniform(1, 1)[:, 0]).tolist()
        new += step
    return new


def speculatively(target: FewTokens, draft: FewTokens, prompt: list[int], gamma: int, temperature: float,
                  seed: int) -> list[int]:
    """The lab's loop with the smaller model as its draft."""
    target.reset()
    draft.reset()
    proposer = speculative.ModelDraft(draft, temperature)
    return speculative.generate(target, proposer, [prompt], NEW, gamma, Dice(seed), temperature)[0]


class Gains:
    """How many tokens each pass gained, from the loop's own calls of `verify`."""

    def __init__(self) -> None:
        self.tokens, self._verify = [], speculative.verify

    def __enter__(self) -> Gains:
        def counted(p, q, drafted, uniforms):
            gained = self._verify(p, q, drafted, uniforms)
            self.tokens += map(len, gained)
            return gained

        speculative.verify = counted
        return self

    def __exit__(self, *error) -> None:
        speculative.verify = self._verify

    def alpha(self, gamma: int) -> float:
        """Accepted over checked: a pass that gained n tokens accepted n - 1, and checked the one that it replaced."""
        return sum(n - 1 for n in self.tokens) / sum(min(n, gamma) for n in self.tokens)


def costs(target: FewTokens, draft: FewTokens, rows: tuple[int, ...], text: list[int]) -> tuple[dict, float]:
    """Seconds of a pass over so many tokens behind 40 of `text`, and of a drafted token; the least of 7 in turns."""
    target.reset()
    target.feed([text])
    found: dict[int, float] = {}
    for _ in range(7):
        for count in rows:
            target.truncate([40])
            spent = seconds(lambda: target.feed([(text * 3)[:count]]))
            found[count] = min(found.get(count, 1e9), spent)
    draft.reset()
    proposer, dice = speculative.ModelDraft(draft), Dice(0)
    proposer.propose([text], dice.uniform(1, 4))
    drafted = min(seconds(lambda: proposer.propose([text], dice.uniform(1, 4))) / 4 for _ in range(9))
    return found, drafted


def made(part: str) -> tuple[FewTokens, FewTokens, list[list[int]]]:
    """Target and draft of a part, and the prompts."""
    name, dtype, layout, _ = MODELS[part]
    lm = models.load(name)
    return FewTokens(lm, dtype, layout), FewTokens(models.load("draft"), layout="plain"), prompts(lm)


def passes() -> Values:
    """What a pass over several tokens costs, in passes over one; and what that makes of a batch."""
    values: Values = {}
    for part in MODELS:
        target, draft, texts = made(part)
        found, drafted = costs(target, draft, ROWS, (texts[0] * 6)[:48])
        values |= {f"pass_{part}_{count}": spent / found[1] for count, spent in found.items()}
        values |= {f"ms_pass_{part}": 1e3 * found[1], f"ms_drafted_{part}": 1e3 * drafted,
                   f"cost_{part}": drafted / found[1]}
        for batch in (1, 4, 8, 16):  # B sequences: B rows in plain decoding, 5 B in a pass that checks four each
            values[f"verify5_{part}_batch_{batch}"] = found[5 * batch] / found[batch]
        print({key: round(value, 3) for key, value in values.items() if part in key}, flush=True)
        if part == "fp32":
            lm = models.load("wide")
            decoder, cache, token = Decoder(lm), lm.new_cache(1), torch.tensor([5])
            decoder.prefill(torch.tensor([texts[0]]), cache)
            values["ms_lean_wide"] = 1e3 * min(seconds(lambda: decoder.step(token, cache)) for _ in range(9))
    return values


def measured(part: str) -> Values:
    """Speed, tokens of a pass and alpha for every gamma, greedy and at T = 1, with what the formula says."""
    target, draft, texts = made(part)
    gammas, values = MODELS[part][3], {}
    found, drafted = costs(target, draft, (1, *(gamma + 1 for gamma in gammas)), (texts[0] * 6)[:48])
    cost = drafted / found[1]
    for mode, temperature in MODES.items():
        speeds: dict[int, list[float]] = {gamma: [] for gamma in gammas}
        gains = {gamma: Gains() for gamma in gammas}
        same = {gamma: 0 for gamma in gammas}
        for round_ in range(ROUNDS):
            told: dict[int, list[int]] = {}
            seeds = [100 * round_ + number for number in range(len(texts))]
            plain = seconds(lambda: told.update(
                {seed: plainly(target, text, temperature, seed) for seed, text in zip(seeds, texts, strict=True)}))
            for gamma in gammas:
                written: dict[int, list[int]] = {}
                with gains[gamma]:
                    fast = seconds(lambda: written.update(
                        {seed: speculatively(target, draft, text, gamma, temperature, seed)
                         for seed, text in zip(seeds, texts, strict=True)}))
                speeds[gamma].append(plain / fast)
                same[gamma] += sum(a == b for seed in seeds for a, b in zip(written[seed], told[seed], strict=True))
        for gamma in gammas:
            name, alpha = f"{part}_{mode}_{gamma}", gains[gamma].alpha(gamma)
            values |= {
                f"{name}_speed": statistics.median(speeds[gamma]),
                f"{name}_low": min(speeds[gamma]), f"{name}_high": max(speeds[gamma]),
                f"{name}_tokens": statistics.fmean(gains[gamma].tokens), f"{name}_alpha": alpha,
                f"{name}_tokens_predicted": speculative.expected_tokens(alpha, gamma),
                f"{name}_predicted": speculative.speedup(alpha, gamma, cost),
                f"{name}_predicted_costs": speculative.speedup(alpha, gamma, cost, found[gamma + 1] / found[1])}
            if mode == "greedy":
                values[f"{name}_same"] = same[gamma] / (ROUNDS * NEW * len(texts))
            told = {key.removeprefix(f"{name}_"): value for key, value in values.items() if key.startswith(f"{name}_")}
            print(name, *(f"{key} {value:.3f}" for key, value in told.items()), flush=True)
    return values


def drafts() -> Values:
    """Other drafts for `target`, gamma 4: alpha and tokens of a pass. Nothing is timed."""
    lm, values, gamma = models.load("target"), {}, 4

    def exiting(layers: int, temperature: float):
        return speculative.ModelDraft(speculative.EarlyExit(Session(lm), layers), temperature)

    made = {"model": lambda temperature: speculative.ModelDraft(Session("draft"), temperature),
            "lookup": lambda temperature: speculative.LookupDraft(3, lm.vocab_size)}
    for layers in (1, 2, 3):
        made[f"exit{layers}"] = lambda temperature, layers=layers: exiting(layers, temperature)
    for mode, temperature in MODES.items():
        for name, draft in made.items():
            with Gains() as gains:
                for seed, prompt in enumerate(prompts(lm)):
                    speculative.generate(
                        Session(lm), draft(temperature), [prompt], 2 * NEW, gamma, Dice(seed), temperature)
            values |= {f"draft_{name}_{mode}_alpha": gains.alpha(gamma),
                       f"draft_{name}_{mode}_tokens": statistics.fmean(gains.tokens)}
            print(name, mode, round(gains.alpha(gamma), 3), round(statistics.fmean(gains.tokens), 2), flush=True)
    return values


def small() -> Values:
    """The lab's own sessions on `target`, T = 0: where Python and a costly draft eat up what drafting saves."""
    lm, little, values = models.load("target"), models.load("draft"), {}
    texts = prompts(lm)
    made = {"model": lambda: speculative.ModelDraft(Session(little), 0.0),
            "exit2": lambda: speculative.ModelDraft(speculative.EarlyExit(Session(lm), 2), 0.0),
            "exit3": lambda: speculative.ModelDraft(speculative.EarlyExit(Session(lm), 3), 0.0),
            "lookup": lambda: speculative.LookupDraft(3, lm.vocab_size)}

    def plain() -> None:
        for text in texts:
            target, step = Session(lm), text
            for _ in range(NEW):
                step = target.feed([step])[0, -1:].argmax(-1).tolist()

    def fast(make: Callable, gamma: int) -> None:
        for text in texts:
            speculative.generate(Session(lm), make(), [text], NEW, gamma, Dice(0), temperature=0.0)

    for name, make in made.items():
        for gamma in (2, 4, 8):
            found = [seconds(plain) / seconds(lambda: fast(make, gamma)) for _ in range(ROUNDS)]
            key = f"small_{name}_{gamma}"
            values |= {f"{key}_speed": statistics.median(found), f"{key}_low": min(found), f"{key}_high": max(found)}
            print(key, round(values[f"{key}_speed"], 2), flush=True)
    return values


PARTS: dict[str, Callable[[], Values]] = {
    "passes": passes, **{part: lambda part=part: measured(part) for part in MODELS}, "drafts": drafts,
    "small": small}


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    file = RESULTS / "speculative.json"
    partly = bool(names) and file.is_file()
    values: Values = json.loads(file.read_text(encoding="utf-8"))["values"] if partly else {}
    values |= {"prompt": PROMPT, "new": NEW, "rounds": ROUNDS, "texts": len(KINDS)}
    for name in names or PARTS:
        values |= PARTS[name]()
        write("speculative", COMMAND, values)


if __name__ == "__main__":
    main(sys.argv[1:])
