"""`causeway run` as its users have it: a process, signals, the admin interface, rule files that change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.postgres import PostgresServer
from tests.support.proxy import ProxyProcess
from tests.support.raw import RawClient
from tests.support.waiting import PATIENCE, eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A directory as Kubernetes mounts a ConfigMap: files behind the `..data` link."""
    directory = tmp_path / "rules"
    directory.mkdir()
    mount(directory, "one", "tables: {orders: {phase: passthrough}}\n")
    (directory / "shop.yaml").symlink_to("..data/shop.yaml")
    return directory


def mount(directory: Path, version: str, text: str) -> None:
    """Swaps `..data` to a new version, atomically."""
    (directory / f"..{version}").mkdir()
    (directory / f"..{version}" / "shop.yaml").write_text(text)
    (directory / "..data_tmp").symlink_to(f"..{version}")
    os.replace(directory / "..data_tmp", directory / "..data")


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def proxy(postgres: PostgresServer, rules: Path, request: pytest.FixtureRequest) -> Iterator[ProxyProcess]:
    with ProxyProcess(
        upstream=f"postgresql://{postgres.host}:{postgres.port}/?sslmode=disable",
        rules=str(rules),
        admin="127.0.0.1:0",
        workers=request.param,
        drain_timeout="10m",
        max_connections=50,
    ) as running:
        yield running


def get(proxy: ProxyProcess, path: str) -> tuple[int, Any]:
    """Status and body, parsed where it is JSON."""
    try:
        with urllib.request.urlopen(f"http://{proxy.admin}{path}", timeout=PATIENCE) as answer:
            status, body = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            status, body = error.code, error.read().decode()
    return status, json.loads(body) if body.startswith("{") else body


def table(proxy: ProxyProcess) -> dict[str, Any]:
    return dict(get(proxy, "/status")[1]["tables"][0])


def metric(proxy: ProxyProcess, start: str) -> float:
    """The sum of the samples whose line begins with `start`."""
    lines = get(proxy, "/metrics")[1].splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start))


def connect(proxy: ProxyProcess) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=proxy.host, port=proxy.port, user="postgres", dbname="postgres", autocommit=True
    )


def test_rules_reload_by_configmap_swap_under_connections(proxy: ProxyProcess, rules: Path) -> None:
    with connect(proxy) as connection:
        assert table(proxy)["requested"] == "passthrough"
        mount(rules, "two", "tables: {orders: {phase: primary_switch}}\n")
        eventually(lambda: table(proxy)["requested"] == "primary_switch")
        held = table(proxy)
        assert held["effective"] == "passthrough"
        assert held["reasons"]
        assert connection.execute("select 1").fetchone() == (1,)


def test_bad_rules_change_nothing_and_are_shown_until_repaired(proxy: ProxyProcess, rules: Path) -> None:
    workers = get(proxy, "/status")[1]["workers"]
    digest = get(proxy, "/status")[1]["rules"]["digest"]
    mount(rules, "bad", "tables:\n  orders:\n    phase: nonsense\n")
    proxy.wait_for("rules_rejected")
    logged = proxy.wait_for("rules_problem")
    assert (os.path.basename(logged["file"]), logged["line"]) == ("shop.yaml", 3)
    eventually(lambda: bool(get(proxy, "/status")[1]["rules"]["problems"]))
    status = get(proxy, "/status")[1]
    (problem, *_) = status["rules"]["problems"]
    assert (problem["line"], problem["key_path"]) == (3, "tables.orders.phase")
    assert table(proxy)["requested"] == "passthrough"
    code, readiness = get(proxy, "/readyz")
    assert code == 200
    assert readiness["rules_problems"][0]["line"] == 3
    eventually(lambda: metric(proxy, 'causeway_rules_reloads_total{result="rejected"}') == workers)
    mount(rules, "good", "tables: {orders: {phase: passthrough}}\n")
    eventually(lambda: not get(proxy, "/status")[1]["rules"]["problems"])
    assert get(proxy, "/readyz")[1]["rules_problems"] == []
    assert get(proxy, "/status")[1]["rules"]["digest"] == digest


def test_sighup_reloads(proxy: ProxyProcess) -> None:
    workers = get(proxy, "/status")[1]["workers"]
    proxy.signal(signal.SIGHUP)
    eventually(lambda: metric(proxy, "causeway_rules_reloads_total") == workers)


def test_metrics_count_what_passes(proxy: ProxyProcess) -> None:
    for _ in range(4):
        with connect(proxy) as connection:
            connection.execute("select 1")
            with pytest.raises(psycopg.errors.DivisionByZero):
                connection.execute("select 1/0")
    eventually(lambda: metric(proxy, "causeway_client_connections ") == 0)
    assert metric(proxy, 'causeway_statements_total{verb="SELECT"}') == 4
    assert metric(proxy, 'causeway_errors_total{sqlstate_class="22"}') == 4
    assert metric(proxy, "causeway_connections_total") == 4
    assert metric(proxy, "causeway_bytes_total{") > 100
    assert metric(proxy, "causeway_own_share_seconds_count") > 8


def test_health_and_readiness(proxy: ProxyProcess) -> None:
    assert get(proxy, "/healthz")[0] == 200
    assert get(proxy, "/readyz")[0] == 200
    with connect(proxy) as connection:
        connection.execute("begin")
        proxy.signal(signal.SIGTERM)
        eventually(lambda: get(proxy, "/readyz")[0] == 503)
        assert get(proxy, "/healthz")[0] == 200
        connection.execute("commit")
    assert proxy.wait() == 0


def test_sigterm_drains_and_a_second_one_does_not_wait(proxy: ProxyProcess) -> None:
    with RawClient((proxy.host, proxy.port)) as client:
        client.login()
        client.query("begin")
        proxy.signal(signal.SIGTERM)
        proxy.wait_for("draining")
        assert client.query("select 1")[-1] == ("Z", b"T")
        proxy.signal(signal.SIGTERM)
        assert client.error()["C"] == "57P01"
        client.close()
        assert proxy.wait() == 0  # long before the ten minutes that a drain may take


def test_no_secret_and_no_parameter_reaches_the_log(postgres: PostgresServer) -> None:
    with ProxyProcess(
        upstream=f"postgresql://{postgres.host}:{postgres.port}/?sslmode=disable",
        log_level="debug",
        env={"CAUSEWAY_STORE": "mongodb://user:hunter2@127.0.0.1:1/"},
    ) as proxy:
        with psycopg.connect(
            host=proxy.host, port=proxy.port, user="causeway_scram", password="secret", dbname="postgres"
        ) as connection:
            connection.execute("select %s::text", ["a private matter"])
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(
                host=proxy.host, port=proxy.port, user="causeway_password", password="sesame"
            ).close()
        proxy.stop()
        said = "\n".join(proxy.log)
    assert said
    for private in ("hunter2", "a private matter", "sesame"):
        assert private not in said


def test_it_says_why_it_does_not_start(tmp_path: Path) -> None:
    process = ProxyProcess(upstream="127.0.0.1:1", rules=str(tmp_path / "missing"))
    with pytest.raises(AssertionError, match="ended before"):
        process.start()
    assert process.wait() == 1
    assert "missing" in process.log[-1]


def test_nothing_can_be_parsed_while_no_rule_needs_the_sql() -> None:
    """The parser is not even loaded by a proxy that relays."""
    program = "import sys, proxy.run, proxy.worker, proxy.cli; sys.exit('pglast' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0
