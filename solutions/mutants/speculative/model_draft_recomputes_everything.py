"""Empties its cache in every call and feeds the whole text.

task: speculative.ModelDraft
says: recomputes-everything
"""

import torch


class ModelDraft(ModelDraft):
    def propose(self, rows, uniforms):
        self.session.truncate([0] * len(rows))
        new = rows
        drafted, q = [], []
        for i in range(uniforms.shape[1]):
            logits = self.session.feed(new)[:, -1]
            q.append(distribution(logits, *self.settings))
            drafted.append(draw(q[-1], uniforms[:, i]))
            new = drafted[-1][:, None].tolist()
        return torch.stack(drafted, 1), torch.stack(q, 1)
