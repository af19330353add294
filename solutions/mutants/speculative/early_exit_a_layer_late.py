"""Counts the exit layer in.

task: speculative.EarlyExit
says: exits-a-layer-late
"""


class EarlyExit(EarlyExit):
    def feed(self, rows):
        x = self.stack.embed(rows)
        for index in range(min(self.layers + 1, self.stack.n_layers)):
            x = self.stack.layer(index, x)
        return self.stack.logits(x)
