"""SHA-1 of JSON, in base 64.

task: paged_cache.block_key
"""

import base64
import hashlib
import json


def block_key(parent, tokens):
    return base64.b64encode(hashlib.sha1(json.dumps([parent, list(tokens)]).encode()).digest()).decode()
