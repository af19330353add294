"""Searches in the reversed text, forwards.

task: speculative.LookupDraft
"""


class LookupDraft(LookupDraft):
    def lookup(self, tokens, gamma):
        back = tokens[::-1]
        for n in range(self.n, 0, -1):
            for start in range(1, len(back) - n + 1):
                if back[start : start + n] == back[:n]:
                    return back[max(0, start - gamma) : start][::-1]
        return []
