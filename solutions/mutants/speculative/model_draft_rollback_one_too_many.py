"""Keeps the drafted token in whose place another one was chosen.

task: speculative.ModelDraft
says: rollback-one-too-many
"""

import torch


class ModelDraft(ModelDraft):
    def propose(self, rows, uniforms):
        held = [min(n, len(row)) for n, row in zip(self.session.lengths(), rows)]
        self.session.truncate(held)
        new = [row[n:] or row[-1:] for row, n in zip(rows, held)]
        drafted, q = [], []
        for i in range(uniforms.shape[1]):
            logits = self.session.feed(new)[:, -1]
            q.append(distribution(logits, *self.settings))
            drafted.append(draw(q[-1], uniforms[:, i]))
            new = drafted[-1][:, None].tolist()
        return torch.stack(drafted, 1), torch.stack(q, 1)
