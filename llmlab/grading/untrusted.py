"""Reads names, files and texts that students control: bounded, without following a link, repaired where an
honest mistake is likely. It executes nothing and writes nothing.
"""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import re
import stat
import tokenize
import unicodedata
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

from llmlab.grading.ledger import MISSING, UNREADABLE

MAX_ENTRIES = 2_000
"""Entries of one submission that are looked at; what lies beyond is counted, not read."""
MAX_DEPTH = 5
MAX_NAME = 150
"""Bytes of a file name that we write: file systems take 255, and a suffix must fit."""
SKIPPED = ("__pycache__", "__MACOSX")
BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # before UTF-16: its mark begins like that one
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
CODINGS = ("utf-8", "utf-8-sig", "ascii", "us-ascii", "iso-8859-1", "cp1252", "gbk", "gb18030", "big5")
"""Encodings in which a module is read here. Some others take a time that grows with the length squared."""


class FileProblem(Exception):
    """A file is missing or cannot be taken; `status` is "missing" or "unreadable"."""

    def __init__(self, status: str, reason: str):
        super().__init__(reason)
        self.status = status


def printable(name: str, limit: int = 80) -> str:
    """A file name as one safe line of text.

    >>> printable("a\\nb")
    'a\\\\nb'
    """
    text = name[: limit * 4].encode("utf-8", "backslashreplace").decode()
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= limit else text[:limit] + "..."


def ignored(name: str) -> bool:
    """True for what tools leave beside the work: hidden files, caches, macOS's resource forks."""
    return name.startswith(".") or name in SKIPPED


def safe_path(name: str) -> str:
    """A relative path that any file system takes, for a name from an archive: the same name where it is
    plain, else one that keeps what can be read, with a hash that keeps two of them apart.

    >>> safe_path("notes/lab1 (1).ipynb")
    'notes/lab1 (1).ipynb'
    >>> safe_path("a\\nb.py")
    'a_b-c81c83c7.py'
    """
    parts = PurePosixPath(name).parts
    if len(parts) > MAX_DEPTH:  # deeper than we look: one long name
        parts = (*parts[: MAX_DEPTH - 1], "/".join(parts[MAX_DEPTH - 1 :]))
    return "/".join(_safe_part(part) for part in parts)


