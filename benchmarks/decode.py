"""Decoding speed: ours against Hugging Face's `generate`, and with a cache against without: decode_speed.json.

    python -m benchmarks.decode            everything, about five minutes
    python -m benchmarks.decode generate   one part: generate, cache, gpt2, lab

CPU seconds on one thread. What is compared runs in turns in one process; a ratio is taken within each round,
and the median, the smallest and the largest are kept. Both sides of a comparison write the same tokens, which
is asserted. Without a cache, 1,000 tokens are not run whole: every 20th step is, and counts for 20.
"""

from __future__ import annotations

import dataclasses
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

from llmlab import kv_cache, models  # noqa: E402  (after the choice of the code)
from llmlab.models.lean import Decoder  # noqa: E402
from llmlab.models.parts import Parts  # noqa: E402

COMMAND = "python -m benchmarks.decode"
PROMPT = 16
GENERATE = {"target": ((1, 8, 32), 64, 7), "draft": ((1, 8), 64, 7), "wide": ((1, 8), 32, 5)}
"""Model -> batch sizes, new tokens, rounds."""
CACHE = {("target", 50): 5, ("target", 256): 3, ("target", 1000): 1, ("wide", 50): 3}
"""(model, new tokens) -> rounds."""
SAMPLED, EVERY = 1000, 20
Values = dict[str, float | int | str]


def ratios(
    slow: Callable[[], object], fast: Callable[[], object], rounds: int
) -> tuple[list[float], float, float]:
    """slow / fast in every round, and the least seconds of each."""
    pairs = [(seconds(slow), seconds(fast)) for _ in range(rounds)]
    return [a / b for a, b in pairs], min(a for a, _ in pairs), min(b for _, b in pairs)


def told(name: str, found: list[float]) -> Values:
    """The median under `name`, and the spread if there is one."""
    print(f"{name}: {statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})", flush=True)
    spread = {f"{name}_low": min(found), f"{name}_high": max(found), f"{name}_rounds": len(found)}
    return {name: statistics.median(found), **spread}


def prompts(batch: int) -> torch.Tensor:
    return torch.randint(5, 2000, (batch, PROMPT), generator=torch.Generator().manual_seed(batch))


def as_hf(lm: models.LM):
    """The same weights in transformers' LlamaForCausalLM."""
    from transformers import LlamaConfig, LlamaForCausalLM

    fields = dataclasses.asdict(lm.config)
    fields["rope_parameters"] = {"rope_type": "default", "rope_theta": fields.pop("rope_theta")}
    hf = LlamaForCausalLM(LlamaConfig(**fields, attention_bias=False, mlp_bias=False)).eval()
    hf.load_state_dict(lm.model.state_dict())
    return hf


def by_hf(hf, ids: torch.Tensor, new: int, cache: bool = True) -> torch.Tensor:
    out = hf.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=new,
        min_new_tokens=new,
        do_sample=False,
        use_cache=cache,
        pad_token_id=0,
        eos_token_id=None,
    )
    return out[:, ids.shape[1] :]


@torch.inference_mode()
def with_cache(lm: models.LM, ids: torch.Tensor, new: int) -> torch.Tensor:
    """The plain loop: `Llama` with its cache."""
    cache, step, out = lm.new_cache(len(ids)), ids, []
    for _ in range(new):
        step = lm.model(step, None, cache, last_only=True)[:, -1].argmax(-1, keepdim=True)
        out.append(step)
    return torch.cat(out, 1)


@torch.inference_mode()
def without_cache(lm: models.LM, ids: torch.Tensor, new: int) -> torch.Tensor:
    """The same `Llama`, the whole text again in every step."""
    start = ids.shape[1]
    for _ in range(new):
        ids = torch.cat([ids, lm.model(ids, None, None, last_only=True)[:, -1].argmax(-1, keepdim=True)], 1)
    return ids[:, start:]


