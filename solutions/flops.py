"""FLOPs, bytes and seconds: what a token costs, worked out from shapes alone. No model runs here.

A FLOP is one addition or one multiplication. Only matrix products count, which are nearly all of the work: softmax,
norms, activations, biases and embedding look-ups are left out. Attention counts every query against every key of its
context, also those that a causal mask hides: this is what torch's FlopCounterMode counts.

A `model` is a plain dict of shapes (`llmlab.models.shapes.MODELS` has many):

    layers, hidden             L decoder layers of width D
    heads, kv_heads, head_dim  N query heads and K key/value heads of H numbers each; N * H need not be D
    mlp, gated                 the MLP's width F; gated: three maps (gate, up, down), otherwise two (up, down)
    vocab, tied                V tokens; tied: lm_head is the token embedding itself, no second matrix
    positions                  rows of a learned position embedding, 0 without one
    bias                       True: all linear maps but lm_head, and all norms, have a bias; False: none has

An `accelerator` is {"flops": peak FLOP/s, "bandwidth": bytes/s of its memory, "memory": bytes}.
Lengths count tokens. Counts of FLOPs and parameters are ints. Nothing changes its input.
"""

from __future__ import annotations

TINY = {"layers": 2, "hidden": 8, "heads": 4, "kv_heads": 2, "head_dim": 2, "mlp": 20, "gated": True, "vocab": 50,
        "tied": False, "positions": 0, "bias": False}
"""A model small enough to count by hand; the examples use it."""


def matmul_flops(m: int, n: int, p: int) -> int:
    """FLOPs of a matrix product (m, n) x (n, p): n multiplications and n additions for each number of the result.

    (n - 1 additions would do; everybody counts n, for a fused multiply-add starts from 0.)

    >>> matmul_flops(2, 3, 4)
    48
    """
    ### BEGIN SOLUTION
    return 2 * m * n * p
    ### END SOLUTION


def attention_flops(model: dict, batch: int, new: int, context: int) -> dict[str, int]:
    """FLOPs of self-attention in one layer, by step, when `new` tokens per sequence attend to `context` tokens.

    The context includes the new tokens. Prefill has new == context; a decode step with a cache has new == 1, and K and
    V of the older tokens are read, not computed. Keys of the result: "q", "k", "v" (projections of the new tokens),
    "scores" (queries times keys, all query heads), "values" (weights times values), "output" (back to the width D).

    Raises ValueError, naming the context, if it is shorter than `new`.
    Source: Kaplan et al. 2020, "Scaling laws for neural language models", table 1, with kv heads.

    >>> attention_flops(TINY, batch=1, new=3, context=5)
    {'q': 384, 'k': 192, 'v': 192, 'scores': 240, 'values': 240, 'output': 384}
    """
    ### BEGIN SOLUTION
    if context < new:
        raise ValueError(f"the context holds the {new} new tokens too, so it cannot be {context}")
    hidden, rows = model["hidden"], batch * new
    queries, keys = model["heads"] * model["head_dim"], model["kv_heads"] * model["head_dim"]
    heads = batch * model["heads"]
    return {
        "q": matmul_flops(rows, hidden, queries),
        "k": matmul_flops(rows, hidden, keys),
        "v": matmul_flops(rows, hidden, keys),
        "scores": heads * matmul_flops(new, model["head_dim"], context),
        "values": heads * matmul_flops(new, context, model["head_dim"]),
        "output": matmul_flops(rows, queries, hidden),
    }
    ### END SOLUTION


def mlp_flops(model: dict, tokens: int) -> int:
    """FLOPs of the MLP of one layer for this many tokens: two maps between D and F, or three if it is gated.

    >>> mlp_flops(TINY, tokens=3), mlp_flops({"hidden": 8, "mlp": 32, "gated": False}, tokens=3)
    (2880, 3072)
    """
    ### BEGIN SOLUTION
    return (3 if model["gated"] else 2) * matmul_flops(tokens, model["hidden"], model["mlp"])
    ### END SOLUTION


def layer_flops(batch: int, seq: int, hidden: int) -> int:
    """FLOPs of a decoder layer of the textbook in closed form: prefill, N * H = D, K = N, F = 4 D, no gate.

    With b, s and h for the arguments it is a polynomial in them. Derive it; do not call the functions above.

    >>> layer_flops(1, 2, 3)
    480
    """
    ### BEGIN SOLUTION
    return 24 * batch * seq * hidden**2 + 4 * batch * seq**2 * hidden
    ### END SOLUTION


def forward_flops(model: dict, batch: int, new: int, context: int, logits: int = 1) -> int:
    """FLOPs of one forward pass of the whole model: all layers, and lm_head at the last `logits` new positions.

    To generate, one position per sequence is enough (logits=1); training and scoring need logits=new. The product
    with lm_head costs the same whether its matrix is tied or not; looking up an embedding costs nothing.

    >>> forward_flops(TINY, batch=1, new=3, context=5)
    9824
    """
    ### BEGIN SOLUTION
    layer = sum(attention_flops(model, batch, new, context).values()) + mlp_flops(model, batch * new)
    return model["layers"] * layer + matmul_flops(batch * logits, model["hidden"], model["vocab"])
    ### END SOLUTION


