"""Speculative decoding: a cheap draft proposes tokens, one pass of the target checks them, and nothing is lost.

Here are the rule that accepts or replaces a drafted token, three drafts, the loop with its caches, and what it
brings on paper. What is written has exactly the target's distribution. Speed is measured in `benchmarks`.

Shapes: B sequences, V vocabulary, gamma drafted tokens. p is the target's distribution, q the draft's. `rows`
are B lists of token ids: whole texts, or the new tokens only. A `session` is a model with its cache, as
`llmlab.models.session.Session`: feed(rows of new tokens) -> logits (B, T, V) after each of them, T of the
longest row and shorter rows at the right end; lengths() -> tokens held of each sequence; truncate(lengths)
keeps so many of each. All random numbers are given: uniform ones, from 0 to below 1.
"""

from __future__ import annotations

import torch
from torch import Tensor


def draw(probs: Tensor, uniform: Tensor) -> Tensor:
    """Given: a token for each row, the first whose cumulative probability exceeds the uniform number.

    probs: (..., V), uniform: (...). Returns int64 (...). Rounding never gives a token of probability 0.

    >>> draw(torch.tensor([[0.25, 0.0, 0.75], [0.25, 0.0, 0.75]]), torch.tensor([0.2, 0.25]))
    tensor([0, 2])
    """
    cumulative = probs.double().cumsum(-1)
    last = probs.shape[-1] - 1 - (probs > 0).flip(-1).long().argmax(-1)
    return torch.minimum((cumulative <= uniform.double().unsqueeze(-1)).sum(-1), last)


def distribution(logits: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0,
                 min_p: float = 0.0) -> Tensor:
    """The distribution that a token is drawn from: logits divided by T, then top-k, top-p and min-p, then softmax.

    Target and draft both go through this function, with the same settings: p and q of the acceptance rule are
    what is drawn from, not what the models said first. T = 0 is greedy decoding: 1 for the largest logit (the
    first of equals), 0 for the others. Each truncation looks at the softmax of what the one before it left:
    top_k keeps the k largest and equals of the k-th; top_p the fewest of the most likely tokens that sum to at
    least top_p; min_p those at least min_p times as likely as the most likely one. 0, 1.0 and 0.0 keep all.

    logits: (..., V) float, -inf allowed. Returns the same shape and dtype.
    Raises ValueError, naming the value, for a negative temperature or top_k, top_p outside (0, 1], min_p
    outside [0, 1].

    >>> distribution(torch.tensor([1.0, 3.0, 1.0, 0.0]).log(), top_k=1)
    tensor([0., 1., 0., 0.])
    >>> distribution(torch.tensor([0.5, 0.3, 0.2]).log(), top_p=0.6)
    tensor([0.6250, 0.3750, 0.0000])
    >>> distribution(torch.tensor([0.5, 0.3, 0.2]).log(), min_p=0.7)
    tensor([1., 0., 0.])
    >>> distribution(torch.tensor([[2.0, 5.0, 5.0]]), temperature=0.0)
    tensor([[0., 1., 0.]])
    """
    raise NotImplementedError(
        "Lab 5, task speculative.distribution: the distribution that a token is drawn from, for both "
        "models. Read part4/speculative.html#sec-processed"
    )


def accept_probability(p: Tensor, q: Tensor) -> Tensor:
    """With which probability each token is accepted, should the draft have proposed it: min(1, p / q).

    p, q: (..., V) distributions. Returns (..., V): 1 for a token that the draft never proposes, q = 0.
    Source: Leviathan et al. 2023, section 2.3.

    >>> accept_probability(torch.tensor([0.5, 0.5, 0.0]), torch.tensor([0.25, 0.75, 0.0]))
    tensor([1.0000, 0.6667, 1.0000])
    """
    raise NotImplementedError(
        "Lab 5, task speculative.accept_probability: the probability that a drafted token is accepted. "
        "Read part4/speculative.html#sec-acceptance"
    )


def residual(p: Tensor, q: Tensor) -> Tensor:
    """What to draw from when a drafted token was rejected: max(p - q, 0), divided by its sum.

    It is what the draft did not give often enough. Where p and q are equal nothing is left to divide; no token
    is rejected then, and p is returned.

    p, q: (..., V) distributions. Returns the same. Source: Leviathan et al. 2023, section 2.3.

    >>> p = torch.tensor([[0.2, 0.5, 0.3], [0.5, 0.5, 0.0]])
    >>> residual(p, torch.tensor([[0.6, 0.4, 0.0], [0.5, 0.5, 0.0]]))
    tensor([[0.0000, 0.2500, 0.7500],
            [0.5000, 0.5000, 0.0000]])
    """
    raise NotImplementedError(
        "Lab 5, task speculative.residual: what to draw from after a rejection. Read "
        "part4/speculative.html#sec-residual"
    )