@torch.inference_mode()
def sampled_without_cache(lm: models.LM, text: torch.Tensor, start: int) -> float:
    """CPU seconds of decoding `text` beyond `start` without a cache, from every EVERY-th step."""
    ends = range(start + EVERY // 2, text.shape[1], EVERY)
    spent = [seconds(lambda end=end: lm.model(text[:, :end], None, None, last_only=True)) for end in ends]
    return sum(spent) / len(spent) * (text.shape[1] - start)


def generate() -> Values:
    """Our decoding against HF's generate."""
    values: Values = {"prompt": PROMPT}
    for name, (batches, new, rounds) in GENERATE.items():
        lm = models.load(name)
        hf, decoder = as_hf(lm), Decoder(lm)
        values[f"parameters_{name}"] = sum(p.numel() for p in lm.model.parameters())
        for batch in batches:
            ids = prompts(batch)
            ours, theirs = decoder.generate(ids, new), by_hf(hf, ids, new)
            same = float((ours == theirs).float().mean())
            assert same > 0.95, f"{name}, batch {batch}: only {same:.0%} of the tokens are the same"
            found, slow, fast = ratios(
                lambda: by_hf(hf, ids, new), lambda: decoder.generate(ids, new), rounds
            )
            values |= told(f"hf_{name}_{batch}", found)
            values |= {
                f"hf_{name}_{batch}_same": same,
                f"hf_{name}_{batch}_tokens": new,
                f"ms_hf_{name}_{batch}": slow / new * 1e3,
                f"ms_ours_{name}_{batch}": fast / new * 1e3,
            }
            found, _, _ = ratios(
                lambda: by_hf(hf, ids, new), lambda: with_cache(lm, ids, new), max(rounds // 2, 2)
            )
            values |= told(f"hf_plain_{name}_{batch}", found)
    return values


def cache() -> Values:
    """The same model with its cache and without: the plain loop in both, and the fast decoder."""
    values: Values = {"sampled_every": EVERY}
    for (name, new), rounds in CACHE.items():
        lm, ids = models.load(name), prompts(1)
        decoder = Decoder(lm)
        text = torch.cat([ids, with_cache(lm, ids, new)], 1)
        off, plain, fast = [], [], []
        for _ in range(rounds):
            off.append(
                sampled_without_cache(lm, text, PROMPT)
                if new >= SAMPLED
                else seconds(lambda: without_cache(lm, ids, new))
            )
            plain.append(seconds(lambda: with_cache(lm, ids, new)))
            fast.append(seconds(lambda: decoder.generate(ids, new)))
        values |= told(f"cache_{name}_{new}", [a / b for a, b in zip(off, plain, strict=True)])
        values |= told(f"cache_decoder_{name}_{new}", [a / b for a, b in zip(off, fast, strict=True)])
        rows_off, rows_on = sum(PROMPT + i for i in range(new)), PROMPT + new - 1
        values |= {
            f"rows_off_{new}": rows_off,
            f"rows_on_{new}": rows_on,
            f"rows_ratio_{new}": rows_off / rows_on,
        }
        values |= {f"off_seconds_{name}_{new}": min(off), f"on_seconds_{name}_{new}": min(plain)}
    return values


def gpt2() -> Values:
    """The lecture's case: 124M parameters, 50 tokens, Hugging Face, use_cache on and off; weights are random."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    hf, ids, new = GPT2LMHeadModel(GPT2Config()).eval(), prompts(1), 50
    by_hf(hf, ids, 2)
    found, slow, fast = ratios(lambda: by_hf(hf, ids, new, False), lambda: by_hf(hf, ids, new), 2)
    count = sum(p.numel() for p in hf.parameters())
    return {
        **told("cache_gpt2_50", found),
        "gpt2_parameters": count,
        "off_seconds_gpt2_50": slow,
        "on_seconds_gpt2_50": fast,
    }


def lab() -> Values:
    """The lab's own code on the target: cache against the whole text again, and against the plain loop."""
    lm, ids, new = models.load("target"), prompts(1), 50
    parts = Parts(lm)

    def cached() -> torch.Tensor:
        return kv_cache.generate(parts, kv_cache.KVCache(parts.n_layers), ids, new)

    def whole() -> torch.Tensor:
        text = ids
        for _ in range(new):
            x = kv_cache.forward(parts, kv_cache.KVCache(parts.n_layers), text)
            text = torch.cat([text, parts.logits(x[:, -1:])[:, 0].argmax(-1, keepdim=True)], 1)
        return text[:, PROMPT:]

    assert torch.equal(cached(), whole()) and torch.equal(cached(), with_cache(lm, ids, new))
    values = told("cache_lab_50", ratios(whole, cached, 3)[0])
    return values | told("lab_against_plain", ratios(cached, lambda: with_cache(lm, ids, new), 5)[0])


PARTS: dict[str, Callable[[], Values]] = {"generate": generate, "cache": cache, "gpt2": gpt2, "lab": lab}


def main(names: list[str]) -> None:
    torch.set_num_threads(1)
    file = RESULTS / "decode_speed.json"
    partly = bool(names) and file.is_file()
    values: Values = json.loads(file.read_text(encoding="utf-8"))["values"] if partly else {}
    for name in names or PARTS:
        values |= PARTS[name]()
        write("decode_speed", COMMAND, values)


if __name__ == "__main__":
    main(sys.argv[1:])
