"""Hands lengths and truncate on without methods of its own.

task: speculative.EarlyExit
"""


class EarlyExit:
    def __init__(self, stack, layers):
        self.stack, self.layers = stack, list(range(layers))
        self.lengths, self.truncate = stack.lengths, stack.truncate

    def feed(self, rows):
        x = self.stack.embed(rows)
        for index in self.layers:
            x = self.stack.layer(index, x)
        return self.stack.logits(x)
