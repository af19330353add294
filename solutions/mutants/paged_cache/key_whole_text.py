"""Uses the text itself as the key: it grows with every block.

task: paged_cache.block_key
says: key-of-any-length
"""


def block_key(parent, tokens):
    return f"{parent},{','.join(map(str, tokens))}"
