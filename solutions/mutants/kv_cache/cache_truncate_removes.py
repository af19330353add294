"""Takes the number of tokens to keep for the number to remove.

task: kv_cache.KVCache
says: truncate-removes-that-many
"""


class KVCache(KVCache):
    def truncate(self, length):
        if not 0 <= length <= self._lengths[0]:
            raise ValueError(f"cannot remove {length} tokens")
        self._lengths = [held - length for held in self._lengths]
