"""The directory in which the processes of one proxy keep their spool files, each file locked by its owner.

The lock (flock) of a file ends with its process, however it ends; whoever gets the lock of a file then owns it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proxy.mirror.spool_file import SpoolFailed, SpoolFile

SUFFIX = ".spool"
_LOCK = ".lock"


class SpoolDirectory:
    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self.path = path
        self._fsync = fsync
        self._locks: dict[Path, int] = {}
        """Lock descriptors of the files this object owns."""

    def create(self) -> SpoolFile:
        """A new file that is this process'. Raises SpoolFailed."""
        with self._alone():
            return self._own(self.path / f"{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}")

    def adopt(self) -> tuple[list[SpoolFile], list[SpoolFailed]]:
        """The files whose processes have ended, which are this process' from now on, and why others cannot be opened:
        each of those is told once. Raises SpoolFailed where the directory itself cannot be used."""
        adopted: list[SpoolFile] = []
        failures: list[SpoolFailed] = []
        with self._alone():
            for path in sorted(self.path.glob(f"*{SUFFIX}")):
                if path in self._locks or not self._lock(path):
                    continue
                try:
                    adopted.append(SpoolFile(path, fsync=self._fsync))
                except SpoolFailed as failure:
                    failures.append(failure)
        return adopted, failures

    def discard(self, file: SpoolFile) -> None:
        """Remove an empty file that is this process'."""
        file.close()
        with self._alone():
            for suffix in ("", "-wal", "-shm"):
                file.path.with_name(file.path.name + suffix).unlink(missing_ok=True)
            self._unlock(file.path, remove=True)

    def leave(self, file: SpoolFile) -> None:
        """Close a file and give up its ownership; its entries wait for whoever adopts it."""
        file.close()
        self._unlock(file.path, remove=False)

    def _own(self, path: Path) -> SpoolFile:
        if not self._lock(path):
            raise SpoolFailed(f"{path} is locked by another process")
        try:
            return SpoolFile(path, fsync=self._fsync)
        except SpoolFailed:
            self._unlock(path, remove=False)
            raise

    def _lock(self, path: Path) -> bool:
        try:
            descriptor = os.open(_lock_of(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpoolFailed(f"the spool directory {self.path}: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._locks[path] = descriptor
        return True

    def _unlock(self, path: Path, *, remove: bool) -> None:
        descriptor = self._locks.pop(path)
        if remove:
            _lock_of(path).unlink(missing_ok=True)
        os.close(descriptor)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process looks for, makes or removes files meanwhile."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path / "directory.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpoolFailed(f"the spool directory {self.path}: {error}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _lock_of(path: Path) -> Path:
    return path.with_suffix(_LOCK)
