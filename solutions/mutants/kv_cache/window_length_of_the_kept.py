"""Reports how many columns are kept, so that positions stop at the window.

task: kv_cache.WindowCache
says: length-counts-kept
"""


class WindowCache(WindowCache):
    def length(self, layer=0):
        return 0 if self._kept[layer] is None else self._kept[layer][0].shape[2]
