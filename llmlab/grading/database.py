"""Which database holds the gradebook: SQLite beside the course, or PostgreSQL by URL. It opens no connection.

    LLMLAB_GRADEBOOK=postgresql://instructor@db.example.org/llmlab     from the environment, or
    gradebook = "postgresql://instructor@db.example.org/llmlab"        in assignments/course.toml

The environment wins. Without either it is `assignments/gradebook.db`. A password is best kept out of both:
PostgreSQL's client reads it from `~/.pgpass` (or PGPASSWORD). No message of ours shows one.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import stat
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from llmlab.grading.course import CourseError

VARIABLE = "LLMLAB_GRADEBOOK"
FILE, KEY = "course.toml", "gradebook"
POSTGRES = ("postgres", "postgresql", "postgresql+psycopg2")
HIDDEN = "***"
FORMS = "postgresql://user@host/database or sqlite:///gradebook.db"


def gradebook_url(root: Path, environ: Mapping[str, str] | None = None) -> str:
    """The SQLAlchemy URL of the gradebook of the course folder `root`.

    SQLite files are taken from `root` unless their path is absolute. Raises CourseError for what cannot be a
    gradebook, without showing a password.
    """
    told, where = _told(root, os.environ if environ is None else environ)
    if not told:
        return f"sqlite:///{root / 'gradebook.db'}"
    try:
        url = make_url(told)
    except (ArgumentError, ValueError):
        raise CourseError(f"The gradebook in {where} is not a database URL. Write {FORMS}.") from None
    if where == str(root / FILE) and url.password:
        _warn_if_readable(root / FILE)
    if url.drivername == "sqlite":
        return _sqlite(url, root, where)
    if url.drivername not in POSTGRES:
        raise CourseError(
            f"The gradebook in {where} begins with {url.drivername}://, which is not supported."
            f" Write {FORMS}."
        )
    if not url.database:
        raise CourseError(
            f"The gradebook {shown(told)} in {where} names no database. "
            "Write postgresql://user@host/database."
        )
    if importlib.util.find_spec("psycopg2") is None:
        raise CourseError(
            f"The gradebook in {where} is a PostgreSQL database, which needs psycopg2. "
            "Run `pip install 'llmlab[postgres]'`."
        )
    # said in full: SQLAlchemy's own default for postgresql:// is another driver than nbgrader was made with
    return url.set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)


def shown(url: str) -> str:
    """The URL for a message: with *** for the password.

    >>> shown("postgresql://ada:secret@db/llmlab")
    'postgresql://ada:***@db/llmlab'
    """
    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return HIDDEN


def redacted(text: str, url: str) -> str:
    """`text` without the password of `url`, as it is and as a URL spells it; for messages of other programs.

    >>> redacted("FATAL: no entry for ada:a%40b or a@b", "postgresql://ada:a%40b@db/llmlab")
    'FATAL: no entry for ada:*** or ***'
    """
    parsed = make_url(url)
    if not parsed.password:
        return text
    whole = parsed.render_as_string(hide_password=False)
    spelled = whole.partition("://")[2].partition("@")[0].partition(":")[2]
    for secret in {whole, spelled, str(parsed.password)}:
        text = text.replace(secret, shown(url) if secret == whole else HIDDEN)
    return text


def _told(root: Path, environ: Mapping[str, str]) -> tuple[str, str]:
    """The URL as the instructor wrote it ("" for the default), and where."""
    if environ.get(VARIABLE, "").strip():
        return environ[VARIABLE].strip(), f"the environment variable {VARIABLE}"
    file = root / FILE
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "", ""
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{file} is not TOML ({error}). Mend that line.") from None
    told = found.get(KEY, "")
    if not isinstance(told, str):
        raise CourseError(f'{file}: {KEY} is no text. Write {KEY} = "postgresql://user@host/database".')
    return told.strip(), str(file)


def _sqlite(url: URL, root: Path, where: str) -> str:
    if not url.database or url.database == ":memory:":
        raise CourseError(f"The gradebook in {where} names no file. Write sqlite:///gradebook.db.")
    return f"sqlite:///{root / url.database}"


@cache
def _warn_if_readable(file: Path) -> None:
    """Tell once that others on this machine can read the password."""
    if os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & (stat.S_IRGRP | stat.S_IROTH):
        logging.getLogger(__name__).warning(
            "%s holds the gradebook's password, and others on this machine can read it. "
            "Run `chmod 600 %s`, or keep the password in ~/.pgpass.",
            file,
            file,
        )
