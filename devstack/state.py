"""What `devstack up` leaves behind for `status` and `down`: which process holds the stack, and where it listens."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.paths import state_dir

if TYPE_CHECKING:
    from devstack.stack import Stack


@dataclass(frozen=True)
class StackState:
    """One detached stack."""

    pid: int
    started: int
    """Start time of that process in clock ticks since boot: tells it from a later one of the same number."""
    postgres_version: str
    postgres_host: str
    postgres_port: int
    postgres_socket_dir: str
    postgres_dsn: str
    postgres_bin: str
    certificate_authority: str
    store_kind: str
    store_uri: str
    log: str

    @classmethod
    def of(cls, stack: Stack, log: Path) -> StackState:
        """This process holds `stack`."""
        postgres = stack.postgres
        started = start_time(os.getpid())
        assert started is not None
        return cls(
            pid=os.getpid(),
            started=started,
            postgres_version=postgres.version,
            postgres_host=postgres.host,
            postgres_port=postgres.port,
            postgres_socket_dir=str(postgres.socket_dir),
            postgres_dsn=postgres.dsn(),
            postgres_bin=str(postgres.pg_bin),
            certificate_authority=str(postgres.certificates.ca),
            store_kind=stack.document_store.kind,
            store_uri=stack.document_store.uri,
            log=str(log),
        )

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.started

    def json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)

    def text(self) -> str:
        """For people; a password in the store's URI is not shown."""
        uri = re.sub(r"(?<=//)([^:/@]+):[^@]*@", r"\1:***@", self.store_uri)
        return (
            f"PostgreSQL {self.postgres_version}: {self.postgres_dsn}\n"
            f"  socket directory {self.postgres_socket_dir}, programs {self.postgres_bin}\n"
            f"  certificate authority {self.certificate_authority}\n"
            f"document store ({self.store_kind}): {uri}\n"
            f"held by process {self.pid}, log {self.log}"
        )


def state_file() -> Path:
    return state_dir() / "stack.json"


def read_state() -> StackState | None:
    """The stack that is up, or None. What a dead process has left is removed."""
    path = state_file()
    try:
        state = StackState(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    if not state.alive:
        path.unlink(missing_ok=True)
        return None
    return state


def write_state(state: StackState) -> None:
    path = state_file()
    scratch = path.with_suffix(".new")
    scratch.touch(mode=0o600)
    scratch.write_text(state.json(), encoding="utf-8")
    scratch.replace(path)


def start_time(pid: int) -> int | None:
    """Field 22 of /proc/<pid>/stat; None where there is no such process, or it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])