def verify(p: Tensor, q: Tensor, drafted: Tensor, uniforms: Tensor) -> list[list[int]]:
    """Check the drafted tokens of every sequence, from left to right: the tokens that each sequence gains.

    Token i is accepted if uniforms[:, i] < min(1, p / q) at its place. The first one that is not is replaced
    by a draw from the residual there, and what was drafted behind it is dropped. If all are accepted, p of the
    last place gives one token more for nothing, the bonus. The draw uses the last uniform number in both
    cases. So every sequence gains between 1 and gamma + 1 tokens, each its own number.

    p: (B, gamma + 1, V), the last for the place behind the draft; q: (B, gamma, V); drafted: (B, gamma)
    int64, drawn from q; uniforms: (B, gamma + 1). Source: Leviathan et al. 2023, algorithm 1.

    >>> p = torch.tensor([[[0.5, 0.5], [0.5, 0.5]]]).repeat(2, 1, 1)
    >>> q = torch.tensor([[[1.0, 0.0]]]).repeat(2, 1, 1)
    >>> verify(p, q, torch.tensor([[0], [0]]), torch.tensor([[0.4, 0.7], [0.6, 0.1]]))
    [[0, 1], [1]]
    """
    raise NotImplementedError(
        "Lab 5, task speculative.verify: accept drafted tokens, replace the first rejected one, or add a "
        "bonus. Read part4/speculative.html#sec-verify"
    )


def acceptance_rate(p: Tensor, q: Tensor) -> Tensor:
    """The probability that a token drawn from q is accepted: sum of min(p, q), 1 minus the total variation.

    p, q: (..., V) distributions. Returns (...). Source: Leviathan et al. 2023, theorem 3.5.

    >>> acceptance_rate(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]))
    tensor(0.7500)
    """
    raise NotImplementedError(
        "Lab 5, task speculative.acceptance_rate: how often a drafted token is accepted. Read "
        "part4/speculative.html#sec-alpha"
    )


def expected_tokens(alpha: float, gamma: int) -> float:
    """The tokens that one target pass gives on average: (1 - alpha^(gamma + 1)) / (1 - alpha).

    Every drafted token is accepted with probability alpha, 0 to 1, whatever happened before; the token that
    replaces a rejected one, or the bonus, is counted. Source: Leviathan et al. 2023, equation 1.

    >>> round(expected_tokens(0.8, 4), 4), expected_tokens(1.0, 4), expected_tokens(0.8, 0)
    (3.3616, 5.0, 1.0)
    """
    raise NotImplementedError(
        "Lab 5, task speculative.expected_tokens: tokens that one target pass gives on average. Read "
        "part4/speculative.html#sec-expected-tokens"
    )


def speedup(alpha: float, gamma: int, cost: float, verify_cost: float = 1.0) -> float:
    """How many times faster than plain decoding: tokens of a pass over what the pass costs.

    The unit is a target pass over one token. Each of gamma draft passes costs `cost`; the target pass over
    gamma + 1 tokens costs `verify_cost`: 1 if it is bound by memory, more if it is not.
    Source: Leviathan et al. 2023, theorem 3.8 (verify_cost = 1).

    >>> round(speedup(0.8, 4, 0.1), 3), round(speedup(0.8, 4, 0.1, verify_cost=2.0), 3)
    (2.401, 1.401)
    """
    raise NotImplementedError(
        "Lab 5, task speculative.speedup: tokens of a pass over its cost. Read "
        "part4/speculative.html#sec-best-gamma"
    )


def best_gamma(alpha: float, cost: float, most: int = 16) -> int:
    """The gamma from 0 (do not speculate) to `most` with the largest speed-up, the smallest of equals.

    >>> best_gamma(0.8, 0.1), best_gamma(0.3, 0.5)
    (6, 0)
    """
    raise NotImplementedError(
        "Lab 5, task speculative.best_gamma: how many tokens to draft. Read "
        "part4/speculative.html#sec-best-gamma"
    )


class ModelDraft:
    """A smaller model as the draft, with a cache of its own in `session`.

    >>> from llmlab.models.session import Session
    >>> drafted, q = ModelDraft(Session("draft"), temperature=0.0).propose([[5, 6, 7]], torch.zeros(1, 4))
    >>> drafted.shape, q.shape, q.max().item()
    (torch.Size([1, 4]), torch.Size([1, 4, 2048]), 1.0)
    """

    def __init__(self, session, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0,
                 min_p: float = 0.0) -> None:
        self.session, self.settings = session, (temperature, top_k, top_p, min_p)

    def propose(self, rows: list[list[int]], uniforms: Tensor) -> tuple[Tensor, Tensor]:
        """Draft gamma tokens behind each of the texts, one by one: (drafted (B, gamma) int64, q (B, gamma, V)).

        Token i is the `draw` of `distribution` under the settings with uniforms[:, i]; q is what it was drawn from.

        rows: whole texts; they go on from those of the last call: some of the tokens drafted then, and one
        more. So the cache may hold rejected tokens, and lack up to two that are in the text. Whatever it
        holds of the texts without their last token is right: keep that, and feed the rest. uniforms: (B, gamma).
        """
        raise NotImplementedError(
            "Lab 5, task speculative.ModelDraft: draft tokens with a smaller model and its cache. Read "
            "part4/drafts.html#sec-model-draft"
        )


