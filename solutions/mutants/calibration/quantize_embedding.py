"""Leaves only what is called lm_head.

task: calibration.quantize
says: embedding-quantized
"""

def quantize(weights, bits, group=None, hessians=None, skip=("embed_tokens", "lm_head")):
    made, spent, numbers = {}, 0, 0
    for name, w in weights.items():
        numbers += w.numel()
        if w.ndim != 2 or "embed" not in name and any(part in name for part in skip):
            made[name], spent = w, spent + 16 * w.numel()
        else:
            if hessians and name in hessians:
                made[name] = gptq(w, hessians[name], bits, group)
            else:
                made[name] = round_to_nearest(w, bits, group)
            spent += bits * w.numel() + 16 * (w.numel() // (group or w.shape[-1]))
    return made, spent / numbers
