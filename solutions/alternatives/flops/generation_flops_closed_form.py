"""With a cache, the sum over contexts as an arithmetic series; without one, a plain loop.

task: flops.generation_flops
"""


def generation_flops(model, prompt, tokens, cache):
    prefill = forward_flops(model, 1, prompt, prompt)
    if not cache:
        passes = [forward_flops(model, 1, prompt + i, prompt + i) for i in range(1, tokens)]
        return {"prefill": prefill, "decode": sum(passes)}
    if tokens == 1:
        return {"prefill": prefill, "decode": 0}
    first, last = (forward_flops(model, 1, 1, n) for n in (prompt + 1, prompt + tokens - 1))
    return {"prefill": prefill, "decode": (tokens - 1) * (first + last) // 2}
