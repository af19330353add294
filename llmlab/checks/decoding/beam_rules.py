"""The oracles of beam_search: an exhaustive search, the contract in plain Python, and the searches that people write.

Everything is plain Python numbers in float64, on a model given as a function from tokens to logits. Nothing here makes
cases or judges.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from llmlab.checks.decoding.fakes import logits_after
from llmlab.checks.decoding.rows import softmax
from llmlab.checks.protocol import Model

Hypothesis = tuple[float, list[int]]
"""(score, new tokens)"""


@dataclass(frozen=True, eq=False)
class Search:
    """One run: what beam_search was asked."""

    model: Model
    prompt: list[int]
    beams: int
    max_new_tokens: int
    eos_id: int | None = None
    length_penalty: float = 1.0
    known: dict[tuple[int, ...], list[float]] = field(default_factory=dict)

    def log_probs(self, new: list[int]) -> list[float]:
        """Log-probability of every token after the prompt and these new tokens."""
        key = tuple(new)
        if key not in self.known:
            probs = softmax(logits_after(self.model, [*self.prompt, *new]))
            self.known[key] = [math.log(q) if q > 0 else -math.inf for q in probs]
        return self.known[key]


@dataclass(frozen=True)
class Rule:
    """The contract (the defaults), or with one field changed a search that is wrong in that one thing."""

    size: Callable[[Search, list[int]], float] = lambda s, new: len(new) ** s.length_penalty
    steps: Callable[[Search, list[int]], list[float]] = lambda s, new: s.log_probs(new)
    eos: str = "finishes"  # "grows on", "takes a place", "any rank", "lost", "free", "ends all", "fills up"
    live: str = "compete"  # "lost"
    per_beam: bool = False
    limit: int = 0
    worst_first: bool = False


def search(s: Search, rule: Rule = Rule()) -> list[Hypothesis]:  # noqa: B008
    """The best `beams` hypotheses under this rule, best first. Ties go to the earlier beam, then to the lower token."""
    live: list[Hypothesis] = [(0.0, [])]
    finished: list[Hypothesis] = []
    slots = s.beams
    for step in range(s.max_new_tokens + rule.limit):
        grown = [(total + lp, [*new, token]) for total, new in live for token, lp in enumerate(rule.steps(s, new))
                 if lp > -math.inf]
        if rule.per_beam and step:
            grown = [max((g for g in grown if g[1][:-1] == new), key=lambda g: g[0]) for _, new in live]
        grown.sort(key=lambda hypothesis: -hypothesis[0])
        live = []
        for rank, (total, new) in enumerate(grown):
            ended = new[-1] == s.eos_id and rule.eos != "grows on"
            if ended and (rank < slots or rule.eos == "any rank") and rule.eos != "lost":
                if rule.eos == "free":  # the log-probability of EOS is left out
                    total -= rule.steps(s, new[:-1])[new[-1]]
                finished.append((total, new))
            elif not ended and len(live) < slots and not (rule.eos == "takes a place" and rank >= slots):
                live.append((total, new))
        if rule.eos == "takes a place":
            slots = s.beams - len(finished)
        if not live or slots <= 0 or (finished and rule.eos == "ends all"):
            break
        if rule.eos == "fills up" and len(finished) >= s.beams:
            live = []
            break
    everything = finished + (live if rule.live == "compete" or not finished else [])
    scored = [(total / rule.size(s, new), new) for total, new in everything]
    return sorted(scored, key=lambda hypothesis: hypothesis[0] * (1 if rule.worst_first else -1))[:s.beams]


def exhaustive(s: Search, vocab: int) -> list[Hypothesis]:
    """Every text that ends in its first EOS or has max_new_tokens tokens, scored; the best `beams` of them, best first."""
    found = []
    for size in range(1, s.max_new_tokens + 1):
        for new in itertools.product(range(vocab), repeat=size):
            ends = s.eos_id is not None and new[-1] == s.eos_id
            if s.eos_id in new[:-1] or not (ends or size == s.max_new_tokens):
                continue
            total = sum(s.log_probs(list(new[:i]))[token] for i, token in enumerate(new))
            if total > -math.inf:
                found.append((total / size ** s.length_penalty, list(new)))
    return sorted(found, key=lambda hypothesis: -hypothesis[0])[:s.beams]


RULES: list[tuple[str, Rule, str]] = [
    ("beam-never-normalised", Rule(size=lambda s, new: 1.0),
     "The score is the bare sum. Divide it by the number of new tokens to the power length_penalty."),
    ("beam-counts-prompt", Rule(size=lambda s, new: (len(s.prompt) + len(new)) ** s.length_penalty),
     "The prompt's tokens were counted in the length. Only new tokens count."),
    ("beam-leaves-out-eos", Rule(size=lambda s, new: max(1, len(new) - (new[-1] == s.eos_id)) ** s.length_penalty),
     "EOS was not counted in the length. It is a new token like others."),
    ("beam-multiplies-length", Rule(size=lambda s, new: 1 / len(new) ** s.length_penalty),
     "The sum was multiplied by the length: divide."),
    ("beam-ignores-length-penalty", Rule(size=lambda s, new: len(new)),
     "The sum was divided by the length, whatever length_penalty is: raise the length to that power."),
    ("beam-uses-gnmt", Rule(size=lambda s, new: ((5 + len(new)) / 6) ** s.length_penalty),
     "The length was rescaled by ((5 + length) / 6). Here it is length ** length_penalty."),
    ("beam-forgets-finished", Rule(eos="lost"),
     "Beams that ended in EOS were dropped. Keep them aside: they compete in the end."),
    ("beam-drops-live", Rule(live="lost"),
     "Beams still alive at max_new_tokens were dropped. They compete with the finished ones."),
    ("beam-greedy-per-beam", Rule(per_beam=True),
     "Each beam was continued by its best token only. Rank all continuations of all beams together."),
    ("beam-stops-at-first-eos", Rule(eos="ends all"),
     "The search ended with the first beam that reached EOS. The others may still end up better."),
    ("beam-stops-when-full", Rule(eos="fills up"),
     "The search ended when enough beams had finished. A live one may still end up better."),
    ("beam-grows-finished", Rule(eos="grows on"), "Beams that ended in EOS were continued."),
    ("beam-finished-takes-a-place", Rule(eos="takes a place"),
     "A finished beam kept its place among the live ones. All `beams` places are filled with beams that go on."),
    ("beam-finishes-any-rank", Rule(eos="any rank"),
     "A continuation by EOS was kept although it was not among the best `beams`."),
    ("beam-eos-for-free", Rule(eos="free"), "The log-probability of EOS itself was not added."),
    ("beam-sums-logits", Rule(steps=lambda s, new: logits_after(s.model, [*s.prompt, *new])),
     "Logits were summed. Turn them into log-probabilities first."),
    ("beam-sums-probabilities", Rule(steps=lambda s, new: softmax(logits_after(s.model, [*s.prompt, *new]))),
     "Probabilities were summed. Sum their logarithms."),
    ("beam-one-token-too-many", Rule(limit=1), "One token more than max_new_tokens."),
    ("beam-one-token-too-few", Rule(limit=-1), "One token fewer than max_new_tokens."),
    ("beam-worst-first", Rule(worst_first=True), "The worst comes first, and was kept: sort by descending score."),
]


def wrong_results(s: Search) -> list[tuple[str, Callable[[], list[Hypothesis]], str]]:
    """(misconception, the result it leads to, what was done)."""
    def right() -> list[Hypothesis]:
        return search(s)

    made = [(name, lambda rule=rule: search(s, rule), words) for name, rule, words in RULES]
    return [
        *made,
        ("beam-worst-first", lambda: right()[::-1], "The order is the wrong way round: best first."),
        ("beam-returns-only-best", lambda: right()[:1], "Only the best hypothesis came back. Return the best `beams`."),
        ("beam-returns-prompt-too", lambda: [(score, s.prompt + new) for score, new in right()],
         "The prompt came back with the new tokens. Return the new tokens only."),
        ("beam-drops-eos", lambda: [(score, new[:-1] if new[-1] == s.eos_id else new) for score, new in right()],
         "The EOS token is missing at the end of a finished hypothesis. It is kept."),
        ("beam-returns-sums", lambda: [(score * len(new) ** s.length_penalty, new) for score, new in right()],
         "The order is right, but the scores are the bare sums."),
        ("beam-one-beam", lambda: search(replace(s, beams=1)), "Only one beam was kept."),
    ]


def gap(s: Search, vocab: int) -> float:
    """Smallest distance between two numbers that the search compares: below rounding error, two answers would be right."""
    live, seen = [(0.0, [])], []
    final: list[float] = []
    for _ in range(s.max_new_tokens):
        grown = sorted(((total + lp, [*new, token]) for total, new in live for token, lp in enumerate(s.log_probs(new))
                        if lp > -math.inf), key=lambda g: -g[0])
        totals = [total for total, _ in grown[:2 * s.beams + 1]]
        seen += [a - b for a, b in itertools.pairwise(totals)]
        ended = [(total, new) for total, new in grown[:s.beams] if new[-1] == s.eos_id]
        final += [total / len(new) ** s.length_penalty for total, new in ended]
        live = [g for g in grown if g[1][-1] != s.eos_id][:s.beams]
    final += [total / len(new) ** s.length_penalty for total, new in live]
    final.sort()
    return min([1.0, *seen, *(b - a for a, b in itertools.pairwise(final))])
