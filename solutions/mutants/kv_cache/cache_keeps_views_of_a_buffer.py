"""Stages each append in one buffer and keeps views of it; the next append writes there again.

task: kv_cache.KVCache
says: keeps-views-of-a-buffer
"""

import torch


class KVCache(KVCache):
    def append(self, layer, keys, values):
        if self.length(layer) == 0 and keys.shape != values.shape:
            raise ValueError(f"shapes {keys.shape} and {values.shape}")
        if not hasattr(self, "stage"):
            self.parts = [[] for _ in self._lengths]
            self.stage = torch.zeros(2, *keys.shape[:2], 64, keys.shape[3], dtype=keys.dtype)
        new = keys.shape[2]
        self.stage[0, :, :, :new], self.stage[1, :, :, :new] = keys, values
        self.parts[layer].append(self.stage[:, :, :, :new])
        self._lengths[layer] += new
        return self.view(layer)

    def view(self, layer):
        if self.length(layer) == 0:
            raise ValueError(f"layer {layer} is empty")
        keys, values = torch.cat(self.parts[layer], 3)
        return keys, values
