"""Hashes the sum of the tokens.

task: paged_cache.block_key
says: key-ignores-order
"""

import hashlib


def block_key(parent, tokens):
    return hashlib.sha256(f"{parent}:{sum(tokens)}".encode()).hexdigest()
