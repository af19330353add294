"""Landlock by system call: the kernel refuses files, TCP and signals beyond what a rule allows. Needs no root.

The rules are made once and inherited as a descriptor; `restrict` binds the calling process to them for good.
Landlock does not cover UDP, nor `stat`, `chmod` and the like: seccomp does (the latter but for `stat`).
Source: the kernel's Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path

from llmlab.harness.sandbox.paths import Readable

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every architecture
VERSION, PATH_BENEATH = 1, 1
NO_NEW_PRIVS = 38

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
FILES_V1 = (1 << 13) - 1  # the thirteen rights of the first version
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15  # since versions 2, 3, 5
TCP = 3  # bind and connect, since version 4
SCOPES = 3  # abstract sockets and signals, since version 6


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """The kernel's version of Landlock; 0 if there is none or it is switched off."""
    if sys.platform != "linux":
        return 0
    return max(0, _libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION))


def handled(abi: int) -> tuple[int, int, int]:
    """Everything that version `abi` can refuse: rights on files, on TCP, and scopes.

    >>> handled(1), handled(6) == (FILES_V1 | REFER | TRUNCATE | IOCTL_DEV, TCP, SCOPES)
    ((8191, 0, 0), True)
    """
    files = FILES_V1 | (REFER if abi >= 2 else 0) | (TRUNCATE if abi >= 3 else 0) | (IOCTL_DEV if abi >= 5 else 0)
    return files, TCP if abi >= 4 else 0, SCOPES if abi >= 6 else 0


def rules(allowed: Readable) -> int | None:
    """A descriptor of a rule set that allows reading `allowed` and writing /dev/null; None without Landlock."""
    abi = version()
    if not abi:
        return None
    libc = _libc()
    attributes = struct.pack("QQQ", *handled(abi))[: 8 if abi < 4 else 16 if abi < 6 else 24]
    made = libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if made < 0:
        return None
    for path in allowed.trees:
        _allow(libc, made, path, READ_FILE | READ_DIR if path.is_dir() else READ_FILE)
    for path in allowed.listed:
        _allow(libc, made, path, READ_DIR)
    _allow(libc, made, Path(os.devnull), READ_FILE | WRITE_FILE)
    return made


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        beneath = struct.pack("=Qi", rights, handle)
        if libc.syscall(ADD_RULE, rules, PATH_BENEATH, beneath, 0):
            raise OSError(ctypes.get_errno(), f"Landlock does not take a rule for {path}")
    finally:
        os.close(handle)


def restrict(rules: int) -> None:
    """Bind this process, and all that come of it, to the rules. Raises OSError."""
    libc = _libc()
    if libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) or libc.syscall(RESTRICT_SELF, rules, 0):
        raise OSError(ctypes.get_errno(), "Landlock did not take effect")
