"""The closed form, with the limit said by hand.

task: speculative.expected_tokens
"""


def expected_tokens(alpha, gamma):
    return gamma + 1 if alpha == 1 else (1 - alpha ** (gamma + 1)) / (1 - alpha)
