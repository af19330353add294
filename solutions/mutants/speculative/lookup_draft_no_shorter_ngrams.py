"""Gives up when the last n tokens are new.

task: speculative.LookupDraft
says: no-shorter-ngrams
"""


class LookupDraft(LookupDraft):
    def lookup(self, tokens, gamma):
        for start in range(len(tokens) - self.n - 1, -1, -1):
            if tokens[start : start + self.n] == tokens[-self.n :]:
                return tokens[start + self.n : start + self.n + gamma]
        return []
