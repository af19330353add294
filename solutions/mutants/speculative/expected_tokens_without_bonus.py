"""The exponent is gamma: the bonus token is not counted.

task: speculative.expected_tokens
says: no-bonus-token
"""


def expected_tokens(alpha, gamma):
    return float(gamma) if alpha == 1 else max(1.0, (1 - alpha**gamma) / (1 - alpha))