def generation_flops(model: dict, prompt: int, tokens: int, cache: bool) -> dict[str, int]:
    """FLOPs to generate `tokens` tokens after a prompt, one sequence: {"prefill": ..., "decode": ...}.

    The first token comes from the prefill, a pass over the prompt. Each later one needs another pass, whose context is
    one token longer than that of the pass before; the last token is never fed in. With a cache such a pass takes the
    newest token only, without one the whole text so far. Every pass applies lm_head at its last position only.

    >>> generation_flops(TINY, prompt=3, tokens=3, cache=True)
    {'prefill': 9440, 'decode': 7552}
    >>> generation_flops(TINY, prompt=3, tokens=3, cache=False)
    {'prefill': 9440, 'decode': 28416}
    """
    ### BEGIN SOLUTION
    lengths = range(prompt + 1, prompt + tokens)
    decode = (forward_flops(model, 1, 1 if cache else length, length) for length in lengths)
    return {"prefill": forward_flops(model, 1, prompt, prompt), "decode": sum(decode)}
    ### END SOLUTION


def parameters(model: dict) -> dict[str, int]:
    """How many numbers the model has learned, by part; the sum is the size that its name tells.

    Keys: "embeddings" (tokens, and positions if learned), "attention" and "mlp" (of all layers), "norms" (two per
    layer and a last one; D numbers each, twice that with bias), "lm_head" (0 if tied). A map's bias counts with its
    part: one number for each output.

    >>> parameters(TINY)
    {'embeddings': 400, 'attention': 384, 'mlp': 960, 'norms': 40, 'lm_head': 400}
    """
    ### BEGIN SOLUTION
    hidden, layers, mlp, bias = model["hidden"], model["layers"], model["mlp"], int(model["bias"])
    queries, keys = model["heads"] * model["head_dim"], model["kv_heads"] * model["head_dim"]
    into = 2 if model["gated"] else 1  # maps from D to F
    return {
        "embeddings": (model["vocab"] + model["positions"]) * hidden,
        "attention": layers * (2 * hidden * (queries + keys) + bias * (queries + 2 * keys + hidden)),
        "mlp": layers * ((into + 1) * hidden * mlp + bias * (into * mlp + hidden)),
        "norms": (2 * layers + 1) * hidden * (1 + bias),
        "lm_head": 0 if model["tied"] else model["vocab"] * hidden,
    }
    ### END SOLUTION


def kv_cache_bytes(model: dict, batch: int, context: int, bytes_per_value: float = 2) -> float:
    """Bytes of the KV cache: a key and a value of H numbers for each layer, kv head, token and sequence.

    bytes_per_value: 2 for float16 and bfloat16, 1 for 8 bits, 0.5 for 4.

    >>> kv_cache_bytes(TINY, batch=3, context=10)
    960
    """
    ### BEGIN SOLUTION
    return 2 * model["layers"] * model["kv_heads"] * model["head_dim"] * batch * context * bytes_per_value
    ### END SOLUTION


def matmul_intensity(rows: int, inner: int, columns: int, bytes_per_value: float = 2,
                     weight_bytes: float | None = None) -> float:
    """Arithmetic intensity, FLOPs per byte moved, of activations (rows, inner) times weights (inner, columns).

    Both factors are read once and the result is written once. weight_bytes: bytes of a number of the weights, if other
    than `bytes_per_value`, which holds for the activations and the result.

    >>> matmul_intensity(4, 4, 4), matmul_intensity(1, 64, 64)
    (1.3333333333333333, 0.9696969696969697)
    """
    ### BEGIN SOLUTION
    weight_bytes = bytes_per_value if weight_bytes is None else weight_bytes
    moved = bytes_per_value * rows * (inner + columns) + weight_bytes * inner * columns
    return matmul_flops(rows, inner, columns) / moved
    ### END SOLUTION


def mlp_intensity(model: dict, tokens: int, bytes_per_value: float = 2) -> float:
    """Arithmetic intensity of one MLP for this many tokens, in all sequences together.

    Moved once each: the input (read), the matrices (read), the result of each map from D to F (written), and the
    output (written). Activation, product with the gate, and reading what was just written are fused away.
    Source: Stanford CS336, spring 2025, lecture 10.

    >>> mlp_intensity({"hidden": 64, "mlp": 256, "gated": True}, tokens=1)
    0.987146529562982
    """
    ### BEGIN SOLUTION
    into = 2 if model["gated"] else 1
    values = 2 * tokens * model["hidden"] + into * tokens * model["mlp"] + (into + 1) * model["hidden"] * model["mlp"]
    return mlp_flops(model, tokens) / (bytes_per_value * values)
    ### END SOLUTION


