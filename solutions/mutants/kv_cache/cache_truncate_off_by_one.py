"""Takes the length for the last index that stays.

task: kv_cache.KVCache
says: truncate-one-too-many
"""


class KVCache(KVCache):
    def truncate(self, length):
        if not 0 <= length <= self._lengths[0]:
            raise ValueError(f"cannot keep {length} tokens")
        self._lengths = [min(length + 1, held) for held in self._lengths]
