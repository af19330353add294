"""What bytes every token stands for.

A tokenizer's vocabulary holds strings in a private alphabet; stop words and streaming need the bytes.
"""

from __future__ import annotations

import json
import re

from tokenizers import Tokenizer


def byte_alphabet() -> dict[str, int]:
    """The characters with which byte-level BPE writes the 256 bytes (Radford et al., 2019).

    Printable Latin-1 bytes stand for themselves, the others are counted up from U+0100.

    >>> alphabet = byte_alphabet()
    >>> len(alphabet), alphabet["a"], alphabet["\\u0120"]
    (256, 97, 32)
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    other = [byte for byte in range(256) if byte not in plain]
    return {chr(b): b for b in plain} | {chr(0x100 + i): b for i, b in enumerate(other)}


def pieces(tokenizer: Tokenizer, vocab_size: int) -> list[bytes]:
    """The bytes of every id below ``vocab_size``; b"" for special tokens and for ids without a token.

    Knows byte-level BPE exactly. For SentencePiece-like vocabularies the word mark becomes a space and
    <0x0A> the byte 10; for any other kind a piece is the token's own text.
    """
    special = {i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    decoder = json.dumps(json.loads(tokenizer.to_str()).get("decoder"))
    alphabet = byte_alphabet() if "ByteLevel" in decoder else None
    out = []
    for i in range(vocab_size):
        token = None if i in special else tokenizer.id_to_token(i)
        out.append(b"" if token is None else _piece(token, alphabet))
    return out


def _piece(token: str, alphabet: dict[str, int] | None) -> bytes:
    if alphabet is not None:
        if all(char in alphabet for char in token):
            return bytes(alphabet[char] for char in token)
        return token.encode()  # an added token, stored as it reads
    if re.fullmatch(r"<0x[0-9A-F]{2}>", token):
        return bytes([int(token[3:5], 16)])
    return token.replace("\u2581", " ").encode()
