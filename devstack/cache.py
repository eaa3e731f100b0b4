"""Directories that are built once, kept in the cache, and never seen half built."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.paths import cache_dir


@contextmanager
def exclusive(name: str) -> Iterator[None]:
    """Hold the lock `name` of this cache; a second process waits. A holder that dies lets go of it."""
    path = cache_dir() / f"{name}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def cached_directory(name: str, build: Callable[[Path], None]) -> Path:
    """The directory `name` of the cache; where absent, `build(empty directory)` makes it first.

    `build` works in a temporary neighbour that is renamed into place when it returns, so a directory
    that exists is complete, whatever was interrupted before. Concurrent callers build once.
    """
    path = cache_dir() / name
    if path.is_dir():
        return path
    with exclusive(name):
        if path.is_dir():
            return path
        for abandoned in path.parent.glob(f".{name}.*.building"):
            remove_tree(abandoned)
        scratch = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".building", dir=path.parent))
        try:
            build(scratch)
            scratch.rename(path)
        except BaseException:
            remove_tree(scratch)
            raise
    return path


def remove_tree(path: Path) -> None:
    """Delete `path` and all below it, also where a directory has lost its own write bit."""
    for directory, _, _ in os.walk(path):
        try:
            os.chmod(directory, 0o700)
        except OSError:
            break
    shutil.rmtree(path, ignore_errors=True)
