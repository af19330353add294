"""Archives from strangers: each threat raises one error that names it, and nothing is written anywhere."""

import io
import os
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmlab.grading import archives
from llmlab.grading.archives import CLASS, ArchiveError, Limits, Zip, unpack

HONEST = {"lab1/lab1.ipynb": b"{}", "lab1/decoding.py": b"x = 1\n"}
SMALL = Limits(entries=20, file=10_000, total=20_000, ratio=50, free=5_000)


def zipped(files, method=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, content) pairs."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as into:
        for name, content in files.items() if isinstance(files, dict) else files:
            into.writestr(name, content)
    return made.getvalue()


def entry(name, mode):
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def tarred(members, mode="w:gz"):
    """A tar of (TarInfo, content) pairs."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode=mode) as into:
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            into.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return made.getvalue()


def member(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def test_an_honest_zip_and_tar_are_unpacked():
    assert unpack(zipped(HONEST)) == HONEST
    for mode in ("w:gz", "w"):
        assert unpack(tarred([(member(name), raw) for name, raw in HONEST.items()], mode)) == HONEST


def test_what_a_mac_leaves_behind_is_left_out():
    assert unpack(zipped(HONEST | {"__MACOSX/lab1/._lab1.ipynb": b"x", "lab1/.DS_Store": b"x"})) == HONEST


def test_backslashes_of_windows_tools_are_folders():
    assert unpack(zipped({"lab1\\decoding.py": b"x"})) == {"lab1/decoding.py": b"x"}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/passwd", "absolute"),
        ("\\\\server\\share", "absolute"),
        ("C:\\windows\\x.py", "absolute"),
        ("c:x.py", "absolute"),
        ("../decoding.py", "leaves the folder"),
        ("lab1/../../x.py", "leaves the folder"),
        ("lab1\\..\\..\\x.py", "leaves the folder"),
        ("a/" * 30 + "x.py", "too deep"),
    ],
)
def test_paths_that_lead_out_are_refused(name, why):
    with pytest.raises(ArchiveError, match=why):
        unpack(zipped([(name, b"x"), *HONEST.items()]))
    with pytest.raises(ArchiveError, match=why):
        unpack(tarred([(member(name), b"x")]))


def test_a_nul_in_a_name_is_refused():
    raw = zipped({"decoding.pyX.txt": b"x"}).replace(b"decoding.pyX", b"decoding.py\0")
    with pytest.raises(ArchiveError, match="NUL"):
        unpack(raw)


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        (stat.S_IFLNK | 0o777, "a link"),
        (stat.S_IFIFO | 0o644, "a pipe"),
        (stat.S_IFCHR | 0o644, "a device"),
        (stat.S_IFBLK | 0o644, "a device"),
        (stat.S_IFSOCK | 0o644, "a socket"),
    ],
)
def test_links_and_devices_in_a_zip_are_refused(mode, why):
    with pytest.raises(ArchiveError, match=why):
        unpack(zipped([(entry("decoding.py", mode), b"/etc/passwd")]))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(kind):
    with pytest.raises(ArchiveError, match="a link, a device"):
        unpack(tarred([(member("decoding.py", kind, "/etc/passwd"), b"")]))


def test_rights_are_never_taken_over():
    assert unpack(zipped([(entry("run.py", stat.S_IFREG | 0o6777), b"x")])) == {"run.py": b"x"}


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["decoding.py", "Decoding.py"], "differ only in case"),
        (["straße.py", "STRASSE.py"], "differ only in case"),
        (["é.py", "e\u0301.py"], "differ only in case"),
        (["a", "a/b"], "a file and a folder"),
    ],
)
def test_names_that_collide_are_refused(names, why):
    with pytest.raises(ArchiveError, match=why):
        unpack(zipped({name: b"x" for name in names}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused():
    with pytest.raises(ArchiveError, match="there twice"):
        unpack(zipped([("a.py", b"1"), ("a.py", b"2")]))


def test_an_encrypted_entry_is_refused():
    raw = bytearray(zipped({"a.py": b"x"}))
    raw[6] |= 1  # the flag, in the local header and in the table
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ArchiveError, match="encrypted"):
        unpack(bytes(raw))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_eat_memory_are_not_opened(method):
    with pytest.raises(ArchiveError, match="plain zip"):
        unpack(zipped({"a.py": b"x" * 100}, method))


def test_a_bomb_is_stopped_by_size_ratio_total_and_count():
    with pytest.raises(ArchiveError, match=r"more than 10,000 bytes"):
        unpack(zipped({"a": os.urandom(10_001)}), SMALL)
    with pytest.raises(ArchiveError, match="zip bomb"):
        unpack(zipped({"a": bytes(9_000)}), SMALL)
    with pytest.raises(ArchiveError, match="more than"):
        unpack(zipped({name: os.urandom(9_000) for name in "abc"}), SMALL)
    with pytest.raises(ArchiveError, match="more than 20 entries"):
        unpack(zipped({f"{n}.py": b"" for n in range(21)}), SMALL)
    with pytest.raises(ArchiveError, match="table of contents is too long"):
        unpack(zipped({f"{n:0500}": b"" for n in range(100)}), SMALL)
    with pytest.raises(ArchiveError, match="zip bomb"):
        unpack(tarred([(member("a"), bytes(9_000))]), SMALL)
    with pytest.raises(ArchiveError, match="more than 20 entries"):
        unpack(tarred([(member(f"{n}.py"), b"") for n in range(21)], "w"), Limits(entries=20))


def test_a_size_that_lies_is_not_believed():
    raw = bytearray(zipped({"a.py": b"y" * 4_000}))
    at = raw.index(b"PK\x01\x02") + 24
    raw[at : at + 4] = (10).to_bytes(4, "little")  # the table says 10 bytes
    with pytest.raises(ArchiveError, match="damaged"):
        unpack(bytes(raw))


def test_overlapping_entries_are_refused():
    """Two table entries that share one stream of data: how a small file unpacks to petabytes."""
    raw = zipped({"a": b"x" * 100, "b": b"x" * 100}, zipfile.ZIP_STORED)
    second = raw.index(b"PK\x01\x02", raw.index(b"PK\x01\x02") + 4)
    raw = raw[: second + 42] + (0).to_bytes(4, "little") + raw[second + 46 :]
    with pytest.raises(ArchiveError, match="overlaps|cannot be read"):
        unpack(raw)


def test_an_archive_inside_is_not_opened():
    inner = zipped(HONEST)
    assert unpack(zipped({"inner.zip": inner})) == {"inner.zip": inner}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        pytest.param(b"Rar!\x1a\x07", "RAR", id="rar"),
        pytest.param(b"7z\xbc\xaf\x27\x1c", "7-Zip", id="7-zip"),
        pytest.param(b"not an archive", "neither", id="text"),
        pytest.param(b"", "neither", id="empty"),
        pytest.param(zipped(HONEST)[:-30], "neither|cannot be read", id="zip cut short"),
        pytest.param(tarred([(member("a"), b"x" * 5_000)])[:-20], "cannot be read", id="tar.gz cut short"),
    ],
)
def test_what_is_no_archive_says_so(raw, why):
    with pytest.raises(ArchiveError, match=why):
        unpack(raw)


def test_in_a_class_archive_a_hostile_entry_costs_only_itself():
    link = entry("c", stat.S_IFLNK)
    raw = zipped([("ada/a.py", b"1"), ("../b.py", b"2"), (link, b"/"), ("Ada/A.py", b"3")])
    with Zip(io.BytesIO(raw), CLASS) as packed:
        assert packed.names == ["ada/a.py", "Ada/A.py"]
        assert [name for name, _ in packed.refused] == ["../b.py", "c"]


def inside(files):
    assert sum(map(len, files.values())) <= SMALL.total and len(files) <= SMALL.entries
    for name in files:
        assert not name.startswith("/") and ".." not in name.split("/") and "\0" not in name


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_unpacked_inside_the_bounds_or_refused(raw):
    for start in (b"", b"PK\x03\x04", b"\x1f\x8b\x08"):
        try:
            inside(unpack(start + raw, SMALL))
        except ArchiveError as error:
            assert str(error)


@settings(max_examples=200, deadline=None)
@pytest.mark.filterwarnings("ignore:Duplicate name")
@given(
    st.lists(st.tuples(st.text(min_size=1, max_size=30), st.binary(max_size=100)), max_size=25),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
)
def test_any_zip_with_any_bytes_changed_is_unpacked_inside_the_bounds_or_refused(files, changes):
    files = [(name.encode("utf-8", "replace").decode().replace("\0", "0"), raw) for name, raw in files]
    for made in (zipped(files), tarred([(member(name), raw) for name, raw in files], "w")):
        raw = bytearray(made)
        for at, value in changes:
            raw[at % len(raw)] = value
        try:
            inside(unpack(bytes(raw), SMALL))
        except ArchiveError as error:
            assert str(error)


def test_names_of_archives():
    assert archives.is_archive("LAB1.ZIP") and archives.is_archive("a.tar.gz")
    assert not archives.is_archive("a.gz")