def attention_intensity(model: dict, new: int, context: int, bytes_per_value: float = 2) -> float:
    """Arithmetic intensity of scores and values in one layer: `new` tokens attend to `context` tokens.

    As in FlashAttention: queries, keys and values are read once, the result is written once, the scores never reach
    the memory. Keys and values have kv heads, which several query heads share. The number of sequences cancels: each
    has its own cache. Source: Stanford CS336, spring 2025, lecture 10, with kv heads.

    >>> attention_intensity({"heads": 4, "kv_heads": 4, "head_dim": 2}, new=1, context=3)
    0.75
    """
    ### BEGIN SOLUTION
    flops = 4 * model["heads"] * new * context  # head_dim cancels
    return flops / (bytes_per_value * 2 * (model["heads"] * new + model["kv_heads"] * context))
    ### END SOLUTION


def roofline(accelerator: dict, flops: float, bytes_moved: float) -> dict[str, float | str]:
    """What an accelerator can do at best with this much work: arithmetic and transfers overlap perfectly.

    Keys: "intensity" (FLOPs per byte of the work), "bound" ("compute" if the arithmetic takes at least as long as the
    transfer, otherwise "memory"), "seconds" (time of the slower one), "flops_per_second" (attained in that time).

    Raises ValueError, naming the value, unless bytes_moved > 0.
    Source: Williams, Waterman and Patterson 2009, "Roofline".

    >>> roofline({"flops": 100, "bandwidth": 10}, flops=600, bytes_moved=120)
    {'intensity': 5.0, 'bound': 'memory', 'seconds': 12.0, 'flops_per_second': 50.0}
    """
    ### BEGIN SOLUTION
    if not bytes_moved > 0:
        raise ValueError(f"bytes_moved must be above 0, got {bytes_moved}; there is no work without data")
    compute, transfer = flops / accelerator["flops"], bytes_moved / accelerator["bandwidth"]
    seconds = max(compute, transfer)
    return {"intensity": flops / bytes_moved, "bound": "compute" if compute >= transfer else "memory",
            "seconds": seconds, "flops_per_second": flops / seconds}
    ### END SOLUTION


def decode_step(model: dict, accelerator: dict, batch: int, context: int,
                bytes_per_value: float = 2) -> dict[str, float]:
    """The best that one decode step can do: one new token for each of `batch` sequences, from a cache.

    The context counts the new token. Moved: all parameters once, for the whole batch, and the KV cache of every
    sequence. Computed: one forward pass. The slower of the two is the time. Keys: "bytes", "flops", "seconds",
    "tokens_per_second" (of all sequences together; one user sees 1 / seconds).
    Source: Stanford CS336, spring 2025, lecture 10, which leaves the arithmetic out.

    >>> decode_step(TINY, {"flops": 4e4, "bandwidth": 1e4}, batch=2, context=5)
    {'bytes': 4688, 'flops': 7616, 'seconds': 0.4688, 'tokens_per_second': 4.266211604095563}
    """
    ### BEGIN SOLUTION
    weights = sum(parameters(model).values()) * bytes_per_value
    moved = weights + kv_cache_bytes(model, batch, context, bytes_per_value)
    flops = forward_flops(model, batch, 1, context)
    seconds = roofline(accelerator, flops, moved)["seconds"]
    return {"bytes": moved, "flops": flops, "seconds": seconds, "tokens_per_second": batch / seconds}
    ### END SOLUTION


def largest_batch(model: dict, accelerator: dict, context: int, bytes_per_value: float = 2) -> int:
    """How many sequences of this context fit into the memory beside the parameters; 0 if not even one does.

    Only weights and KV cache are planned for. A real system keeps some memory for activations and its own needs.

    >>> largest_batch(TINY, {"memory": 5000}, context=10), largest_batch(TINY, {"memory": 4000}, context=10)
    (1, 0)
    """
    ### BEGIN SOLUTION
    free = accelerator["memory"] - sum(parameters(model).values()) * bytes_per_value
    return max(0, int(free // kv_cache_bytes(model, 1, context, bytes_per_value)))
    ### END SOLUTION


def request_latency(start: float, arrivals: list[float]) -> dict[str, float | list[float] | None]:
    """What a user measures: a request was sent at `start`, its tokens arrived at these times (seconds, one clock).

    Keys: "ttft" (time to first token), "itl" (inter-token latencies: the gaps between neighbouring tokens, a list),
    "tpot" (time per output token: the mean of these gaps, None if there is none), "total" (from request to last token).

    Raises ValueError for no tokens, and for a time before the one it follows, naming that time.

    >>> request_latency(2.0, [3.0, 3.5, 4.5])
    {'ttft': 1.0, 'itl': [0.5, 1.0], 'tpot': 0.75, 'total': 2.5}
    """
    ### BEGIN SOLUTION
    if not arrivals:
        raise ValueError("a request without tokens, [], has no latency")
    times = [start, *arrivals]
    gaps = [later - earlier for earlier, later in zip(times, arrivals)]
    if min(gaps) < 0:
        at = gaps.index(min(gaps))
        raise ValueError(f"the token at {arrivals[at]} comes before what it follows, at {times[at]}")
    itl = gaps[1:]
    tpot = (arrivals[-1] - arrivals[0]) / len(itl) if itl else None
    return {"ttft": gaps[0], "itl": itl, "tpot": tpot, "total": arrivals[-1] - start}
    ### END SOLUTION
