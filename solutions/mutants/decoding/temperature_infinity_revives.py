"""At T = inf every logit becomes 0, also those of tokens that were removed.

task: decoding.apply_temperature
says: infinity-revives-removed
"""


def apply_temperature(logits, temperature):
    if not temperature >= 0:
        raise ValueError(f"temperature is {temperature}")
    if temperature == 0:
        only = torch.full_like(logits, -torch.inf)
        return only.scatter(-1, logits.argmax(-1, keepdim=True), 0.0)
    if temperature == float("inf"):
        return torch.zeros_like(logits)
    return logits / temperature
