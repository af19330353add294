"""Reports a uniform q for tokens that were not drawn.

task: speculative.LookupDraft
says: q-not-one-hot
"""

import torch


class LookupDraft(LookupDraft):
    def propose(self, rows, uniforms):
        drafted = [(self.lookup(row, uniforms.shape[1]) or row[-1:]) for row in rows]
        drafted = [tokens + tokens[-1:] * (uniforms.shape[1] - len(tokens)) for tokens in drafted]
        q = torch.full((*uniforms.shape, self.vocab_size), 1 / self.vocab_size)
        return torch.tensor(drafted), q
