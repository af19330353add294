"""Forgets to refuse: a negative temperature turns the ranking round, NaN spoils everything.

task: decoding.apply_temperature
says: accepts-invalid-value
"""


def apply_temperature(logits, temperature):
    if temperature == 0:
        only = torch.full_like(logits, -torch.inf)
        return only.scatter(-1, logits.argmax(-1, keepdim=True), 0.0)
    if temperature == float("inf"):
        return torch.zeros_like(logits).masked_fill(logits == -torch.inf, -torch.inf)
    return logits / temperature
