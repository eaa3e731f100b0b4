"""Which account a server runs under: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """An unprivileged user to switch to; only used when the caller is root."""

    uid: int
    gid: int
    name: str


def server_account() -> Account | None:
    """`postgres` (else `nobody`) when the caller is root, otherwise None: run as the caller."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    return Account(65534, 65534, "65534")


def give(path: Path, account: Account | None) -> None:
    """Make `account` own `path` and all below it."""
    if account is None:
        return
    os.chown(path, account.uid, account.gid)
    if path.is_dir():
        for directory, names, files in os.walk(path):
            for name in (*names, *files):
                os.chown(os.path.join(directory, name), account.uid, account.gid, follow_symlinks=False)


@contextmanager
def readable_by_owner_only() -> Iterator[None]:
    """Files made inside are 0600, directories 0700 (private keys, data directories)."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
