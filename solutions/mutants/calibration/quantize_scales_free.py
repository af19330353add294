"""Counts the codes and forgets the scales.

task: calibration.quantize
says: scales-not-counted
"""

def quantize(weights, bits, group=None, hessians=None, skip=("embed_tokens", "lm_head")):
    made, spent, numbers = {}, 0, 0
    for name, w in weights.items():
        numbers += w.numel()
        if w.ndim != 2 or any(part in name for part in skip):
            made[name], spent = w, spent + 16 * w.numel()
        else:
            if hessians and name in hessians:
                made[name] = gptq(w, hessians[name], bits, group)
            else:
                made[name] = round_to_nearest(w, bits, group)
            spent += bits * w.numel()
    return made, spent / numbers