class LookupDraft:
    """A draft without a model: what followed the last time that the text's last n tokens came up.

    Source: Saxena 2023, "Prompt lookup decoding".

    >>> drafted, q = LookupDraft(2, vocab_size=10).propose([[1, 2, 3, 4, 1, 2]], torch.zeros(1, 3))
    >>> drafted, q.shape, q[0, 0, 3]
    (tensor([[3, 4, 1]]), torch.Size([1, 3, 10]), tensor(1.))
    """

    def __init__(self, n: int, vocab_size: int) -> None:
        self.n, self.vocab_size = n, vocab_size

    def lookup(self, tokens: list[int], gamma: int) -> list[int]:
        """Up to gamma tokens that followed the newest earlier place where the last n tokens stand.

        If there is none, the last n - 1 tokens are looked up, and so on down to one; if that is new too, the
        result is empty. The continuation may run into the last n tokens themselves, not over the end.
        """
        raise NotImplementedError(
            "Lab 5, task speculative.LookupDraft: draft what followed the same tokens earlier in the "
            "text. Read part4/drafts.html#sec-lookup"
        )

    def propose(self, rows: list[list[int]], uniforms: Tensor) -> tuple[Tensor, Tensor]:
        """`lookup` for each text, filled up to gamma tokens with its last token, or the text's if there is none.

        Nothing is drawn: q (B, gamma, V) float32 is 1 for the drafted token. gamma is the width of uniforms.
        """
        raise NotImplementedError(
            "Lab 5, task speculative.LookupDraft: draft what followed the same tokens earlier in the "
            "text. Read part4/drafts.html#sec-lookup"
        )


class EarlyExit:
    """The first layers of a model as a session of its own, so that a model can draft for itself.

    `stack` is a session in parts: embed(rows) -> x (B, T, D); layer(index, x) -> x, which also adds to that
    layer's cache; logits(x) -> (B, T, V), the last norm included; lengths() and truncate(lengths) as always.
    Source: Zhang et al. 2024, "Draft & Verify"; Elhoushi et al. 2024, "LayerSkip".

    >>> from llmlab.models.session import Session
    >>> half = EarlyExit(Session("target"), layers=2)
    >>> half.feed([[5, 6, 7]]).shape, half.lengths()
    (torch.Size([1, 3, 2048]), [3])
    """

    def __init__(self, stack, layers: int) -> None:
        self.stack, self.layers = stack, layers

    def feed(self, rows: list[list[int]]) -> Tensor:
        """Logits (B, T, V) after the first `layers` layers; the others are not run."""
        raise NotImplementedError(
            "Lab 5, task speculative.EarlyExit: a draft from the first layers of the model itself. Read "
            "part4/drafts.html#sec-early-exit"
        )

    def lengths(self) -> list[int]:
        """Given: how many tokens of each sequence are held."""
        return self.stack.lengths()

    def truncate(self, lengths: list[int]) -> None:
        """Given: keep so many tokens of each sequence and forget the rest."""
        self.stack.truncate(lengths)


def generate(target, draft, prompts: list[list[int]], max_new_tokens: int, gamma: int, dice,
             temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0, min_p: float = 0.0,
             eos_id: int | None = None) -> list[list[int]]:
    """Continue prompts: in every pass gamma tokens are drafted and checked, until every row is done.

    A pass: draft.propose(texts so far, dice.uniform(B, gamma)); one feed of the target, with the tokens of
    each text that it does not hold yet and the drafted ones (the first time, the whole prompt); `verify` with
    dice.uniform(B, gamma + 1); then the target forgets what was rejected. The token that a pass adds at the
    end has not been fed: it goes first in the next one.

    A row is done when it has max_new_tokens new tokens or the token eos_id, which is kept as its last; what a
    pass gained behind that is dropped. Rows that are done ride along until all are.

    target: a session, empty; draft: propose(rows, uniforms) as above, with the same four settings;
    dice.uniform(rows, columns) -> (rows, columns) float64. Returns the new tokens of each row.

    >>> from llmlab.models.session import Dice, Session
    >>> target, prompt = Session("target"), [[5, 6, 7, 5, 6]]
    >>> new = generate(target, LookupDraft(2, 2048), prompt, 6, 3, Dice(0), temperature=0.0)
    >>> len(new[0]), target.passes <= 6, target.lengths()[0] <= 5 + 6 + 3
    (6, True, True)
    """
    raise NotImplementedError(
        "Lab 5, task speculative.generate: the whole loop: draft, check, take back, until every row is "
        "done. Read part4/speculative.html#sec-loop"
    )
