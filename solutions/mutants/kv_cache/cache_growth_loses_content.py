"""Reserves twice the room and forgets to copy.

task: kv_cache.KVCache
says: growth-loses-content
"""

import torch


class KVCache(KVCache):
    def append(self, layer, keys, values):
        end = self.length(layer) + keys.shape[2]
        if self._keys[layer] is not None and end > self._keys[layer].shape[2]:
            batch, heads, room, size = self._keys[layer].shape
            while room < end:
                room *= 2
            self._keys[layer] = torch.zeros(batch, heads, room, size, dtype=keys.dtype)
            self._values[layer] = torch.zeros(batch, heads, room, size, dtype=keys.dtype)
        return super().append(layer, keys, values)
