"""Programs of this machine that devstack cannot do without."""

from __future__ import annotations

import os
import shutil
import subprocess

from devstack.errors import DevstackError
from devstack.progress import step

_APT_GET = ("apt-get", "-o", "DPkg::Lock::Timeout=120", "-y", "-q", "--no-install-recommends")


def ensure_program(program: str, package: str) -> str:
    """The path of `program`; where it is missing, its Debian package is installed, as root or with sudo."""
    path = shutil.which(program)
    if path is not None:
        return path
    remedy = f"`{program}` is missing: install it (Debian: `apt-get install {package}`)"
    if shutil.which("apt-get") is None:
        raise DevstackError(remedy)
    prefix = _privileged()
    if prefix is None:
        raise DevstackError(f"{remedy}. devstack would do it itself as root or with passwordless sudo")
    with step(f"installing {package}"):
        failure = _apt(prefix, "install", package)
        if failure is not None:
            failure = _apt(prefix, "update") or _apt(prefix, "install", package)
    path = shutil.which(program)
    if failure is not None or path is None:
        raise DevstackError(f"{remedy}. Trying it here failed:\n{failure}")
    return path


def _privileged() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    sudo = shutil.which("sudo")
    if sudo is None:
        return None
    allowed = subprocess.run([sudo, "-n", "true"], capture_output=True, timeout=30, check=False)
    return [sudo, "-n", "env"] if allowed.returncode == 0 else None


def _apt(prefix: list[str], *arguments: str) -> str | None:
    """None, or the end of what apt-get said."""
    command = [*prefix, *(["DEBIAN_FRONTEND=noninteractive"] if prefix else []), *_APT_GET, *arguments]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        timeout=600,
        check=False,
    )
    return None if done.returncode == 0 else "\n".join(done.stdout.splitlines()[-15:])
