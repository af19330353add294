"""Concatenates at every append: nothing is reserved, everything is copied each time.

task: kv_cache.KVCache
says: reserves-nothing
"""

import torch


class KVCache(KVCache):
    def append(self, layer, keys, values):
        self.length(layer)
        if keys.shape != values.shape:
            raise ValueError(f"shapes {keys.shape} and {values.shape}")
        end = self._lengths[layer]
        if self._keys[layer] is not None:
            if self._keys[layer].shape[:2] != keys.shape[:2]:
                raise ValueError(f"shape {tuple(keys.shape)}")
            keys = torch.cat([self._keys[layer][:, :, :end], keys], 2)
            values = torch.cat([self._values[layer][:, :, :end], values], 2)
        self._keys[layer], self._values[layer] = keys.clone(), values.clone()
        self._lengths[layer] = keys.shape[2]
        return self.view(layer)
