"""Replaces T = 0 by a small number, as several projects do: several tokens stay.

task: decoding.apply_temperature
says: temperature-zero-epsilon
"""


def apply_temperature(logits, temperature):
    if not temperature >= 0:
        raise ValueError(f"temperature is {temperature}")
    return logits / max(temperature, 1e-5)
