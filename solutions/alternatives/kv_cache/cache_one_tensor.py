"""One tensor for all layers, keys and values; tokens in front, so that growing is one copy.

task: kv_cache.KVCache
"""

import torch


class KVCache:
    def __init__(self, n_layers, capacity=16):
        if n_layers < 1:
            raise ValueError(f"n_layers = {n_layers}")
        if capacity < 1:
            raise ValueError(f"capacity = {capacity}")
        self.n_layers, self.room, self.tokens, self.memory = n_layers, capacity, [0] * n_layers, None

    def append(self, layer, keys, values):
        self.check(layer)
        if keys.shape != values.shape:
            raise ValueError(f"keys {keys.shape}, values {values.shape}")
        batch, heads, new, size = keys.shape
        start = self.tokens[layer]
        if self.memory is None:
            self.room = max(self.room, new)
            self.memory = torch.zeros(self.room, self.n_layers, 2, batch, heads, size, dtype=keys.dtype)
        if self.memory.shape[3:] != (batch, heads, size):
            raise ValueError(f"{tuple(keys.shape)} does not fit")
        if start + new > self.room:
            self.room = max(3 * self.room, start + new)
            more = torch.zeros(self.room, *self.memory.shape[1:], dtype=keys.dtype)
            more[:len(self.memory)] = self.memory
            self.memory = more
        self.memory[start:start + new, layer, 0] = keys.permute(2, 0, 1, 3)
        self.memory[start:start + new, layer, 1] = values.permute(2, 0, 1, 3)
        self.tokens[layer] = start + new
        return self.view(layer)

    def check(self, layer):
        if layer not in range(self.n_layers):
            raise ValueError(f"layer {layer}")

    def view(self, layer):
        self.check(layer)
        if self.memory is None:
            raise ValueError(f"layer {layer} is empty")
        kept = self.memory[:self.tokens[layer], layer]  # (S, 2, B, K, d)
        return kept[:, 0].permute(1, 2, 0, 3), kept[:, 1].permute(1, 2, 0, 3)

    def length(self, layer=0):
        self.check(layer)
        return self.tokens[layer]

    def capacity(self, layer=0):
        return 0 if self.memory is None else self.room

    def nbytes(self):
        return 0 if self.memory is None else self.memory.nbytes

    def truncate(self, length):
        if length < 0 or length > min(self.tokens):
            raise ValueError(f"{length} tokens are not there")
        self.tokens = [length for _ in self.tokens]
