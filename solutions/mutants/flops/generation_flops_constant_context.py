"""Takes every decode step to cost what the first one costs.

task: flops.generation_flops
says: context-never-grows
"""


def generation_flops(model, prompt, tokens, cache):
    one = forward_flops(model, 1, 1 if cache else prompt + 1, prompt + 1)
    return {"prefill": forward_flops(model, 1, prompt, prompt), "decode": (tokens - 1) * one}
