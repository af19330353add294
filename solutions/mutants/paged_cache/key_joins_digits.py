"""Writes the numbers one after the other, with nothing between them.

task: paged_cache.block_key
says: key-joins-digits
"""

import hashlib


def block_key(parent, tokens):
    return hashlib.sha256(f"{parent}:{''.join(map(str, tokens))}".encode()).hexdigest()
