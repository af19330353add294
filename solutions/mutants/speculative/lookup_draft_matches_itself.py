"""Finds the last n tokens where they stand, and nothing behind them.

task: speculative.LookupDraft
says: matches-itself
"""


class LookupDraft(LookupDraft):
    def lookup(self, tokens, gamma):
        for n in range(min(self.n, len(tokens)), 0, -1):
            for start in range(len(tokens) - n, -1, -1):
                if tokens[start : start + n] == tokens[-n:]:
                    return tokens[start + n : start + n + gamma]
        return []
