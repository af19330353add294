"""Feeds the last drafted token, too, so that the cache lacks one token at most.

task: speculative.ModelDraft
"""

import torch


class ModelDraft:
    def __init__(self, session, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0):
        self.session, self.settings = session, (temperature, top_k, top_p, min_p)

    def propose(self, rows, uniforms):
        kept = [max(0, min(len(row) - 1, held)) for row, held in zip(rows, self.session.lengths())]
        self.session.truncate(kept)
        logits = self.session.feed([row[k:] for row, k in zip(rows, kept)])[:, -1]
        tokens, laws = torch.zeros(len(rows), 0, dtype=torch.int64), []
        for u in uniforms.unbind(1):
            laws.append(distribution(logits, *self.settings))
            tokens = torch.cat([tokens, draw(laws[-1], u)[:, None]], 1)
            logits = self.session.feed([[t] for t in tokens[:, -1].tolist()])[:, -1]
        return tokens, torch.stack(laws, 1)
