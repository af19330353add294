"""The oracles of the penalties, and the wrong rules that people use instead. Plain Python numbers, one row at a time.

A rule takes one row of logits (a list of floats), the row's prompt and its generated tokens (lists of ints) and the
strength, and gives the new row. Nothing here makes cases or judges.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

Row = list[float]
Rule = Callable[[Row, list[int], list[int], float], Row]


def by_rows(logits: torch.Tensor, prompt: torch.Tensor, generated: torch.Tensor, rule: Callable) -> torch.Tensor:
    """rule(row, prompt, generated) for every row; computed in float64, given back in the dtype of the logits."""
    rows = zip(logits.double().tolist(), prompt.tolist(), generated.tolist(), strict=True)
    return torch.tensor([rule(*row) for row in rows], dtype=torch.float64).to(logits.dtype)


def mixed_rows(logits: torch.Tensor, prompt: torch.Tensor, generated: torch.Tensor, rule: Callable) -> torch.Tensor:
    """Wrong for every penalty: each row is punished for the tokens of all rows."""
    texts = [sum(tokens.tolist(), []) for tokens in (prompt, generated)]
    return torch.tensor([rule(row, *texts) for row in logits.double().tolist()], dtype=torch.float64).to(logits.dtype)


def each(row: Row, tokens, change: Callable[[float], float]) -> Row:
    """`row` with `change` applied once at each id of `tokens`; an id listed twice is changed twice."""
    row = list(row)
    for token in tokens:
        row[token] = change(row[token])
    return row


def scaled(z: float, theta: float) -> float:
    """One logit under the repetition penalty."""
    return z / theta if z > 0 else z * theta


def repetition(row: Row, prompt: list[int], generated: list[int], theta: float) -> Row:
    """Oracle: prompt and generated, once each, divide what is positive and multiply the rest."""
    return each(row, {*prompt, *generated}, lambda z: scaled(z, theta))


def normalised(row: Row) -> Row:
    """Log-probabilities of a row that may hold -inf."""
    top = max(row)
    total = math.fsum(math.exp(z - top) for z in row)
    return [z - top - math.log(total) for z in row]


WRONG_REPETITION: dict[str, tuple[Rule, str]] = {
    "multiplies-positive-logits": (
        lambda z, p, g, t: each(z, {*p, *g}, lambda x: x * t),
        "Positive logits were multiplied too. That makes a repeated token more likely: divide where z > 0."),
    "divides-negative-logits": (
        lambda z, p, g, t: each(z, {*p, *g}, lambda x: x / t),
        "Negative logits were divided too. That brings them closer to 0, so the token gets more likely: multiply where "
        "z <= 0."),
    "rewards-repetition": (
        lambda z, p, g, t: each(z, {*p, *g}, lambda x: scaled(x, 1 / t)),
        "The two signs are the wrong way round: divide where z > 0, multiply where z <= 0."),
    "counts-repeats": (
        lambda z, p, g, t: each(z, [*p, *g], lambda x: scaled(x, t)),
        "The penalty was applied once per occurrence. A token counts once, however often it occurs."),
    "repetition-ignores-prompt": (
        lambda z, p, g, t: repetition(z, [], g, t),
        "Tokens of the prompt were left alone. This penalty looks at prompt and generated tokens."),
    "repetition-ignores-generated": (
        lambda z, p, g, t: repetition(z, p, [], t),
        "Generated tokens were left alone. This penalty looks at prompt and generated tokens."),
    "penalises-log-probs": (
        lambda z, p, g, t: repetition(normalised(z), p, g, t),
        "The logits were turned into log-probabilities first. The rule depends on where zero lies: apply it to the logits "
        "as they come."),
    "shifts-to-maximum": (
        lambda z, p, g, t: repetition([x - max(z) for x in z], p, g, t),
        "The largest logit was subtracted first. The rule depends on where zero lies: apply it to the logits as they come."),
    "subtracts-the-factor": (
        lambda z, p, g, t: each(z, {*p, *g}, lambda x: x - t),
        "The penalty was subtracted. This one scales: divide where z > 0, multiply where z <= 0."),
    "penalises-every-token": (
        lambda z, p, g, t: [scaled(x, t) for x in z],
        "Tokens that never occurred were punished too."),
}


def presence(row: Row, prompt: list[int], generated: list[int], penalty: float) -> Row:
    """Oracle: once per distinct generated token."""
    return each(row, set(generated), lambda z: z - penalty)


def frequency(row: Row, prompt: list[int], generated: list[int], penalty: float) -> Row:
    """Oracle: once per generated occurrence."""
    return each(row, generated, lambda z: z - penalty)


WRONG_PRESENCE: dict[str, tuple[Rule, str]] = {
    "presence-per-occurrence": (
        frequency,
        "The penalty was subtracted at each occurrence. That is the frequency penalty; presence is subtracted once."),
    "presence-counts-prompt": (
        lambda z, p, g, a: presence(z, p, [*p, *g], a),
        "Tokens of the prompt were punished too. Presence looks at generated tokens only."),
    "presence-counts-prompt-occurrences": (
        lambda z, p, g, a: frequency(z, p, [*p, *g], a),
        "The penalty was subtracted at each occurrence, in the prompt too. Presence: once, generated tokens only."),
    "presence-on-prompt-only": (
        lambda z, p, g, a: presence(z, p, p, a),
        "Tokens of the prompt were punished instead of the generated ones."),
    "presence-added": (
        lambda z, p, g, a: presence(z, p, g, -a),
        "The penalty was added. A positive penalty makes a token less likely: subtract it."),
    "presence-scales": (
        lambda z, p, g, a: repetition(z, [], g, a) if a > 0 else list(z),
        "The logit was scaled. Scaling is the repetition penalty; presence subtracts."),
    "presence-on-every-token": (
        lambda z, p, g, a: [x - a for x in z],
        "The penalty was subtracted from every token. That changes no probability: punish what was generated only."),
}
WRONG_FREQUENCY: dict[str, tuple[Rule, str]] = {
    "frequency-once": (
        presence,
        "The penalty was subtracted once per token. That is the presence penalty; frequency counts occurrences."),
    "frequency-counts-prompt": (
        lambda z, p, g, a: frequency(z, p, [*p, *g], a),
        "Occurrences in the prompt were counted too. Frequency looks at generated tokens only."),
    "frequency-on-prompt-only": (
        lambda z, p, g, a: frequency(z, p, p, a),
        "Occurrences in the prompt were counted instead of the generated ones."),
    "frequency-added": (
        lambda z, p, g, a: frequency(z, p, g, -a),
        "The penalty was added. A positive penalty makes a token less likely: subtract it."),
    "frequency-as-share": (
        lambda z, p, g, a: frequency(z, p, g, a / max(1, len(g))),
        "The count was divided by the length of the text. Frequency here means the number of occurrences."),
}


def completing(text: list[int], n: int) -> set[int]:
    """Tokens that followed the last n - 1 tokens of the text somewhere in it."""
    return {text[i + n - 1] for i in range(len(text) - n + 1) if text[i:i + n - 1] == text[len(text) - n + 1:]}


def without(row: Row, tokens: set[int], value: float = -math.inf) -> Row:
    return each(row, tokens, lambda _: value)


def ban(row: Row, prompt: list[int], generated: list[int], n: int) -> Row:
    """Oracle: over prompt and generated together."""
    return without(row, completing([*prompt, *generated], n))


def _first(text: list[int], n: int, last: bool = False) -> set[int]:
    places = [i for i in range(len(text) - n + 1) if text[i:i + n - 1] == text[len(text) - n + 1:]]
    return {text[places[-1 if last else 0] + n - 1]} if places else set()


def _unordered(text: list[int], n: int) -> set[int]:
    end = sorted(text[len(text) - n + 1:])
    return {text[i + n - 1] for i in range(len(text) - n + 1) if sorted(text[i:i + n - 1]) == end}


def _by_one_token(text: list[int], n: int) -> set[int]:
    return {text[i + n - 1] for i in range(len(text) - n + 1) if text[i + n - 2] == text[-1]} if n > 1 else set(text)


WRONG_BAN: dict[str, tuple[Rule, str]] = {
    "ngram-one-longer": (
        lambda z, p, g, n: ban(z, p, g, n + 1),
        "Off by one: the last n tokens were compared, so only (n + 1)-grams are forbidden. Compare the last n - 1."),
    "ngram-one-shorter": (
        lambda z, p, g, n: ban(z, p, g, max(1, n - 1)),
        "Off by one: the last n - 2 tokens were compared, so (n - 1)-grams are forbidden too. Compare the last n - 1."),
    "ngram-ignores-prompt": (
        lambda z, p, g, n: ban(z, [], g, n),
        "Only the generated text was searched. The prompt and the border between the two count as well."),
    "ngram-ignores-generated": (
        lambda z, p, g, n: ban(z, p, [], n),
        "Only the prompt was searched. The generated text counts as well."),
    "ngram-ignores-border": (
        lambda z, p, g, n: without(z, {
            b for text in (p, g) for i in range(len(text) - n + 1) for b in [text[i + n - 1]]
            if text[i:i + n - 1] == [*p, *g][len(p) + len(g) - n + 1:]}),
        "Prompt and generated text were searched one by one; n-grams across the border between them were missed."),
    "ngram-first-match-only": (
        lambda z, p, g, n: without(z, _first([*p, *g], n)),
        "Only the first earlier place was used. Every token that ever followed there is forbidden."),
    "ngram-last-match-only": (
        lambda z, p, g, n: without(z, _first([*p, *g], n, last=True)),
        "Only the latest earlier place was used. Every token that ever followed there is forbidden."),
    "ngram-last-token-only": (
        lambda z, p, g, n: without(z, _by_one_token([*p, *g], n)),
        "Only the last token was compared. All of the last n - 1 tokens must match, in order."),
    "ngram-any-order": (
        lambda z, p, g, n: without(z, _unordered([*p, *g], n)),
        "The last n - 1 tokens were compared without their order."),
    "ngram-bans-context": (
        lambda z, p, g, n: without(z, set([*p, *g][len(p) + len(g) - n + 1:]) if completing([*p, *g], n) else set()),
        "The last n - 1 tokens themselves were forbidden, not the token that would follow them."),
    "ngram-bans-every-seen-token": (
        lambda z, p, g, n: without(z, {*p, *g}),
        "Every token of the text was forbidden. Only those that complete a seen n-gram are."),
    "ngram-sets-zero": (
        lambda z, p, g, n: without(z, completing([*p, *g], n), 0.0),
        "Forbidden tokens got the logit 0, which is an ordinary logit. Use -inf."),
}
