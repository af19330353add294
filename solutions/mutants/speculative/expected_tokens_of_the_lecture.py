"""gamma x alpha.

task: speculative.expected_tokens
says: k-times-alpha
"""


def expected_tokens(alpha, gamma):
    return gamma * alpha
