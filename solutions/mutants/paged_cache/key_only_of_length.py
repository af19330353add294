"""Hashes where the block ends, not what is in it.

task: paged_cache.block_key
says: key-only-of-length
"""

import hashlib


def block_key(parent, tokens):
    return hashlib.sha256(f"{parent}:{len(tokens)}".encode()).hexdigest()
