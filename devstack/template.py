"""Freshly initialised data directories, made once per PostgreSQL version and then copied."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from devstack.accounts import give
from devstack.cache import cached_directory, remove_tree
from devstack.errors import DevstackError
from devstack.installation import Installation
from devstack.paths import new_instance_dir
from devstack.supervision import clean_environment

_INITDB = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
_TIMEOUT = 120.0


def template(
    installation: Installation, kind: str, script: str, settings: Mapping[str, str] | None = None
) -> Path:
    """The cached data directory that `initdb` made and in whose databases `script` was run.

    `script` is SQL for single-user mode, statements separated by a semicolon and an empty line. The lines
    `\\connect name` switch the database. `settings` are needed while it runs.
    """
    settings = settings or {}
    identity = repr((installation.version, _INITDB, script, sorted(settings.items())))
    digest = hashlib.sha256(identity.encode()).hexdigest()[:12]

    def build(target: Path) -> None:
        workspace = new_instance_dir("template")
        try:
            give(workspace, installation.account)
            data = workspace / "data"
            _run(installation, workspace, "initdb", *_INITDB, "-D", str(data))
            for database, part in _parts(script):
                options = [option for pair in settings.items() for option in ("-c", "=".join(pair))]
                _run(
                    installation,
                    workspace,
                    "postgres",
                    "--single",
                    "-j",
                    "-D",
                    str(data),
                    "-c",
                    "exit_on_error=on",
                    *options,
                    database,
                    script=part,
                )
            shutil.copytree(data, target / "data")
        finally:
            remove_tree(workspace)

    return cached_directory(f"template-{kind}-{installation.major}-{digest}", build) / "data"


def copy_template(source: Path, data: Path, installation: Installation) -> None:
    """A private copy of a template, owned by the account the server runs as."""
    shutil.copytree(source, data)
    data.chmod(0o700)
    give(data, installation.account)


def _parts(script: str) -> list[tuple[str, str]]:
    """The script cut at its `\\connect` lines: (database, SQL)."""
    parts: list[tuple[str, list[str]]] = [("postgres", [])]
    for line in script.splitlines():
        if line.startswith("\\connect "):
            parts.append((line.split()[1], []))
        else:
            parts[-1][1].append(line)
    return [(name, "\n".join(lines).strip() + "\n\n") for name, lines in parts if "".join(lines).strip()]


def _run(
    installation: Installation, workspace: Path, program: str, *arguments: str, script: str | None = None
) -> None:
    command = installation.server_command(program, *arguments, writable=[workspace])
    account = installation.account
    done = subprocess.run(
        command,
        input=script or "",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd="/",
        env=clean_environment(),
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        timeout=_TIMEOUT,
        check=False,
    )
    if done.returncode != 0:
        cause = f"signal {signal.Signals(-done.returncode).name}" if done.returncode < 0 else done.returncode
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise DevstackError(f"{program} of PostgreSQL {installation.version} ended with {cause}:\n{tail}")
