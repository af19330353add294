"""Takes the logits early, and runs the other layers nevertheless.

task: speculative.EarlyExit
says: runs-every-layer
"""


class EarlyExit(EarlyExit):
    def feed(self, rows):
        x, found = self.stack.embed(rows), None
        for index in range(self.stack.n_layers):
            x = self.stack.layer(index, x)
            if index + 1 == self.layers:
                found = self.stack.logits(x)
        return found
