"""From logits to a token: the rules a language model is decoded with.

A model gives logits: one number for each token of the vocabulary. Every function here either reshapes them
(temperature, top-k, top-p, min-p) or picks from them (greedy, sample, generate, beam_search). A reshaping
function returns new logits; a token it removes gets -inf. It never changes its input.
Penalties for repeated tokens are not here but in `penalties`.

Shapes: (..., V) means any number of leading dimensions, also none; V is the size of the vocabulary.
Every row has at least one finite logit; -inf marks a token that is already removed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

Model = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""model(ids, attention_mask) -> (B, V): logits of the token after the last column.

Both are (B, T) int64; the mask is 1 on real tokens and 0 on padding.
"""


def log_probs(logits: torch.Tensor) -> torch.Tensor:
    """Log-probabilities: z - log(sum(exp(z))) along the last dimension.

    Large logits must not overflow, and an unlikely token must not become -inf: log(softmax(z)) does, when the
    probability is too small for the dtype. A logit of -inf stays -inf.

    logits: (..., V) float. Returns (..., V), same dtype.
    Source: softmax, Goodfellow et al. 2016, "Deep Learning", equation 6.29, and its logarithm, equation 6.30.

    >>> log_probs(torch.tensor([500.0, 500.0, 0.0]))
    tensor([  -0.6931,   -0.6931, -500.6931])
    """
    ### BEGIN SOLUTION
    return logits.log_softmax(dim=-1)
    ### END SOLUTION


def greedy(logits: torch.Tensor) -> torch.Tensor:
    """The most likely token of every row; among equal logits the lowest id.

    logits: (..., V) float. Returns (...) int64: the token ids.

    >>> greedy(torch.tensor([[0.1, 2.0, -1.0], [3.0, 0.0, 3.0]]))
    tensor([1, 0])
    """
    ### BEGIN SOLUTION
    return logits.argmax(dim=-1)
    ### END SOLUTION


def apply_temperature(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    """Divide the logits by a temperature T: below 1 the distribution gets sharper, above 1 flatter.

    The two limits are allowed. T = 0 is greedy: the most likely token (the first, among equals) gets 0, all
    others -inf. T = inf is uniform: every finite logit becomes 0. A logit of -inf stays -inf at every T.

    logits: (..., V) float; temperature: >= 0, may be inf. Returns (..., V), same dtype.
    Raises ValueError, naming the temperature, if it is negative or NaN.
    Source: Ackley, Hinton and Sejnowski 1985, "A learning algorithm for Boltzmann machines".

    >>> apply_temperature(torch.tensor([1.0, 3.0, 2.0]), 0.5)
    tensor([2., 6., 4.])
    >>> apply_temperature(torch.tensor([1.0, 3.0, 2.0]), 0.0)
    tensor([-inf, 0., -inf])
    """
    ### BEGIN SOLUTION
    if not temperature >= 0:
        raise ValueError(f"temperature must be 0 or more, got {temperature}; use 0 for greedy decoding")
    if temperature == 0:
        return torch.full_like(logits, float("-inf")).scatter(-1, greedy(logits).unsqueeze(-1), 0.0)
    if temperature == float("inf"):
        return torch.zeros_like(logits).masked_fill(logits == float("-inf"), float("-inf"))
    return (logits.double() / temperature).to(logits.dtype)
    ### END SOLUTION


def top_k(logits: torch.Tensor, k: int) -> torch.Tensor:
    """Keep the k largest logits of every row; tokens that tie with the k-th are kept too.

    logits: (..., V) float; k: int >= 1, k >= V keeps all. Returns (..., V), same dtype: kept logits
    unchanged, the others -inf. Raises ValueError, naming k, below 1 or if it is not an int.
    Source: Fan et al. 2018, "Hierarchical neural story generation", section 5.4; ties as in Hugging Face's
    TopKLogitsWarper.

    >>> top_k(torch.tensor([1.0, 4.0, 2.0, 3.0]), 2)
    tensor([-inf, 4., -inf, 3.])
    """
    ### BEGIN SOLUTION
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise ValueError(f"k must be an int of 1 or more, got {k!r}; use k=1 for greedy decoding")
    smallest = logits.topk(min(k, logits.shape[-1]), dim=-1).values[..., -1:]  # (..., 1): the k-th largest
    return logits.masked_fill(logits < smallest, float("-inf"))
    ### END SOLUTION


def top_p(logits: torch.Tensor, p: float) -> torch.Tensor:
    """Nucleus sampling: keep the smallest set of most likely tokens whose probabilities sum to at least p.

    The token with which the sum reaches p is kept, so at least one token always is; p = 1 keeps all.
    Among equal probabilities either may be kept.

    logits: (..., V) float; p: in (0, 1]. Returns (..., V), same dtype: kept logits unchanged, rest -inf.
    Raises ValueError, naming p, outside (0, 1].
    Source: Holtzman et al. 2020, "The curious case of neural text degeneration", section 3.1.

    >>> top_p(torch.tensor([0.5, 0.3, 0.2]).log(), 0.7).exp()
    tensor([0.5000, 0.3000, 0.0000])
    """
    ### BEGIN SOLUTION
    if not 0 < p <= 1:
        raise ValueError(f"p must lie in (0, 1], got {p}; use p=1 to keep every token")
    if p == 1:
        return logits.clone()
    ordered, order = logits.sort(dim=-1, descending=True)
    probs = ordered.softmax(dim=-1, dtype=torch.float64)
    before = probs.cumsum(dim=-1) - probs  # mass of the tokens that come earlier
    cut = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, before >= p)
    return logits.masked_fill(cut, float("-inf"))
    ### END SOLUTION