def _safe_part(part: str) -> str:
    plain = "".join(c if c.isprintable() and c not in '<>:"/\\|?*' else "_" for c in part)
    plain = plain.encode("utf-8", "replace").decode().rstrip(" .")
    if plain == part and len(part.encode()) <= MAX_NAME:
        return part
    told = hashlib.sha256(part.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    stem, dot, suffix = plain.rpartition(".")
    if not stem or len(suffix) > 10:
        stem, dot, suffix = plain, "", ""
    stem = stem.encode()[: MAX_NAME - 30].decode("utf-8", "ignore")
    return f"{stem}-{told}{dot}{suffix}"


def folded(name: str) -> str:
    """What a file system that knows no case and one form of each letter takes the name for."""
    return unicodedata.normalize("NFC", name).casefold()


def take(file: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes; links, pipes and devices are not opened.
    Raises FileProblem.
    """
    name = printable(file.name)
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise FileProblem(MISSING, f"{name} was not handed in") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise FileProblem(UNREADABLE, f"{name} cannot be opened as a plain file: {why}") from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise FileProblem(UNREADABLE, f"{name} is not a plain file")
        with open(handle, "rb", closefd=False) as stream:
            content = stream.read(limit + 1)
        if len(content) > limit:
            size = os.fstat(handle).st_size
            raise FileProblem(UNREADABLE, f"{name} has {size:,} bytes; the limit is {limit:,}")
    except OSError as error:
        raise FileProblem(UNREADABLE, f"{name} cannot be read: {error.strerror}") from None
    finally:
        os.close(handle)
    return content


def listing(folder: Path, entries: int = MAX_ENTRIES, depth: int = MAX_DEPTH) -> dict[str, int]:
    """Relative path -> size of the regular files under `folder`, nearest first, then by name. Links are not
    followed; hidden files and caches are left out; at most `entries` entries are looked at.
    """
    found: dict[str, int] = {}
    level, seen = [(folder, "")], 0
    for _ in range(depth):
        deeper = []
        for where, prefix in level:
            for entry in _entries(where, entries - seen):
                seen += 1
                try:
                    if ignored(entry.name) or entry.is_symlink():
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        deeper.append((Path(entry.path), f"{prefix}{entry.name}/"))
                    elif entry.is_file(follow_symlinks=False):
                        found[prefix + entry.name] = entry.stat(follow_symlinks=False).st_size
                except OSError:  # gone, or not ours to read
                    continue
        level = deeper
    return found


def _entries(folder: Path, limit: int) -> Iterator[os.DirEntry]:
    try:
        with os.scandir(folder) as found:
            yield from sorted(islice(found, max(0, limit)), key=lambda entry: entry.name)
    except OSError:
        return


def text_of(raw: bytes) -> tuple[str, str]:
    """Decoded text, and what had to be repaired ("" if nothing): byte order marks are dropped, UTF-16 is
    known by its mark or its zeros, and what is not UTF-8 is read as GB 18030 if most of what is not ASCII in
    it then are common Chinese characters, else as Windows-1252 or Latin-1.
    """
    for mark, coding, name in BOMS:
        if raw.startswith(mark):
            return raw.decode(coding, "replace"), f"was {name}"
    head = raw[:64]
    if head[1::2].count(0) > len(head) // 4 or head[0::2].count(0) > len(head) // 4:
        coding = "utf-16-le" if head[1::2].count(0) >= head[0::2].count(0) else "utf-16-be"
        return raw.decode(coding, "replace"), "was UTF-16"
    try:
        marked = raw.startswith(codecs.BOM_UTF8)
        return raw.decode("utf-8-sig"), "began with a byte order mark" if marked else ""
    except UnicodeDecodeError:
        pass
    if chinese := _gb18030(raw):
        return chinese, "was not UTF-8 and was read as GB 18030"
    if re.search(rb"[\x80-\x9f]", raw):  # control characters in Latin-1, quotation marks on Windows
        try:
            return raw.decode("cp1252"), "was not UTF-8 and was read as Windows-1252"
        except UnicodeDecodeError:
            pass
    return raw.decode("latin-1"), "was not UTF-8 and was read as Latin-1"


def _gb18030(raw: bytes) -> str:
    """The text of GBK or GB 18030, "" if it does not look like any.

    Two bytes of Latin text seldom make a common character: the 3,755 of GB 2312's first level (first byte B0 to D7).

    >>> _gb18030("# 温度采样".encode("gbk")), _gb18030("naïve café".encode("latin-1"))
    ('# 温度采样', '')
    """
    try:
        text = raw.decode("gb18030")
    except UnicodeDecodeError:
        return ""
    strange = [char for char in text if ord(char) > 127]
    common = sum(_is_common(char) for char in strange)
    return text if len(strange) >= 2 and common >= 0.6 * len(strange) else ""


def _is_common(char: str) -> bool:
    """True for Chinese characters of GB 2312's first level, and Chinese punctuation."""
    if char in "，。、；：？！（）《》“”‘’—…":
        return True
    coded = char.encode("gb2312", "ignore")
    return len(coded) == 2 and 0xB0 <= coded[0] <= 0xD7


def module_bytes(raw: bytes) -> tuple[bytes, str]:
    """A module's bytes as Python will read them, and what was repaired. Bytes that Python can read stay
    untouched; so does what declares an unusual encoding, which is not decoded here.
    """
    try:
        coding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        if coding not in CODINGS:
            return raw, ""
        raw.decode(coding)
        if coding != "utf-8-sig" and b"\0" not in raw[:64]:
            return raw, ""
    except (SyntaxError, ValueError, LookupError):
        pass  # undeclared bytes: repaired below
    text, repaired = text_of(raw)
    first = "".join(text.splitlines(keepends=True)[:2])
    told = re.sub(r"^([ \t\f]*#.*?coding[:=][ \t]*)[-\w.]+", r"\1utf-8", first, count=2, flags=re.MULTILINE)
    if told != first:
        text, repaired = told + text[len(first) :], repaired or "was not in the encoding that it declares"
    return text.encode("utf-8", "replace"), repaired
