"""Rounds first and counts afterwards, from shapes alone.

task: calibration.quantize
"""


def quantize(weights, bits, group=None, hessians=None, skip=("embed_tokens", "lm_head")):
    chosen = [name for name in weights if weights[name].dim() == 2 and all(part not in name for part in skip)]
    hessians = hessians or {}
    made = dict(weights)
    for name in chosen:
        h = hessians.get(name)
        made[name] = round_to_nearest(weights[name], bits, group) if h is None else gptq(weights[name], h, bits, group)
    total = sum(w.numel() for w in weights.values())
    rounded = sum(weights[name].numel() for name in chosen)
    scales = sum(weights[name].numel() / (group or weights[name].shape[1]) for name in chosen)
    return made, (16 * (total - rounded) + bits * rounded + 16 * scales) / total
