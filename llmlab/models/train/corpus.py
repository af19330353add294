"""The training text: what is in it, how it is split, and its hashes.

The procedural part is the same on every Python from 3.11 on (one seed, one hash). The docstrings depend on
the Python that trains. Tokens are not this file's business: see tokenizer.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from llmlab.models.train import docstrings, numbers, pairs, recall, records, stories
from llmlab.models.train.dice import Dice

SEED = 20240607
# kind: (generator, bytes). About 7 MB in all.
RECIPE: dict[str, tuple[Callable[[Dice], str], int]] = {
    "stories": (stories.story, 1_700_000),
    "arithmetic": (numbers.arithmetic, 1_300_000),
    "recall": (recall.recall, 1_500_000),
    "pairs": (pairs.pairs, 1_100_000),
    "records": (records.record, 600_000),
    "counting": (numbers.counting, 450_000),
    "songs": (stories.song, 350_000),
}
VALIDATION_EVERY = 50  # every 50th document of each kind is for validation


@dataclass(frozen=True)
class Corpus:
    """Documents by kind, split.

    ``train``: what is learned. ``validation_all``: every 50th document, as drawn. ``validation``: the same
    without exact copies of training documents and without repeats; the loss to quote.
    """

    train: dict[str, list[str]]
    validation_all: dict[str, list[str]]
    validation: dict[str, list[str]]
    procedural_sha256: str
    docstrings_sha256: str

    def bytes_of(self, part: str) -> dict[str, int]:
        """UTF-8 bytes by kind in ``train``, ``validation`` or ``validation_all``."""
        return {kind: sum(len(d.encode()) for d in docs) for kind, docs in getattr(self, part).items()}


def procedural(kind: str, scale: float = 1.0, seed: int = SEED) -> list[str]:
    """The documents of one kind, in the order they were drawn; ``scale`` 0.1 gives the first tenth."""
    make, size = RECIPE[kind]
    dice = Dice(seed + sorted(RECIPE).index(kind))
    docs, total = [], 0
    while total < size * scale:
        docs.append(make(dice))
        total += len(docs[-1].encode())
    return docs


def digest(docs: list[str]) -> str:
    """SHA-256 over the documents in order, each ended by a zero byte."""
    sha = hashlib.sha256()
    for doc in docs:
        sha.update(doc.encode() + b"\0")
    return sha.hexdigest()


def build(scale: float = 1.0, seed: int = SEED, with_docstrings: bool = True) -> Corpus:
    """Generate, split and hash the whole text.

    >>> tiny = build(scale=0.001, with_docstrings=False)
    >>> sorted(tiny.train)
    ['arithmetic', 'counting', 'pairs', 'recall', 'records', 'songs', 'stories']
    """
    kinds = {kind: procedural(kind, scale, seed) for kind in RECIPE}
    procedural_hash = digest([doc for docs in kinds.values() for doc in docs])
    strings = (
        docstrings.docstrings(int(1_500_000 * scale), every=max(1, int(0.5 / scale)))
        if with_docstrings
        else []
    )
    if strings:
        kinds["docstrings"] = strings
    train = {kind: [d for i, d in enumerate(docs) if i % VALIDATION_EVERY] for kind, docs in kinds.items()}
    drawn = {kind: docs[::VALIDATION_EVERY] for kind, docs in kinds.items()}
    known = {doc for docs in train.values() for doc in docs}
    fresh = {kind: [d for d in dict.fromkeys(docs) if d not in known] for kind, docs in drawn.items()}
    return Corpus(train, drawn, fresh, procedural_hash, digest(strings))
