"""BLAKE2b over fixed-width bytes, 16 bytes of it.

task: paged_cache.block_key
"""

import hashlib
import struct


def block_key(parent, tokens):
    digest = hashlib.blake2b(parent.encode() + b"|" + struct.pack(f"<{len(tokens)}q", *tokens), digest_size=16)
    return digest.hexdigest()
