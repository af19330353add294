"""The address of a Dask scheduler: what it must look like, who can read what goes there, and a client of it.

Gives out no job.
"""

from __future__ import annotations

import ipaddress
import sys
from typing import Any
from urllib.parse import urlsplit

from llmlab.grading.course import CourseError


def checked(address: str) -> None:
    """Raises CourseError if the address is none; warns on stderr if jobs would cross a network for all to read."""
    try:
        parts = urlsplit(address)
        whole = parts.scheme in ("tls", "tcp") and parts.hostname and parts.port and not parts.path.strip("/")
    except ValueError:  # a port that is none
        whole = False
    if not whole:
        raise CourseError(f"--scheduler {address}: this is not the address of a scheduler. Give it as "
                          "tls://host:8786.")
    if parts.scheme == "tcp" and not loopback(parts.hostname):
        print(f"Warning: submissions travel to {address} unencrypted, and anybody who reaches that port can run code "
              "as the user of its workers. Use tls:// (docs/scaling.md).", file=sys.stderr)


def loopback(host: str) -> bool:
    """Whether a host is this machine, and can only be reached from it.

    >>> loopback("127.0.0.1"), loopback("::1"), loopback("localhost"), loopback("192.0.2.7"), loopback("lab")
    (True, True, True, False, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def connected(address: str, seconds: float) -> Any:
    """A client of the scheduler. Raises CourseError."""
    try:
        import distributed
    except ModuleNotFoundError:
        raise CourseError(f"--scheduler {address}: Dask is not installed. `pip install 'llmlab[cluster]'` on this "
                          "machine and on every worker.") from None
    try:
        certified = distributed.Security().get_connection_args("client").get("ssl_context")
    except (OSError, ValueError) as error:
        raise CourseError(f"--scheduler {address}: the certificates in Dask's configuration cannot be used "
                          f"({error}). docs/scaling.md tells how they are made and named.") from None
    if address.startswith("tls:") and certified is None:
        raise CourseError(f"--scheduler {address}: Dask's configuration names no certificate. Set "
                          "distributed.comm.tls.ca-file, .client.cert and .client.key (docs/scaling.md).")
    try:
        return distributed.Client(address, timeout=seconds, set_as_default=False)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise CourseError(f"--scheduler {address}: no scheduler answered in {seconds:g} s ({type(error).__name__}). "
                          "Start one with `dask scheduler`, and workers with `dask worker ADDRESS --nthreads 1`. A "
                          "scheduler with certificates answers to tls:// only.") from None
