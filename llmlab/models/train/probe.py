"""What the shipped models can do, measured: ``python -m llmlab.models.train.probe`` writes
results/models.json.

Sums and sentences come from the held-out tenth, facts are paired anew: none of the questions is in the
training text.
"""

from __future__ import annotations

import json
import platform
import re
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import torch
import typer

from llmlab.models import LM, load
from llmlab.models.loader import WEIGHTS
from llmlab.models.train import corpus, numbers, pairs, recall
from llmlab.models.train.data import pack
from llmlab.models.train.dice import Dice

ASKED = 40  # questions of each kind
LENGTH = 300  # tokens of a continuation in the repetition probe
LOOP_PROMPTS = (
    "Once upon a time there was a little girl named",
    "One sunny Monday, a small fox",
    "Mira had a red kite",
    "Count: 5, 10, 15,",
    "Song of the frog",
    "Facts: Tom lives in",
    "English: The cat",
    "Shopping list of Anna:",
    "Return the",
    "module ",
    "class email.message.Message\n\n",
    "os.path.join(a, *p)\n\n",
    "Raises ValueError if",
    "The optional argument",
    "json.dumps(obj)\n\n",
    "Create a new",
)


@torch.no_grad()
def continued(
    lm: LM, prompts: list[str], tokens: int, temperature: float = 0.0, eos: bool = True, seed: int = 0
) -> list[list[int]]:
    """New ids for every prompt: greedy at temperature 0, without EOS (banned or cut off)."""
    rows = [[lm.bos_id, *lm.encode(p)] for p in prompts]
    longest = max(map(len, rows))
    ids = torch.tensor([[lm.pad_id] * (longest - len(r)) + r for r in rows])
    mask = torch.tensor([[0] * (longest - len(r)) + [1] * len(r) for r in rows])
    cache, generator, out = lm.new_cache(len(rows)), torch.Generator().manual_seed(seed), []
    for _ in range(tokens):
        logits = lm.logits(ids, mask, cache)[:, -1].float()
        logits[:, [lm.bos_id, lm.pad_id] + ([] if eos else [lm.eos_id])] = -torch.inf
        if temperature == 0:
            ids = logits.argmax(-1, keepdim=True)
        else:
            ids = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
        mask = torch.ones_like(ids)
        out.append(ids)
    taken = torch.cat(out, dim=1).tolist()
    return [row[: row.index(lm.eos_id)] if lm.eos_id in row else row for row in taken]


def answers(lm: LM, prompts: list[str], tokens: int) -> list[str]:
    """Greedy continuations as text."""
    return [lm.decode(ids) for ids in continued(lm, prompts, tokens)]


def arithmetic_right(lm: LM, sign: str) -> int:
    """Held-out two-digit sums or differences whose last line is right, out of ASKED."""
    dice, asked = Dice(11), []
    while len(asked) < ASKED:
        a, b = dice.number(10, 99), dice.number(10, 99)
        a, b = (a, b) if sign == "+" else (max(a, b), min(a, b))
        if numbers.held_out(a, b):
            asked.append((a, b, a + b if sign == "+" else a - b))
    said = answers(lm, [f"{a} {sign} {b}\n" for a, b, _ in asked], 60)
    return sum(
        re.search(rf"\n{a} \{sign} {b} = {c}(?!\d)", s.split("\n\n")[0]) is not None
        for (a, b, c), s in zip(asked, said, strict=True)
    )


def translation_right(lm: LM) -> int:
    """Held-out English sentences with exactly the Chinese of the grammar, out of ASKED."""
    dice, asked = Dice(12), []
    while len(asked) < ASKED:
        english, chinese = pairs.sentence(dice)
        if pairs.held_out(english):
            asked.append((english, chinese))
    said = answers(lm, [f"English: {english}\nChinese:" for english, _ in asked], 30)
    return sum(s.split("\n")[0].strip() == chinese for (_, chinese), s in zip(asked, said, strict=True))


def recall_right(lm: LM, count: int = 4) -> int:
    """New facts, ``count`` at a time, one question: right answers out of ASKED."""
    dice, prompts, wanted = Dice(13), [], []
    for _ in range(ASKED):
        said, asked, values = recall.facts(dice, count)
        i = dice.number(0, count - 1)
        prompts.append(f"Facts: {' '.join(said)}\nQuestion: {asked[i]} Answer:")
        wanted.append(values[i])
    return sum(s.split(".")[0].strip() == w for w, s in zip(wanted, answers(lm, prompts, 8), strict=True))


