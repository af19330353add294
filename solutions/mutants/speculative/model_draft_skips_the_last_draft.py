"""After a full acceptance the last drafted token is never fed.

task: speculative.ModelDraft
says: skips-the-last-draft
"""

import torch


class ModelDraft(ModelDraft):
    def propose(self, rows, uniforms):
        held = [min(n, len(row) - 1) for n, row in zip(self.session.lengths(), rows)]
        self.session.truncate(held)
        new = [row[-1:] if n else row for row, n in zip(rows, held)]
        drafted, q = [], []
        for i in range(uniforms.shape[1]):
            logits = self.session.feed(new)[:, -1]
            q.append(distribution(logits, *self.settings))
            drafted.append(draw(q[-1], uniforms[:, i]))
            new = drafted[-1][:, None].tolist()
        return torch.stack(drafted, 1), torch.stack(q, 1)
