"""Where devstack keeps what it builds (cache) and what it runs (throw-away instances)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_dir() -> Path:
    """`$XDG_CACHE_HOME/causeway`, by default `~/.cache/causeway`; made if absent."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    path = Path(base) / "causeway"
    path.mkdir(parents=True, exist_ok=True)
    return path


def state_dir() -> Path:
    """Where `devstack up` leaves its state and log; readable by this user only."""
    path = cache_dir() / "run"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def new_instance_dir(kind: str) -> Path:
    """A fresh directory for one server.

    Directly under the temporary directory because a Unix socket's path may not pass 107 bytes, and
    because a server that runs as another user cannot reach into a private home directory.
    """
    path = Path(tempfile.mkdtemp(prefix=f"causeway-{kind}-"))
    path.chmod(0o755)
    return path
