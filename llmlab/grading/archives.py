"""Unpacks archives that nobody vouches for, inside bounds: zip, tar and tar.gz. It makes no links, sets no
rights, and opens no archive inside an archive.

    unpack(content)            one student's archive -> {path: bytes}
    Zip(source).read(name)     one member at a time: for a class's archive from a learning platform

What an archive says of itself is never believed: bytes are counted while they are read. One hostile entry
refuses the whole archive, with the reason; the caller keeps the original and goes on with the next one.
"""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from llmlab.grading.untrusted import folded, ignored, printable

MAX_PACKED = 64 * 2**20
"""Bytes of one student's archive."""
CHUNK = 2**16
SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
FOREIGN = {b"Rar!": "RAR", b"7z\xbc\xaf": "7-Zip", b"\xfd7zX": "xz", b"BZh": "bzip2"}
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What every tool writes. The others can ask for gigabytes of memory in a few bytes."""
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    OSError,
    EOFError,
    zlib.error,
    ValueError,
    LookupError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)
"""How zipfile and tarfile fail on odd bytes."""


class ArchiveError(Exception):
    """The archive is not unpacked; the message says why."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one archive. `ratio` holds from `free` bytes on: small files may well be all blanks.
    `strict`: one hostile entry refuses the whole; else it is left out, and `Zip.refused` says why.
    """

    entries: int = 2_000
    file: int = 64 * 2**20
    total: int = 128 * 2**20
    ratio: int = 200
    free: int = 8 * 2**20
    strict: bool = True


STUDENT = Limits()
CLASS = Limits(entries=100_000, file=MAX_PACKED, total=2**44, strict=False)
"""A class's archive: made by the platform of files from many students, each bounded by itself."""