def counting_right(lm: LM) -> int:
    """Three numbers in equal steps are given; the next four are right, out of ASKED."""
    dice, prompts, wanted = Dice(14), [], []
    for _ in range(ASKED):
        start, step = dice.number(0, 50), dice.number(1, 10)
        row = [start + step * i for i in range(7)]
        prompts.append("Count: " + ", ".join(map(str, row[:3])) + ",")
        wanted.append(" " + ", ".join(map(str, row[3:])))
    return sum(
        re.match(re.escape(w) + r"(?!\d)", s) is not None
        for w, s in zip(wanted, answers(lm, prompts, 24), strict=True)
    )


def json_valid(lm: LM) -> int:
    """Records sampled at temperature 0.8 whose every line, or whole, parses as JSON, out of ASKED."""
    good = 0
    for ids in continued(lm, ['{"'] * ASKED, 200, temperature=0.8, seed=15):
        text = '{"' + lm.decode(ids)
        good += any(all(_parses(part) for part in parts) for parts in ([text], text.splitlines()))
    return good


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def repeated_4grams(rows: list[list[int]]) -> float:
    """Share of 4-grams that occurred before in the same row.

    >>> repeated_4grams([[1, 2, 3, 4, 1, 2, 3, 4]])
    0.2
    """
    again = total = 0
    for row in rows:
        grams = [tuple(row[i : i + 4]) for i in range(len(row) - 3)]
        again, total = again + len(grams) - len(set(grams)), total + len(grams)
    return again / total if total else 0.0


def known_words(lm: LM, words: set[str], temperature: float) -> float:
    """Share of the sampled words (letters only) that are in the training text."""
    rows = continued(lm, list(LOOP_PROMPTS), 100, temperature, seed=16)
    said = re.findall(r"[A-Za-z]+", " ".join(lm.decode(ids) for ids in rows))
    return sum(word in words for word in said) / len(said)


@torch.no_grad()
def acceptance(target: LM, draft: LM, text: corpus.Corpus) -> float:
    """Mean of sum(min(p, q)) over validation positions: what speculative sampling keeps at T = 1."""
    row = pack(target.tokenizer, [d for docs in text.validation.values() for d in docs[:4]])
    ids = row[: len(row) // 256 * 256].view(-1, 256)
    p, q = target.logits(ids).softmax(-1), draft.logits(ids).softmax(-1)
    return torch.minimum(p, q).sum(-1).mean().item()


def measure(name: str, words: set[str]) -> dict[str, float]:
    """All figures of one model."""
    lm = load(name)
    manifest = json.loads((WEIGHTS / name / "manifest.json").read_text(encoding="utf-8"))
    values: dict[str, float] = {"parameters": manifest["parameters"], "tokens": manifest["tokens"]}
    values |= {f"loss.{k}": v for k, v in manifest["loss"].items()}
    values |= {
        "addition.right": arithmetic_right(lm, "+"),
        "subtraction.right": arithmetic_right(lm, "-"),
        "translation.right": translation_right(lm),
        "recall.right": recall_right(lm),
        "counting.right": counting_right(lm),
        "json.valid": json_valid(lm),
    }
    for eos in (False, True):
        for temperature in (0.0, 0.8):
            rows = continued(lm, list(LOOP_PROMPTS), LENGTH, temperature, eos, seed=17)
            key = f"repeated_4grams.{'eos' if eos else 'no_eos'}.t{temperature:g}"
            values[key] = round(repeated_4grams(rows), 4)
    for temperature in (0.0, 0.8, 1.5):
        values[f"known_words.t{temperature:g}"] = round(known_words(lm, words, temperature), 4)
    return {f"{name}.{key}": value for key, value in values.items()}


def main(out: Annotated[Path, typer.Option(help="Where to write.")] = Path("results/models.json")) -> None:
    """Measure target and draft and write the figures with their origin."""
    torch.set_num_threads(1)
    text = corpus.build()
    words = {w for docs in text.train.values() for doc in docs for w in re.findall(r"[A-Za-z]+", doc)}
    values: dict[str, float] = {"asked": ASKED, "continuation_tokens": LENGTH}
    for name in ("target", "draft"):
        values |= measure(name, words)
    values["acceptance.t1"] = round(acceptance(load("target"), load("draft"), text), 4)
    origin = {
        "command": shlex.join(["python", "-m", "llmlab.models.train.probe", *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d"),
        "machine": platform.machine(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"origin": origin, "values": values}, indent=2) + "\n")
    typer.echo(f"{len(values)} figures written to {out}")


if __name__ == "__main__":
    typer.run(main)
