"""Makes one tensor and a list of it: [tensor] * n is n names for the same memory.

task: kv_cache.KVCache
says: layers-share-memory
"""

import torch


class KVCache(KVCache):
    def append(self, layer, keys, values):
        self.length(layer)
        if keys.shape != values.shape:
            raise ValueError(f"shapes {keys.shape} and {values.shape}")
        if self._keys[0] is None:
            shape = (*keys.shape[:2], 256, keys.shape[3])
            self._keys = [torch.zeros(shape, dtype=keys.dtype)] * len(self._lengths)
            self._values = [torch.zeros(shape, dtype=keys.dtype)] * len(self._lengths)
        return super().append(layer, keys, values)