def top_k_top_p(logits: torch.Tensor, k: int, p: float) -> torch.Tensor:
    """First keep the k largest logits, then the nucleus of mass p of what is left.

    The order matters: after top-k the probabilities are those of the kept tokens alone, which sum to 1 again.
    So the nucleus holds no more tokens than the one of the whole vocabulary, and often fewer.

    logits: (..., V) float; k as in `top_k`, p as in `top_p`. Returns (..., V), same dtype.
    Raises ValueError as these two do.
    Source: the order of Hugging Face's `generate`: temperature, top-k, top-p.

    >>> top_k_top_p(torch.tensor([0.4, 0.3, 0.2, 0.1]).log(), 2, 0.5).exp()
    tensor([0.4000, 0.0000, 0.0000, 0.0000])
    """
    ### BEGIN SOLUTION
    return top_p(top_k(logits, k), p)
    ### END SOLUTION


def min_p(logits: torch.Tensor, min_p: float) -> torch.Tensor:
    """Keep the tokens that are at least `min_p` times as likely as the most likely one.

    Where the model is sure few tokens stay, where it is not, many. min_p = 0 keeps all; min_p = 1 keeps the
    most likely token and its equals.

    logits: (..., V) float; min_p: in [0, 1]. Returns (..., V), same dtype: kept logits unchanged, rest -inf.
    Raises ValueError, naming min_p, outside [0, 1].
    Source: Nguyen et al. 2024, "Turning up the heat: min-p sampling for creative and coherent LLM outputs".

    >>> min_p(torch.tensor([0.5, 0.3, 0.15, 0.05]).log(), 0.2).exp()
    tensor([0.5000, 0.3000, 0.1500, 0.0000])
    """
    ### BEGIN SOLUTION
    if not 0 <= min_p <= 1:
        raise ValueError(f"min_p must lie in [0, 1], got {min_p}; use min_p=0 to keep every token")
    probs = logits.softmax(dim=-1, dtype=torch.float64)
    return logits.masked_fill(probs < min_p * probs.amax(dim=-1, keepdim=True), float("-inf"))
    ### END SOLUTION


