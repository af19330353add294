"""Searches from the beginning of the text.

task: speculative.LookupDraft
says: takes-the-oldest
"""


class LookupDraft(LookupDraft):
    def lookup(self, tokens, gamma):
        for n in range(min(self.n, len(tokens) - 1), 0, -1):
            for start in range(len(tokens) - n):
                if tokens[start : start + n] == tokens[-n:]:
                    return tokens[start + n : start + n + gamma]
        return []
