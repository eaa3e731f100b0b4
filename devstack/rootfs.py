"""A small Debian root file system with PostgreSQL 18 and DocumentDB, built without root.

apt resolves and downloads the packages (with an empty package database, from the machine's own
Debian archive) and dpkg-deb unpacks them. No maintainer script runs, so what those would have done and
the servers need is done here: users, `localhost`, the loader's cache, two alternatives links.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from devstack.apt_sources import MIRROR_VARIABLE, Mirror, machine_mirror
from devstack.cache import cached_directory
from devstack.errors import DevstackError
from devstack.progress import Progress, step
from devstack.sandbox import sandbox_command
from devstack.system_packages import ensure_program

POSTGRES_MAJOR = 18
_PACKAGES = (f"postgresql-{POSTGRES_MAJOR}-documentdb", "libc-bin", "dash", "bash", "coreutils", "tzdata")
_SUITES = ("forky", "sid")
"""Debian suites that have DocumentDB, tried in this order."""
_RECIPE = 1
"""Raise it when what this file makes changes: the cached root file systems are then built anew."""
_UNNEEDED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/lintian")
_DOWNLOAD_SECONDS = 900.0


@dataclass(frozen=True)
class RootFs:
    """A complete root file system; read-only from here on."""

    path: Path
    client_bin: Path
    """Its PostgreSQL programs as this machine can run them, with its own files and network."""


def ensure_rootfs() -> RootFs:
    """The cached root file system, built first where it is absent (about half a minute, 500 MB)."""
    ensure_program("bwrap", "bubblewrap")
    digest = hashlib.sha256(repr((_PACKAGES, _RECIPE)).encode()).hexdigest()[:12]
    base = cached_directory(f"rootfs-{digest}", _build)
    return RootFs(base / "root", base / "bin")


def _build(target: Path) -> None:
    for program in ("apt-get", "dpkg-deb", "dpkg"):
        if shutil.which(program) is None:
            raise DevstackError(
                f"`{program}` is missing: building the root file system needs a Debian machine. "
                "Elsewhere set CAUSEWAY_STORE and CAUSEWAY_POSTGRES to databases of your own"
            )
    mirror = machine_mirror()
    workspace = target / "work"
    with step("root file system (PostgreSQL 18, DocumentDB)") as progress:
        packages = _download(workspace, mirror, progress)
        root = target / "root"
        root.mkdir()
        _unpack(packages, root, progress)
        shutil.rmtree(workspace)
        _settle(root)
        _wrap_clients(root, target / "bin", final=_final(target))


def _final(building: Path) -> Path:
    """The name under which `cached_directory` publishes the directory that is being built."""
    return building.with_name(building.name.lstrip(".").split(".", 1)[0])


def _download(workspace: Path, mirror: Mirror, progress: Progress) -> list[Path]:
    """Every package of the closure of `_PACKAGES`, from the first suite that has them."""
    failures = []
    for suite in _SUITES:
        apt = _Apt(workspace / suite, mirror.line(suite))
        progress.update(f"reading the package index of {suite}")
        said = apt.run("update")
        if said is None:
            said = apt.fetch(_PACKAGES, progress)
        if said is None:
            return sorted(apt.archives.glob("*.deb"))
        failures.append(f"{suite}: {said}")
    raise DevstackError(
        f"the packages of the root file system could not be had from {mirror.uri}; set {MIRROR_VARIABLE} to the "
        "URI of a Debian archive that has them, see that the package debian-archive-keyring is current and "
        "that the network is there; or set CAUSEWAY_STORE to a document store of your own.\n"
        + "\n".join(failures)
    )


class _Apt:
    """apt-get with directories and a package database of its own; needs no root."""

    def __init__(self, directory: Path, source: str) -> None:
        self._directory = directory
        self.archives = directory / "archives"
        for path in (directory / "lists" / "partial", self.archives / "partial", directory / "etc"):
            path.mkdir(parents=True)
        (directory / "status").touch()
        (directory / "etc" / "sources.list").write_text(source + "\n", encoding="utf-8")
        options = {
            "Dir::Etc::SourceList": directory / "etc" / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": "/dev/null",
            "Dir::State": directory,
            "Dir::State::Lists": directory / "lists",
            "Dir::State::status": directory / "status",
            "Dir::State::extended_states": directory / "extended_states",
            "Dir::Cache": directory,
            "Dir::Cache::archives": self.archives,
            "Dir::Log": directory,
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
            "APT::Get::List-Cleanup": "false",
            "Acquire::Check-Valid-Until": "false",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        self._options = [part for pair in options.items() for part in ("-o", "=".join(map(str, pair)))]

    def run(self, *arguments: str) -> str | None:
        """None, or the end of what apt-get said."""
        done = subprocess.run(
            ["apt-get", *self._options, "-y", "-q", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            timeout=_DOWNLOAD_SECONDS,
            check=False,
        )
        failed = done.returncode != 0 or (arguments == ("update",) and "\nErr:" in f"\n{done.stdout}")
        return "\n".join(done.stdout.splitlines()[-8:]) if failed else None

    def fetch(self, packages: Sequence[str], progress: Progress) -> str | None:
        """Download `packages` and what they depend on."""
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(self.run, "--download-only", "install", *packages)
            while not running.done():
                files = [*self.archives.glob("*.deb"), *(self.archives / "partial").glob("*")]
                size = 0
                for file in files:
                    try:
                        size += file.stat().st_size
                    except FileNotFoundError:
                        continue
                progress.update(f"{len(files)} packages, {size / 1e6:.0f} MB downloaded")
                time.sleep(0.2)
            return running.result()


def _unpack(packages: Sequence[Path], root: Path, progress: Progress) -> None:
    """Several at once. The links of the merged /usr come first: older packages still ship files in /lib."""
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for count, _ in enumerate(pool.map(lambda package: _unpack_one(package, root), packages), 1):
            progress.update(f"{count} of {len(packages)} packages unpacked")


def _unpack_one(package: Path, root: Path) -> None:
    excludes = [f"--exclude=./{path}/*" for path in _UNNEEDED]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as source:
        done = subprocess.run(
            ["tar", "-x", "-C", str(root), "--keep-directory-symlink", "--no-same-owner", *excludes],
            stdin=source.stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    if done.returncode != 0 or source.returncode != 0:
        raise DevstackError(f"{package.name} could not be unpacked (disk full?): {done.stderr.strip()}")
    package.unlink()


def _settle(root: Path) -> None:
    """What the packages' maintainer scripts would have done."""
    etc = root / "etc"
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\npostgres:x:1000:1000:PostgreSQL:/tmp:/bin/sh\n", encoding="utf-8"
    )
    (etc / "group").write_text("root:x:0:\npostgres:x:1000:\n", encoding="utf-8")
    (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n", encoding="utf-8")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n", encoding="utf-8")
    extensions = root / f"usr/share/postgresql/{POSTGRES_MAJOR}/extension"
    _link(extensions / "postgis.control", "postgis-3.control")
    libraries = next((root / "usr/lib").glob("*-linux-gnu*"))
    for name in ("blas/libblas.so.3", "lapack/liblapack.so.3"):
        if (libraries / name).exists():
            _link(libraries / Path(name).name, name)
    command = sandbox_command(root, [], ["/usr/sbin/ldconfig"], writable_rootfs=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise DevstackError(
            "a program of the root file system could not be run with bwrap. If the message below speaks of "
            "namespaces or permissions, allow unprivileged user namespaces on this machine (sysctl "
            "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0; in a container: "
            f"--security-opt seccomp=unconfined), or set CAUSEWAY_STORE.\n{done.stderr.strip()}"
        )


def _link(path: Path, target: str) -> None:
    if not path.exists():
        path.symlink_to(target)


def _wrap_clients(root: Path, directory: Path, final: Path) -> None:
    """Scripts that run the programs outside the sandbox, with the root file system's own loader and libraries."""
    directory.mkdir()
    loader = next(
        path for path in (root / "usr/lib64", root / "usr/lib") for path in path.glob("ld-linux-*.so.*")
    )
    libraries = next((root / "usr/lib").glob("*-linux-gnu*"))
    inside = final / "root"
    for program in sorted((root / f"usr/lib/postgresql/{POSTGRES_MAJOR}/bin").iterdir()):
        script = directory / program.name
        script.write_text(
            "#!/bin/sh\n"
            f"exec '{inside / loader.relative_to(root)}' --library-path '{inside / libraries.relative_to(root)}' "
            f"'{inside / program.relative_to(root)}' \"$@\"\n",
            encoding="utf-8",
        )
        script.chmod(0o755)
