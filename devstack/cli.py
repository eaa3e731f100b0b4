"""`python -m devstack`: up, down, status, prepare.

What starts servers is imported where it is used: `status` and `down` answer at once.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from devstack.cache import exclusive
from devstack.choices import CHOICE_VARIABLE, STORE_VARIABLE
from devstack.errors import DevstackError
from devstack.paths import state_dir
from devstack.state import StackState, read_state, state_file, write_state

_DOWN_SECONDS = 30.0
NOT_RUNNING = 3
"""Exit code of `status` where nothing is up, as of init scripts."""


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        code: int = options.run(options)
    except DevstackError as error:
        print(f"devstack: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m devstack", description="A PostgreSQL and a document database on this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    def add(name: str, text: str, run: object, *, json_flag: bool = False, choices: bool = False) -> None:
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=run, json=False)
        if json_flag:
            command.add_argument("--json", action="store_true", help="print machine-readable output")
        if choices:
            command.add_argument(
                "--postgres", help=f"system, rootfs or a directory of binaries (default ${CHOICE_VARIABLE})"
            )
            command.add_argument("--store", help=f"URI of a document store (default ${STORE_VARIABLE})")

    add("up", "start both, detached, and print where they listen", _up, json_flag=True, choices=True)
    add("down", "end what `up` has started", _down)
    add("status", "say what is up", _status, json_flag=True)
    add(
        "prepare", "install and build what is needed, once, without starting anything", _prepare, choices=True
    )
    add(
        "versions",
        "install the PostgreSQL servers of the other versions that tests run on",
        _versions,
    )
    add("hold", "run both in the foreground until SIGTERM (what `up` starts)", _hold, choices=True)
    return parser


def _up(options: argparse.Namespace) -> int:
    with exclusive("up"):
        state = read_state()
        if state is None:
            _spawn(options)
            state = read_state()
            if state is None:
                raise DevstackError(f"the stack did not come up; see {_log_path()}")
    print(state.json() if options.json else state.text())
    return 0


def _spawn(options: argparse.Namespace) -> None:
    """Start the process that holds the stack, and wait until it says that all is up, or ends."""
    command = [sys.executable, "-m", "devstack", "hold"]
    for name in ("postgres", "store"):
        value = getattr(options, name)
        if value is not None:
            command += [f"--{name}", value]
    project = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [project, os.environ.get("PYTHONPATH")]))
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd="/",
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        ready = process.stdout.read()
        if not ready:
            raise DevstackError(f"the stack did not come up (code {process.wait()}); the reason stands above")
        # It lives on; this object must not wait for it.
        process.returncode = 0


def _hold(options: argparse.Namespace) -> int:
    """Until SIGTERM. Progress goes to the caller's terminal; once up, everything goes to the log."""
    from devstack.stack import Stack

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    log = _log_path()
    with Stack(options.postgres, options.store) as stack:
        write_state(StackState.of(stack, log))
        print("ready", flush=True)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        os.close(descriptor)
        stop.wait()
        state_file().unlink(missing_ok=True)
    return 0


def _down(options: argparse.Namespace) -> int:
    with exclusive("up"):
        state = read_state()
        if state is None:
            print("nothing is up")
            return 0
        descriptor = os.pidfd_open(state.pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            ended, _, _ = select.select([descriptor], [], [], _DOWN_SECONDS)
        finally:
            os.close(descriptor)
        if not ended:
            raise DevstackError(
                f"process {state.pid} did not end within {_DOWN_SECONDS:.0f} s; see {state.log}. "
                f"`kill -9 {state.pid}` ends it and its servers"
            )
    print("stopped")
    return 0


def _status(options: argparse.Namespace) -> int:
    state = read_state()
    if options.json:
        print(state.json() if state is not None else json.dumps(None))
    else:
        print(state.text() if state is not None else "nothing is up")
    return 0 if state is not None else NOT_RUNNING


def _prepare(options: argparse.Namespace) -> int:
    from devstack.documentdb import DOCUMENTDB
    from devstack.installation import find_installation
    from devstack.mongod import mongod_program
    from devstack.postgres import SOURCE
    from devstack.template import template

    template(find_installation(options.postgres), SOURCE.kind, SOURCE.script, SOURCE.template_settings)
    given = options.store or os.environ.get(STORE_VARIABLE)
    if not given and mongod_program() is None:
        template(
            find_installation("rootfs"), DOCUMENTDB.kind, DOCUMENTDB.script, DOCUMENTDB.template_settings
        )
    print("devstack is ready")
    return 0


def _versions(options: argparse.Namespace) -> int:
    from devstack.installation import find_installation, system_major
    from devstack.postgres import SOURCE
    from devstack.prebuilt import PREBUILT, unavailable
    from devstack.template import template

    reason = unavailable()
    if reason:
        print(f"skipped: {reason}")
        return 0
    for major in PREBUILT:
        if major != system_major():
            template(find_installation(str(major)), SOURCE.kind, SOURCE.script, SOURCE.template_settings)
            print(f"PostgreSQL {major} is ready")
    return 0


def _log_path() -> Path:
    return state_dir() / "stack.log"
