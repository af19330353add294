"""Keeps a write position of its own, which truncate forgets to take back.

task: kv_cache.KVCache
says: appends-behind-the-forgotten
"""


class KVCache(KVCache):
    def append(self, layer, keys, values):
        if not hasattr(self, "write"):
            self.write = [0] * len(self._lengths)
        shown = self.length(layer)
        self._lengths[layer] = self.write[layer]
        super().append(layer, keys, values)
        self.write[layer] += keys.shape[2]
        self._lengths[layer] = shown + keys.shape[2]
        return self.view(layer)
