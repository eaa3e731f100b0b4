"""The command line: what each command prints, and its exit codes."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from typer.testing import CliRunner

import proxy.run
from proxy import __version__
from proxy.addresses import Address, TcpAddress
from proxy.admin.http import AdminServer
from proxy.admin.status import Status
from proxy.cli import app
from proxy.cli_common import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from proxy.config import Settings, settings_table
from tests.admin.sources import FixedSource

TOP = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from outside, and wide lines."""
    for row in settings_table():
        monkeypatch.delenv(row.variable, raising=False)
        monkeypatch.delenv(f"{row.variable}_FILE", raising=False)
    monkeypatch.delenv("CAUSEWAY_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "200")


def causeway(*arguments: str) -> Any:
    """The result of a command line: `exit_code`, `stdout`, `stderr`, and `output` of both."""
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that `causeway run` was to run; it ends at once with 0."""
    seen: list[Settings] = []

    def run(settings: Settings) -> int:
        seen.append(settings)
        return 0

    monkeypatch.setattr(proxy.run, "run", run)
    return seen


def test_version() -> None:
    result = causeway("version")
    assert (result.exit_code, result.stdout) == (EXIT_OK, f"causeway {__version__}\n")


def test_a_command_imports_only_what_it_needs() -> None:
    script = (
        "import sys; sys.argv = ['causeway', 'version']\n"
        "from proxy.cli import app\n"
        "app(standalone_mode=False)\n"
        "print(sorted(m for m in sys.modules if m.split('.')[0] in"
        " ('aiohttp', 'pymongo', 'asyncpg', 'uvloop', 'pglast') or m == 'proxy.config'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=TOP, timeout=60, check=True
    )
    assert done.stdout.splitlines() == [f"causeway {__version__}", "[]"]


def test_run_takes_every_source(ran: list[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("workers: 3\nadmin: off\n")
    monkeypatch.setenv("CAUSEWAY_ADMIN", "127.0.0.1:7")
    result = causeway(
        "run", "--config", str(config), "--upstream", "db", "--listen", "a:1", "--listen", "b:2,c:3"
    )
    assert result.exit_code == EXIT_OK
    (settings,) = ran
    assert settings.workers == 3
    assert settings.admin == TcpAddress("127.0.0.1", 7)
    assert [str(address) for address in settings.listen] == ["a:1", "b:2", "c:3"]


def test_the_exit_code_of_run_is_that_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.run, "run", lambda settings: 1)
    assert causeway("run", "--upstream", "db").exit_code == EXIT_FAILED


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "error: upstream: not given"),
        (["run", "--upstream", "db", "--workers", "x"], "error: --workers: 'x' is not a whole number"),
        (["run", "--upstream", "db", "--config", "/none.yaml"], "error: --config: /none.yaml cannot be read"),
        (["run", "--upstrem", "db"], "No such option"),
        (["fly"], "No such command"),
        (["schema", "--config", "--status"], "exclude each other"),
        (["status", "--json", "--watch"], "exclude each other"),
        (["status", "--admin", "off"], "nothing to ask"),
        (["status", "--interval", "0"], "interval"),
    ],
)
def test_wrong_usage_is_explained(arguments: list[str], says: str, ran: list[Settings]) -> None:
    result = causeway(*arguments)
    assert result.exit_code == EXIT_USAGE
    assert says in result.stderr
    assert ran == []


def test_a_refused_secret_is_not_repeated() -> None:
    result = causeway("run", "--upstream", "db", "--store", "mysql://u:hunter2@h")
    assert result.exit_code == EXIT_USAGE
    assert "--store: not a URI" in result.stderr
    assert "hunter2" not in result.output


def test_an_unknown_variable_is_warned_about(ran: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_WORKER", "3")
    result = causeway("run", "--upstream", "db")
    assert result.exit_code == EXIT_OK
    assert (
        result.stderr
        == "warning: CAUSEWAY_WORKER: unknown variable, ignored; did you mean CAUSEWAY_WORKERS?\n"
    )


def test_help_shows_every_setting_with_its_variable_and_default() -> None:
    text = re.sub(r"[│\s]+", " ", causeway("run", "--help").stdout)
    for row in settings_table():
        assert f"{row.flag} " in text
        assert row.variable in text
        assert f"default {row.default}" in text if row.default else True
    assert "[IPV6]:PORT" in text
    assert "--store-file" in text


@pytest.mark.parametrize("command", ["run", "check", "status", "schema", "version"])
def test_every_command_has_help(command: str) -> None:
    result = causeway(command, "--help")
    assert result.exit_code == EXIT_OK
    assert command in result.stdout


def schema(*arguments: str) -> dict[str, Any]:
    result = causeway("schema", *arguments)
    assert result.exit_code == EXIT_OK
    found: dict[str, Any] = json.loads(result.stdout)
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def test_schemas() -> None:
    rules = yaml.safe_load("tables: {orders: {phase: dual_write}}")
    jsonschema.validate(rules, schema())
    jsonschema.validate({"upstream": "db"}, schema("--config"))
    assert "tables" in schema("--status")["properties"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"tables": {"orders": {"phase": "fly"}}}, schema())


def test_check_of_rules_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("tables: {orders: {phase: passthrough}}")
    arguments = ["check", "--rules", str(path), "--listen", "127.0.0.1:0", "--admin", "off"]
    result = causeway(*arguments)
    assert result.exit_code == EXIT_OK
    assert re.search(r"rules .* ok .* tables: 1", result.stdout)
    path.write_text("tables: {orders: {phase: fly}}")
    result = causeway(*arguments, "--json")
    assert result.exit_code == EXIT_FAILED
    found = json.loads(result.stdout)
    assert found["ok"] is False
    (failure,) = [one for one in found["findings"] if one["outcome"] == "failed"]
    assert failure["subject"] == "rules"
    assert failure["detail"].startswith(f"{path}:1:")


@pytest.fixture
def admin() -> Iterator[Address]:
    """A running admin interface, in a thread with a loop of its own."""
    address: list[Address] = []
    ready, stop = Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = AdminServer(TcpAddress("127.0.0.1", 0), FixedSource())
        await server.start()
        address.append(server.address)
        ready.set()
        await stop.wait()
        await server.stop()

    thread = Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield address[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def test_status(admin: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    result = causeway("status", "--admin", str(admin))
    assert result.exit_code == EXIT_OK
    assert "3 of 100 clients" in result.stdout
    monkeypatch.setenv("CAUSEWAY_ADMIN", str(admin))
    result = causeway("status", "--json")
    assert Status.model_validate_json(result.stdout) == FixedSource().shown


def test_status_of_nobody() -> None:
    result = causeway("status", "--admin", "127.0.0.1:1")
    assert result.exit_code == EXIT_FAILED
    assert "127.0.0.1:1: Connection refused" in result.stderr
    assert "--admin" in result.stderr


def test_the_module_is_the_command_and_a_closed_pipe_is_no_traceback() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"'{sys.executable}' -m proxy schema --status | head -n 1"],
        capture_output=True,
        text=True,
        cwd=TOP,
        timeout=60,
        check=False,
    )
    assert done.stdout == "{\n"
    assert done.stderr == ""
