"""Asks torch, where it has the format; counts otherwise.

task: quantization.decode_float
"""

import math

import torch

KNOWN = {(5, 10, True): (torch.int16, torch.float16), (8, 7, True): (torch.int16, torch.bfloat16),
         (5, 2, True): (torch.uint8, torch.float8_e5m2), (4, 3, False): (torch.uint8, torch.float8_e4m3fn)}


def decode_float(codes, exponent_bits, mantissa_bits, infinities=True):
    known = KNOWN.get((exponent_bits, mantissa_bits, infinities))
    if known:
        return codes.to(known[0]).view(known[1]).float()

    def one(code):
        m, e = code & ((1 << mantissa_bits) - 1), code >> mantissa_bits & ((1 << exponent_bits) - 1)
        sign = -1 if code >> (mantissa_bits + exponent_bits) & 1 else 1
        if e == (1 << exponent_bits) - 1 and infinities:
            return sign * math.inf if m == 0 else math.nan
        bias = (1 << (exponent_bits - 1)) - 1
        return sign * (math.ldexp(m, 1 - bias - mantissa_bits) if e == 0 else
                       math.ldexp(m + (1 << mantissa_bits), e - bias - mantissa_bits))

    return torch.tensor([one(code) for code in codes.tolist()])
