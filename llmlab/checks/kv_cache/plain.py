"""A cache in plain Python, token by token, and the caches that known mistakes make. Oracle of the cache's
stories.

`Store` keeps a list of (key, value) for each layer; nothing is reserved, so nothing can be lost. With a `bug`
it behaves as a known mistake does. A story runs beside the student's cache, and where they first differ,
beside each bug.
"""

from __future__ import annotations

import torch
from torch import Tensor

BUGS = {
    "overwritten-instead-of-appended": "The new tokens were written over the first ones. They go behind "
    "the last one.",
    "returns-only-the-new": "Only the new tokens came back. append returns all tokens of the layer.",
    "view-shows-empty-room": "The view shows the memory that is reserved, not only the tokens that are "
    "there.",
    "layers-share-memory": "What was appended to one layer shows up in another: they share one tensor. "
    "`[tensor] * n` "
    "makes n names for the same memory.",
    "keys-and-values-share-memory": "Keys came back where values belong: both are kept in the same tensor.",
    "keeps-views-of-a-buffer": "Earlier tokens turned into the newest ones: the cache kept views of a "
    "buffer that was written again. "
    "Copy what is appended.",
    "swaps-keys-and-values": "Keys and values came back in the wrong order.",
    "growth-loses-content": "When the memory grew, the earlier tokens were lost. Copy them into the new "
    "memory.",
    "truncate-one-layer": "truncate cut one layer only. Every layer forgets the same tokens.",
    "truncate-removes-that-many": "truncate(n) took n tokens away. It keeps the first n.",
    "truncate-one-too-many": "After truncate(n) there are n + 1 tokens.",
    "truncate-one-too-few": "After truncate(n) there are n - 1 tokens.",
    "truncate-does-nothing": "truncate changed nothing.",
    "appends-behind-the-forgotten": "After truncate the length is right, but the next tokens were put "
    "behind the forgotten "
    "ones, or not written at all: the view shows what should be gone.",
    "truncate-keeps-the-last": "truncate kept the last tokens. It keeps the first ones.",
    "one-length-for-all-layers": "The layers share one length, so an append to a later layer starts too "
    "far behind. In one "
    "pass each layer is at the same place.",
}


class Store:
    """Tokens of each layer: lists of (key (B, K, d), value (B, K, d))."""

    def __init__(self, layers: int, capacity: int, bug: str = ""):
        self.layers: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(layers)]
        if bug == "layers-share-memory":
            self.memory: list[tuple[Tensor, Tensor]] = []
        self.room = [0] * layers
        self.first, self.bug = capacity, bug
        self.behind: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(layers)]
        self.buffer: list[tuple[Tensor, Tensor]] = []

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        new = [(keys[:, :, t], values[:, :, t]) for t in range(keys.shape[2])]
        old, bug = self.layers[layer], self.bug
        if bug == "overwritten-instead-of-appended":
            old[: len(new)] = new
        elif bug == "one-length-for-all-layers":
            blank = [(torch.zeros_like(k), torch.zeros_like(v)) for k, v in new[:1]]
            longest = max(len(tokens) for tokens in self.layers)
            old += blank * (longest - len(old) if layer else 0) + new
        elif bug == "keeps-views-of-a-buffer":
            for at, pair in enumerate(new):
                if at < len(self.buffer):
                    for kept, fresh in zip(self.buffer[at], pair, strict=True):
                        kept.copy_(fresh)
                else:
                    self.buffer.append((pair[0].clone(), pair[1].clone()))
            old += self.buffer[: len(new)]
        elif bug == "appends-behind-the-forgotten" and self.behind[layer]:
            forgotten = self.behind[layer]
            old += [forgotten.pop(0) if forgotten else token for token in new]
        else:
            if bug == "growth-loses-content" and old and len(old) + len(new) > self.room[layer]:
                old[:] = [(torch.zeros_like(k), torch.zeros_like(v)) for k, v in old]
            old += new
        if bug == "layers-share-memory":
            start = len(old) - len(new)
            self.memory[start : start + len(new)] = new
        while self.room[layer] < len(old):
            self.room[layer] = self.room[layer] * 2 or max(self.first, len(old))
        if bug == "returns-only-the-new":
            return keys, values
        return self.view(layer)

    def view(self, layer: int) -> tuple[Tensor, Tensor]:
        tokens = self.layers[layer]
        if self.bug == "layers-share-memory":
            tokens = self.memory[: len(tokens)]
        keys, values = (torch.stack([pair[i] for pair in tokens], 2) for i in (0, 1))
        if self.bug == "keys-and-values-share-memory":
            return values, values
        if self.bug == "swaps-keys-and-values":
            return values, keys
        return keys, values

    def length(self, layer: int = 0) -> int:
        return len(self.layers[layer])

    def truncate(self, length: int) -> None:
        for number, tokens in enumerate(self.layers):
            kept = {
                "truncate-removes-that-many": len(tokens) - length,
                "truncate-one-too-many": length + 1,
                "truncate-one-too-few": length - 1,
                "truncate-does-nothing": len(tokens),
            }.get(self.bug, length)
            if self.bug == "truncate-one-layer" and number > 0:
                continue
            if self.bug == "truncate-keeps-the-last":
                tokens[:] = tokens[len(tokens) - length :]
            self.behind[number] = tokens[kept:]
            tokens[:] = tokens[: max(kept, 0)]
