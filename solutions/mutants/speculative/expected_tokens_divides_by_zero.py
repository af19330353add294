"""The closed form, also at alpha = 1.

task: speculative.expected_tokens
says: divides-by-zero
"""


def expected_tokens(alpha, gamma):
    return (1 - alpha ** (gamma + 1)) / (1 - alpha)
