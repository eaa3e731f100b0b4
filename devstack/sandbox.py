"""Running a program of the root file system as an unprivileged user, without root (bubblewrap)."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from devstack.errors import DevstackError

_DIRECTORIES = ("usr", "etc", "var")
_LINKS = ("bin", "lib", "lib64", "sbin")


def sandbox_command(
    rootfs: Path,
    writable: Sequence[Path],
    command: Sequence[str],
    *,
    readable: Sequence[Path] = (),
    writable_rootfs: bool = False,
) -> list[str]:
    """`command` with `rootfs` as its root, read-only, and `writable` and `readable` at the same paths as outside.

    It has its own process and user name spaces (uid 1000: the account `postgres` of the root file
    system) and the machine's network, and is killed with the process that runs it.
    `writable_rootfs`: for building it; the program is then root in there.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise DevstackError("bwrap is missing: `apt-get install bubblewrap`")
    user = "0" if writable_rootfs else "1000"
    argv = [bwrap, "--unshare-user", "--uid", user, "--gid", user, "--unshare-pid", "--die-with-parent"]
    for name in _DIRECTORIES:
        argv += ["--bind" if writable_rootfs else "--ro-bind", str(rootfs / name), f"/{name}"]
    for name in _LINKS:
        if (rootfs / name).is_symlink():
            argv += ["--symlink", f"usr/{name}", f"/{name}"]
    argv += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/dev/shm", "--tmpfs", "/tmp", "--tmpfs", "/run"]
    for path in readable:
        argv += ["--ro-bind", str(path), str(path)]
    for path in writable:
        argv += ["--bind", str(path), str(path)]
    return [*argv, "--", *command]
