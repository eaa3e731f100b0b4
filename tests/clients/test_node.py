"""node-postgres and postgres.js: the scenarios of node/*.js, each in a process and a database of its own."""

from __future__ import annotations

import functools
import json
import os
import re
from pathlib import Path

import pytest

from tests.clients.endpoint import Endpoint
from tests.clients.programs import find_program, run
from tests.clients.reading import Readings, with_marker

pytestmark = pytest.mark.integration

HERE = Path(__file__).parent / "node"


def scenarios(script: str) -> list[str]:
    """The names in a script's table of scenarios, which `node script.js` without a name prints too."""
    source = (HERE / script).read_text(encoding="utf-8")
    entries = re.findall(r"^  (?:'([^']+)'|(\w+)): (?:async )?\(", source, re.MULTILINE)
    return [quoted or plain for quoted, plain in entries]


@functools.cache
def node_modules() -> str:
    """Installed once per lock file, outside the checkout."""
    find_program("npm", "nodejs npm")
    return run([str(HERE / "install.sh")], timeout=300).stdout.strip()


def node(endpoint: Endpoint, script: str, argument: str, **more: str) -> str:
    """What a script prints."""
    environment = endpoint.environment() | {
        "NODE_PATH": node_modules(),
        "SOCKET_DIRECTORY": endpoint.socket_directory,
        "SOCKET_PORT": str(endpoint.socket_port),
        "ROOT_CERTIFICATE": endpoint.root_certificate,
        **more,
    }
    command = [find_program("node", "nodejs"), "--unhandled-rejections=strict", str(HERE / script), argument]
    return run(command, environment).stdout


def run_scenario(endpoint: Endpoint, script: str, scenario: str) -> None:
    assert node(endpoint, script, scenario) == f"done: {scenario}\n"


@pytest.mark.parametrize("scenario", scenarios("node_postgres.js"))
def test_node_postgres(endpoint: Endpoint, scenario: str) -> None:
    run_scenario(endpoint, "node_postgres.js", scenario)


@pytest.mark.parametrize("scenario", scenarios("postgres_js.js"))
def test_postgres_js(endpoint: Endpoint, scenario: str) -> None:
    run_scenario(endpoint, "postgres_js.js", scenario)


@pytest.mark.parametrize("driver", ["node-postgres", "postgres.js"])
def test_reads_of_a_table(readings: Readings, driver: str) -> None:
    reads = json.dumps(with_marker("$1"))
    found = readings.same(lambda endpoint: node(endpoint, "reads.js", driver, READS=reads))
    assert found.count("in a block") >= len(with_marker("$1"))


@pytest.mark.parametrize("script", ["node_postgres.js", "postgres_js.js"])
def test_every_scenario_is_collected(script: str) -> None:
    listed = run(
        [find_program("node", "nodejs"), str(HERE / script)], os.environ | {"NODE_PATH": node_modules()}
    )
    assert listed.stdout.split("\n")[:-1] == scenarios(script)
