"""Always writes from the first column on.

task: kv_cache.KVCache
says: overwritten-instead-of-appended
"""


class KVCache(KVCache):
    def append(self, layer, keys, values):
        held = self._lengths[layer]
        self._lengths[layer] = 0
        super().append(layer, keys, values)
        self._lengths[layer] = max(held, keys.shape[2])
        return self.view(layer)
