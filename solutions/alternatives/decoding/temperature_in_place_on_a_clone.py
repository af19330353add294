"""Changes a clone in place, and returns float64.

task: decoding.apply_temperature
"""

import math


def apply_temperature(logits, temperature):
    if math.isnan(temperature) or temperature < 0:
        raise ValueError(f"a temperature of {temperature} makes no sense; give 0 or more")
    out = logits.detach().clone().double()
    if temperature == 0:
        best = out.argmax(-1, keepdim=True)
        out.fill_(-math.inf)
        out.scatter_(-1, best, 0.0)
    elif math.isinf(temperature):
        out[out.isfinite()] = 0.0
    else:
        out /= temperature
    return out
