"""Never takes rejected tokens out of the draft's cache.

task: speculative.ModelDraft
says: rollback-forgotten
"""

import torch


class ModelDraft(ModelDraft):
    def propose(self, rows, uniforms):
        new = [row[-1:] if n else row for row, n in zip(rows, self.session.lengths())]
        drafted, q = [], []
        for i in range(uniforms.shape[1]):
            logits = self.session.feed(new)[:, -1]
            q.append(distribution(logits, *self.settings))
            drafted.append(draw(q[-1], uniforms[:, i]))
            new = drafted[-1][:, None].tolist()
        return torch.stack(drafted, 1), torch.stack(q, 1)
