"""Hashes the tokens of the block alone.

task: paged_cache.block_key
says: key-without-parent
"""

import hashlib


def block_key(parent, tokens):
    return hashlib.sha256(",".join(map(str, tokens)).encode()).hexdigest()
