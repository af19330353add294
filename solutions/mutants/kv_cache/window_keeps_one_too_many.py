"""Keeps as many tokens as the window is wide.

task: kv_cache.WindowCache
says: window-keeps-one-too-many
"""


class WindowCache(WindowCache):
    def __init__(self, n_layers, window):
        super().__init__(n_layers, window)
        self._keep = window
