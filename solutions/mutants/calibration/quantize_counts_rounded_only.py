"""Divides the bits of the rounded numbers by their number.

task: calibration.quantize
says: kept-not-counted
"""

def quantize(weights, bits, group=None, hessians=None, skip=("embed_tokens", "lm_head")):
    made, spent, numbers = {}, 0, 0
    for name, w in weights.items():
        if w.ndim != 2 or any(part in name for part in skip):
            made[name] = w
        else:
            if hessians and name in hessians:
                made[name] = gptq(w, hessians[name], bits, group)
            else:
                made[name] = round_to_nearest(w, bits, group)
            numbers += w.numel()
            spent += bits * w.numel() + 16 * (w.numel() // (group or w.shape[-1]))
    return made, spent / numbers
