"""Computes logits for every token of the prompt, as a forward pass without `logits_to_keep` does.

task: flops.generation_flops
says: lm-head-at-all-positions
"""


def generation_flops(model, prompt, tokens, cache):
    passes = [forward_flops(model, 1, 1 if cache else n, n) for n in range(prompt + 1, prompt + tokens)]
    return {"prefill": forward_flops(model, 1, prompt, prompt, prompt), "decode": sum(passes)}
