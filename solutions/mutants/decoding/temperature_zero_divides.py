"""Divides by T whatever it is: at T = 0 that gives inf and NaN.

task: decoding.apply_temperature
says: temperature-zero-divides
"""


def apply_temperature(logits, temperature):
    if not temperature >= 0:
        raise ValueError(f"temperature is {temperature}")
    return logits / temperature