def is_archive(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def stem(name: str) -> str:
    """The name of an archive without its suffix; any other name as it is.

    >>> stem("ada.tar.gz"), stem("ada")
    ('ada', 'ada')
    """
    suffix = next((suffix for suffix in sorted(SUFFIXES, key=len) if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def unpack(content: bytes, limits: Limits = STUDENT) -> dict[str, bytes]:
    """The files of an archive: relative path -> bytes. Hidden files and caches are left out.

    Raises ArchiveError naming the reason; nothing is returned then.
    """
    for mark, name in FOREIGN.items():
        if content.startswith(mark):
            raise ArchiveError(f"it is a {name} archive; only zip and tar.gz can be opened")
    if zipfile.is_zipfile(io.BytesIO(content)):
        with Zip(io.BytesIO(content), limits) as packed:
            return {name: packed.read(name) for name in packed.names if useful(name)}
    if content.startswith(b"\x1f\x8b") or content[257:262] == b"ustar":
        return _untar(content, limits)
    raise ArchiveError("it is neither a zip nor a tar.gz, or it is cut off")


def useful(name: str) -> bool:
    """False for hidden files and what tools leave behind, in any folder."""
    return not any(ignored(part) for part in name.split("/"))


class Zip:
    """A zip, its entries checked before anything is read. Raises ArchiveError."""

    def __init__(self, source: Path | BinaryIO, limits: Limits = STUDENT):
        self.limits, self.left = limits, limits.total
        self.refused: list[tuple[str, str]] = []
        try:
            _check_directory(source, limits)
            self.zip = zipfile.ZipFile(source)
        except DAMAGE as error:
            raise ArchiveError(f"it cannot be read as a zip ({_said(error)})") from None
        try:
            self.members = self._checked()
        except BaseException:
            self.zip.close()
            raise

    def __enter__(self) -> Zip:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.zip.close()

    @property
    def names(self) -> list[str]:
        """The paths of the regular files, in the archive's order."""
        return list(self.members)

    def read(self, name: str) -> bytes:
        """The bytes of one file, counted while they are read. Raises ArchiveError, KeyError."""
        info = self.members[name]
        try:
            with self.zip.open(info) as stream:
                most = min(self.limits.file, self.left)
                content = _bounded(stream, name, most, info.compress_size, self.limits)
        except DAMAGE as error:
            raise ArchiveError(f"{printable(name)} is damaged ({_said(error)})") from None
        self.left -= len(content)
        return content

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        infos = self.zip.infolist()
        _check_count(len(infos), self.limits)
        _check_overlap(infos, self.zip.start_dir)
        members = {}
        for info in infos:
            try:
                name = self._file_name(info)
                if name in members:
                    raise ArchiveError(f"{printable(name)} is there twice")
            except ArchiveError as error:
                if self.limits.strict:
                    raise
                self.refused.append((printable(info.orig_filename), str(error)))
                continue
            if name:
                members[name] = info
        if self.limits.strict:
            check_collisions(members)
        return members

    def _file_name(self, info: zipfile.ZipInfo) -> str:
        """The path of an entry that can be taken, "" for a folder. Raises ArchiveError for any other."""
        name = safe_name(info.orig_filename)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.flag_bits & 0x1:
            raise ArchiveError(f"{printable(name)} is encrypted")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(f"{printable(name)} is {_kind(kind)}, not a file")
        if kind == stat.S_IFDIR or name.endswith("/"):
            return ""
        if info.compress_type not in METHODS:
            raise ArchiveError(f"{printable(name)} is packed in a way that is not opened (use plain zip)")
        if info.file_size > self.limits.file:
            raise ArchiveError(_too_large(name, self.limits.file))
        return name


def safe_name(raw: str) -> str:
    """A relative path inside the archive, `/` between its parts. Raises ArchiveError for any other.

    >>> safe_name("lab1\\\\decoding.py")
    'lab1/decoding.py'
    """
    name = raw.replace("\\", "/")  # some tools on Windows write it so
    parts = name.split("/")
    if "\0" in name:
        raise ArchiveError(f"the name {printable(raw)!r} holds a NUL")
    if name.startswith("/") or (len(parts[0]) > 1 and parts[0][1] == ":"):
        raise ArchiveError(f"the name {printable(raw)!r} is an absolute path")
    if ".." in parts:
        raise ArchiveError(f"the name {printable(raw)!r} leaves the folder")
    if not name.strip("/") or len(parts) > 20 or len(name) > 4_000:
        raise ArchiveError(f"the name {printable(raw)!r} is empty, too deep or too long")
    kept = "/".join(part for part in parts if part not in ("", "."))
    return kept + "/" * name.endswith("/") if kept else "./"


def _untar(content: bytes, limits: Limits) -> dict[str, bytes]:
    """tar or tar.gz, read as a stream: what it unpacks to is counted, however often it is compressed."""
    files: dict[str, bytes] = {}
    packed: BinaryIO = io.BytesIO(content)
    if content.startswith(b"\x1f\x8b"):
        packed = gzip.GzipFile(fileobj=packed)
    stream = _Counted(packed, len(content), limits)
    try:
        with tarfile.open(fileobj=stream, mode="r|") as found:
            for count, member in enumerate(found, 1):
                _check_count(count, limits)
                name = safe_name(member.name)
                if member.isdir():
                    continue
                if not member.isreg() or member.issparse():
                    raise ArchiveError(f"{printable(name)} is a link, a device or a sparse file, not a file")
                if name in files:
                    raise ArchiveError(f"{printable(name)} is there twice")
                if member.size > limits.file:
                    raise ArchiveError(_too_large(name, limits.file))
                inside = found.extractfile(member)
                files[name] = inside.read(limits.file + 1) if inside is not None else b""
                if len(files[name]) != member.size:
                    raise ArchiveError(f"{printable(name)} is cut off")
    except DAMAGE as error:
        raise ArchiveError(f"it cannot be read as a tar ({_said(error)})") from None
    check_collisions(files)
    return {name: raw for name, raw in files.items() if useful(name)}


class _Counted(io.RawIOBase):
    """A stream that stops at the limits."""

    def __init__(self, stream: BinaryIO, packed: int, limits: Limits):
        self.stream, self.packed, self.limits, self.count = stream, packed, limits, 0

    def read(self, size: int = -1) -> bytes:
        raw = self.stream.read(min(size, CHUNK) if size >= 0 else CHUNK)
        self.count += len(raw)
        _check_growth(self.count, self.packed, self.limits.total, "it", self.limits)
        return raw


def _bounded(stream: Iterable, name: str, most: int, packed: int, limits: Limits) -> bytes:
    made = io.BytesIO()
    while raw := stream.read(CHUNK):
        made.write(raw)
        _check_growth(made.tell(), packed, most, printable(name), limits)
    return made.getvalue()


def _check_growth(size: int, packed: int, most: int, name: str, limits: Limits) -> None:
    if size > most:
        raise ArchiveError(f"{name} unpacks to more than {most:,} bytes")
    if size > limits.free and size > limits.ratio * max(1, packed):
        raise ArchiveError(f"{name} unpacks to more than {limits.ratio} times its size: a zip bomb")


def _check_directory(source: Path | BinaryIO, limits: Limits) -> None:
    """Refuse a table of contents that is too long, before zipfile reads it into memory. The same search as
    zipfile's own, so that both see the same table.
    """
    with open(source, "rb") if isinstance(source, Path) else _kept_open(source) as stream:
        told = zipfile._EndRecData(stream)
    if told is None:
        raise ArchiveError("it cannot be read as a zip (no table of contents; cut off?)")
    if told[zipfile._ECD_SIZE] > limits.entries * 512:
        raise ArchiveError(f"its table of contents is too long; at most {limits.entries:,} entries are taken")


class _kept_open:
    """`with` on a stream that stays open."""

    def __init__(self, stream: BinaryIO):
        self.stream = stream

    def __enter__(self) -> BinaryIO:
        return self.stream

    def __exit__(self, *_: object) -> None:
        self.stream.seek(0)


def _check_count(count: int, limits: Limits) -> None:
    if count > limits.entries:
        raise ArchiveError(f"it has more than {limits.entries:,} entries")


def _check_overlap(infos: list[zipfile.ZipInfo], end: int) -> None:
    """Each entry ends before the next one begins: bytes that are used twice make a bomb."""
    ordered = sorted(infos, key=lambda info: info.header_offset)
    starts = [info.header_offset for info in ordered[1:]] + [end]
    for info, following in zip(ordered, starts, strict=False):
        if info.header_offset < 0 or info.header_offset + 30 + info.compress_size > following:
            raise ArchiveError(f"{printable(info.filename)} overlaps another entry: a zip bomb")


def check_collisions(names: Iterable[str]) -> None:
    """No two names that one file system takes for one, and no file that is also a folder."""
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(folded(name), name)) != name:
            raise ArchiveError(f"{printable(name)} and {printable(other)} differ only in case")
    for name in seen:
        parts = name.split("/")
        for cut in range(1, len(parts)):
            if "/".join(parts[:cut]) in seen:
                raise ArchiveError(f"{printable('/'.join(parts[:cut]))} is a file and a folder")


def _kind(kind: int) -> str:
    return {stat.S_IFLNK: "a link", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}.get(kind, "a device")


def _too_large(name: str, limit: int) -> str:
    return f"{printable(name)} unpacks to more than {limit:,} bytes"


def _said(error: BaseException) -> str:
    return printable(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__, 120)