def sample(logits: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Draw one token for every row, with probabilities softmax(logits).

    All randomness comes from `generator`: the same seed gives the same tokens, and torch's global random
    numbers are neither used nor advanced. Every row has a draw of its own. A token of probability 0 is never
    drawn.

    logits: (..., V) float; generator: on the same device. Returns (...) int64: the token ids.
    Source: inverse transform sampling, Devroye 1986, "Non-uniform random variate generation", chapter III.2.

    >>> logits = torch.tensor([0.0, 1.0, 0.0]).log().expand(4, 3)
    >>> sample(logits, torch.Generator().manual_seed(0))
    tensor([1, 1, 1, 1])
    """
    ### BEGIN SOLUTION
    cdf = logits.softmax(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    total = cdf[..., -1:]  # 1, up to rounding
    u = torch.rand(total.shape, generator=generator, dtype=torch.float64, device=logits.device) * total
    token = torch.searchsorted(cdf, u, right=True)  # the first token whose cdf lies above u
    return token.minimum((cdf < total).sum(dim=-1, keepdim=True)).squeeze(-1)  # u may round up to the total
    ### END SOLUTION


### BEGIN SOLUTION
def _left_padded(prompts: Sequence[list[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """ids and attention_mask, both (B, T), T the longest prompt; padded on the left: every row ends at T."""
    width = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad_id] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    return ids, mask


def _pick(logits: torch.Tensor, temperature: float, k: int | None, p: float | None,
          generator: torch.Generator | None) -> torch.Tensor:
    """One token for each row (B, V) -> (B,), in the order temperature, top-k, top-p."""
    if temperature == 0:
        return greedy(logits)
    logits = apply_temperature(logits, temperature)
    if k is not None:
        logits = top_k(logits, k)
    if p is not None:
        logits = top_p(logits, p)
    return sample(logits, generator)


def _why_ended(tokens: list[int], eos_id: int | None, stop: Sequence[str],
               pieces: Sequence[bytes] | None) -> str:
    """"eos", "stop", or "" if the row goes on after these new tokens."""
    if tokens[-1] == eos_id:
        return "eos"
    text = b"".join(pieces[token] for token in tokens) if stop else b""
    return "stop" if any(word.encode() in text for word in stop) else ""


### END SOLUTION
def generate(model: Model, prompts: Sequence[list[int]], *, max_new_tokens: int, temperature: float = 0.0,
             k: int | None = None, p: float | None = None, generator: torch.Generator | None = None,
             eos_id: int | None = None, pad_id: int = 0, stop: Sequence[str] = (),
             pieces: Sequence[bytes] | None = None) -> list[tuple[list[int], str]]:
    """Continue every prompt, one token at a time, all rows in one batch.

    Each step calls the model once with ids and mask (B, T), then picks a token for every row: greedy at
    temperature 0; else temperature, top-k (if k), top-p (if p), sample. Shorter prompts are padded on the
    left with pad_id and mask 0. A row that has ended is fed pad_id with mask 0, and what the model says of it
    is ignored. The loop ends as soon as every row has.

    A row ends with the reason
      "eos"     after the token eos_id,
      "stop"    after the token that completes a string of `stop` in the row's new text. The new text is the
                bytes `pieces[token]` of its new tokens, joined: a stop string, even one character of it,
                may be spread over several tokens. The prompt does not count,
      "length"  after max_new_tokens tokens.
    The token that ends the row is part of the result. If several hold, "eos" wins over "stop" over "length".

    prompts: B lists of token ids, none empty; pieces: the bytes of each of the V tokens, needed for `stop`.
    Returns, in the order of the prompts, (new tokens, reason).
    Raises ValueError, naming the value, for max_new_tokens < 1, an empty prompt, an empty stop string, `stop`
    without `pieces`, and temperature > 0 without a generator.
    Source: Hugging Face's `generate` for order, padding and EOS; `StopStringCriteria` for stop strings.

    >>> def count(ids, attention_mask):  # a model that counts: the next token is the last one plus 1
    ...     return torch.nn.functional.one_hot(ids[:, -1] + 1, 6).float()
    >>> generate(count, [[0], [1, 2]], max_new_tokens=3, eos_id=4)
    [([1, 2, 3], 'length'), ([3, 4], 'eos')]
    >>> generate(count, [[0]], max_new_tokens=5, stop=["bc"], pieces=[b"?", b"ab", b"c", b"d", b"e", b"f"])
    [([1, 2], 'stop')]
    """
    ### BEGIN SOLUTION
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be 1 or more, got {max_new_tokens}")
    if not all(len(prompt) for prompt in prompts):
        raise ValueError(f"every prompt needs at least one token, got {list(prompts)}; put BOS first")
    if not all(stop) or (stop and pieces is None):
        raise ValueError(f"stop strings must not be empty and need pieces, got stop={stop}, pieces={pieces}")
    if temperature != 0 and generator is None:
        raise ValueError(f"temperature {temperature} needs generator=torch.Generator(), got None")
    if not prompts:
        return []
    ids, mask = _left_padded(prompts, pad_id)
    new: list[list[int]] = [[] for _ in prompts]
    why = ["" for _ in prompts]
    for _ in range(max_new_tokens):
        chosen = _pick(model(ids, mask), temperature, k, p, generator)  # (B,)
        live = torch.tensor([not reason for reason in why])
        for row in live.nonzero().flatten().tolist():
            new[row].append(int(chosen[row]))
            why[row] = _why_ended(new[row], eos_id, stop, pieces)
        if all(why):
            break
        ids = torch.cat([ids, chosen.where(live, pad_id).unsqueeze(1)], dim=1)
        mask = torch.cat([mask, live.long().unsqueeze(1)], dim=1)
    return [(tokens, reason or "length") for tokens, reason in zip(new, why, strict=True)]
    ### END SOLUTION


def beam_search(model: Model, prompt: list[int], *, beams: int, max_new_tokens: int,
                eos_id: int | None = None, length_penalty: float = 1.0) -> list[tuple[float, list[int]]]:
    """Search for the most likely continuations of a prompt, keeping `beams` of them alive at every step.

    Each step calls the model once for all live beams and ranks all their one-token continuations by summed
    log-probability. Those among the best `beams` that end in eos_id are finished: they are kept aside and
    grow no more. The best `beams` that do not end in eos_id are the live beams of the next step. Nothing
    stops early: the search goes on until max_new_tokens, or until no beam is alive. Then all compete by

        score = (sum of log-probabilities) / (number of new tokens, EOS included) ** length_penalty

    prompt: token ids, not empty. Returns the best `beams` hypotheses (fewer if there are fewer of probability
    above 0) as (score, new tokens), best first. Raises ValueError, naming the value, for beams or
    max_new_tokens < 1 and for an empty prompt.
    Source: Hugging Face's `generate` with num_beams and early_stopping="never".

    >>> table = torch.tensor([[0.0, 0.6, 0.4], [0.4, 0.3, 0.3], [0.0, 0.0, 1.0]])
    >>> def bigrams(ids, attention_mask):  # greedy would take token 1 first, and end at 0.6 * 0.4
    ...     return table[ids[:, -1]].log()
    >>> [(round(score, 3), tokens) for score, tokens in beam_search(bigrams, [0], beams=2, max_new_tokens=2)]
    [(-0.458, [2, 2]), (-0.714, [1, 0])]
    """
    ### BEGIN SOLUTION
    if beams < 1 or max_new_tokens < 1:
        raise ValueError(f"beams and max_new_tokens must be 1 or more, got {beams} and {max_new_tokens}")
    if not prompt:
        raise ValueError(f"the prompt needs at least one token, got {prompt}; put the BOS token first")
    live: list[tuple[float, list[int]]] = [(0.0, [])]  # (sum of log-probabilities, new tokens)
    finished: list[tuple[float, list[int]]] = []
    for _ in range(max_new_tokens):
        ids = torch.tensor([[*prompt, *tokens] for _, tokens in live])
        step = log_probs(model(ids, torch.ones_like(ids)).double())  # (live, V)
        sums = torch.tensor([total for total, _ in live], dtype=torch.float64).unsqueeze(1) + step
        # At most one EOS for each live beam, so 2 * beams candidates hold at least `beams` others.
        totals, places = (x[:2 * beams].tolist() for x in sums.flatten().sort(descending=True, stable=True))
        grown = []
        for rank, (total, place) in enumerate(zip(totals, places, strict=True)):
            beam, token = divmod(place, step.shape[1])
            if total == float("-inf"):
                break
            if token != eos_id:
                grown.append((total, [*live[beam][1], token]))
            elif rank < beams:
                finished.append((total, [*live[beam][1], token]))
        live = grown[:beams]
        if not live:
            break
    scored = [(total / len(tokens) ** length_penalty, tokens) for total, tokens in finished + live]
    return sorted(scored, key=lambda hypothesis: -hypothesis[0])[:beams]
    ### END SOLUTION
