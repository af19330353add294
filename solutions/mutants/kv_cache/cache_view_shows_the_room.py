"""Returns the whole reserved memory.

task: kv_cache.KVCache
says: view-shows-empty-room
"""


class KVCache(KVCache):
    def view(self, layer):
        self.length(layer)
        if self._keys[layer] is None:
            raise ValueError(f"layer {layer} is empty")
        return self._keys[layer], self._values[layer]
