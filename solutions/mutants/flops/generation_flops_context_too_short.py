"""The fed token does not attend to itself: the context is what the cache held before.

task: flops.generation_flops
says: context-off-by-one
"""


def generation_flops(model, prompt, tokens, cache):
    passes = [forward_flops(model, 1, 1 if cache else prompt + i, prompt + i) for i in range(tokens - 1)]
    return {"prefill": forward_flops(model, 1, prompt, prompt), "decode": sum(passes)}
