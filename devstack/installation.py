"""Where the PostgreSQL programs come from, and how to run them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from devstack.accounts import Account, server_account
from devstack.choices import CHOICE_VARIABLE
from devstack.errors import DevstackError

_DEBIAN_ROOT = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Installation:
    """One set of PostgreSQL programs."""

    version: str
    """As `postgres --version` has it, e.g. "15.18"."""
    bin: Path
    """Directory of psql, pgbench and the others, to be run on this machine as they are."""
    rootfs: Path | None = None
    """Where set, the server runs inside this root file system, sandboxed."""
    prebuilt: Path | None = None
    """Where set, the server's own files, instead of those in the root file system."""

    @property
    def major(self) -> int:
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    @property
    def account(self) -> Account | None:
        """Whom the server must run as. A sandbox brings its own user."""
        return None if self.rootfs else server_account()

    def server_command(self, program: str, *arguments: str, writable: Sequence[Path]) -> list[str]:
        """How to run `postgres` or `initdb` with access to the directories `writable`."""
        if self.rootfs is None:
            return [str(self.bin / program), *arguments]
        from devstack.sandbox import sandbox_command

        if self.prebuilt is not None:
            command = [str(self.prebuilt / "bin" / program), *arguments]
            return sandbox_command(self.rootfs, writable, command, readable=[self.prebuilt])
        inside = f"/usr/lib/postgresql/{self.major}/bin/{program}"
        return sandbox_command(self.rootfs, writable, [inside, *arguments])


def find_installation(choice: str | None = None) -> Installation:
    """The PostgreSQL to run.

    `choice` (else the environment variable CAUSEWAY_POSTGRES) is `system`, `rootfs`, a major version (the
    machine's own or the root file system's where it is theirs, else a prebuilt server) or a directory of
    binaries; without it: the machine's own server where one is installed, else the root file system's.
    """
    choice = choice or os.environ.get(CHOICE_VARIABLE) or "auto"
    if choice == "rootfs":
        return _from_rootfs()
    if re.fullmatch(r"\d\d", choice):
        return _of_version(int(choice))
    if choice not in ("auto", "system"):
        directory = Path(choice).expanduser()
        if not (directory / "postgres").is_file():
            raise DevstackError(
                f"{CHOICE_VARIABLE}={choice}: there is no `postgres` in that directory; "
                "give `system`, `rootfs`, a major version or the directory that holds initdb and postgres"
            )
        return _from_directory(directory.resolve())
    found = system_bindir()
    if found is not None:
        return _from_directory(found)
    if choice == "system":
        raise DevstackError(
            f"no PostgreSQL server under {_DEBIAN_ROOT} or on the PATH: install one "
            f"(Debian: `apt-get install postgresql`) or set {CHOICE_VARIABLE}=rootfs"
        )
    return _from_rootfs()


def system_bindir(root: Path = _DEBIAN_ROOT) -> Path | None:
    """The newest complete server under `root`, else the one on the PATH."""

    def release(path: Path) -> float:
        try:
            return float(path.parent.name)
        except ValueError:
            return -1.0

    for directory in sorted(root.glob("*/bin"), key=release, reverse=True):
        if _complete(directory):
            return directory
    program = shutil.which("postgres")
    if program:
        directory = Path(program).resolve().parent
        if (directory / "initdb").is_file():
            return directory
    return None


def system_major() -> int:
    """The major version of the machine's own server; 0 where it has none."""
    found = system_bindir()
    return _from_directory(found).major if found is not None else 0


def _complete(directory: Path) -> bool:
    return all((directory / name).is_file() for name in ("postgres", "initdb"))


def _from_directory(directory: Path) -> Installation:
    return Installation(version=_version([str(directory / "postgres"), "--version"]), bin=directory)


def _from_rootfs() -> Installation:
    from devstack.rootfs import ensure_rootfs

    rootfs = ensure_rootfs()
    version = _version([str(rootfs.client_bin / "postgres"), "--version"])
    return Installation(version=version, bin=rootfs.client_bin, rootfs=rootfs.path)


def _of_version(major: int) -> Installation:
    from devstack.prebuilt import ensure_prebuilt
    from devstack.rootfs import POSTGRES_MAJOR, ensure_rootfs

    if major == POSTGRES_MAJOR:
        return _from_rootfs()
    own = _DEBIAN_ROOT / str(major) / "bin"
    if _complete(own):
        return _from_directory(own)
    files = ensure_prebuilt(major)
    rootfs = ensure_rootfs()
    found = Installation("", rootfs.client_bin, rootfs.path, files)
    version = _version(found.server_command("postgres", "--version", writable=[]))
    return replace(found, version=version)


def _version(command: list[str]) -> str:
    try:
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise DevstackError(f"{' '.join(command)} failed: {error}") from error
    match = re.search(r"\d+(\.\d+|beta\d+|rc\d+|devel)", output)
    if match is None:
        raise DevstackError(f"{' '.join(command)} said {output!r}, which holds no version number")
    return match.group()
