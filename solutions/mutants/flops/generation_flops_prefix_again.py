"""Counts the whole text in every pass, with a cache too.

task: flops.generation_flops
says: recomputes-with-a-cache
"""


def generation_flops(model, prompt, tokens, cache):
    passes = [forward_flops(model, 1, n, n) for n in range(prompt + 1, prompt + tokens)]
    return {"prefill": forward_flops(model, 1, prompt, prompt), "decode": sum(passes)}
