"""Sets the length of layer 0 only.

task: kv_cache.KVCache
says: truncate-one-layer
"""


class KVCache(KVCache):
    def truncate(self, length):
        if not 0 <= length <= self._lengths[0]:
            raise ValueError(f"cannot keep {length} tokens")
        self._lengths[0] = length
