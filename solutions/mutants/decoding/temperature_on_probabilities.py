"""Divides the probabilities instead of the logits.

task: decoding.apply_temperature
says: temperature-on-probabilities
"""


def apply_temperature(logits, temperature):
    if not temperature >= 0:
        raise ValueError(f"temperature is {temperature}")
    return logits.softmax(-1) / temperature
