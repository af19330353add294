"""One decode pass for each token, the first included.

task: flops.generation_flops
says: one-pass-too-many
"""


def generation_flops(model, prompt, tokens, cache):
    passes = [forward_flops(model, 1, 1 if cache else prompt + i + 1, prompt + i + 1) for i in range(tokens)]
    return {"prefill": forward_flops(model, 1, prompt, prompt), "decode": sum(passes)}
