"""PostgreSQL's JDBC driver: the scenarios of jdbc/*.java, each in a process and a database of its own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.clients.endpoint import Endpoint
from tests.clients.programs import find_jar, find_program, run
from tests.clients.reading import READS, Readings

pytestmark = pytest.mark.integration

SOURCES = sorted((Path(__file__).parent / "jdbc").glob("*.java"))
JAR = os.environ.get("CAUSEWAY_JDBC_JAR", "/usr/share/java/postgresql.jar")


def scenarios() -> list[str]:
    """The names the sources register; `query mode ...` is registered once for each mode."""
    names: list[str] = []
    for name in ("Statements", "Streams", "Sessions"):
        source = (Path(__file__).parent / "jdbc" / f"{name}.java").read_text(encoding="utf-8")
        names += re.findall(r'scenarios\.put\("([^"]+)",', source)
        modes = re.search(r"new String\[\] \{(.*?)\}\) \{\n\s+scenarios\.put", source)
        if modes is not None:
            names += [f"query mode {mode}" for mode in re.findall(r'"(\w+)"', modes.group(1))]
    return names


@pytest.fixture(scope="session")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that runs `Main`, compiled for this session."""
    jar = find_jar(JAR, "libpostgresql-jdbc-java")
    compiler = find_program("javac", "default-jdk-headless")
    classes = tmp_path_factory.mktemp("jdbc")
    run([compiler, "-Xlint:all", "-Werror", "-d", str(classes), "-cp", jar, *map(str, SOURCES)])
    # One processor's worth of compiler and collector threads: start-up is most of what these processes do.
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]
    return [find_program("java", "default-jre-headless"), *quick, "-cp", f"{classes}:{jar}", "Main"]


@pytest.mark.parametrize("scenario", scenarios())
def test_jdbc(endpoint: Endpoint, java: list[str], scenario: str) -> None:
    environment = endpoint.environment() | {"ROOT_CERTIFICATE": endpoint.root_certificate}
    assert run([*java, scenario], environment).stdout == f"done: {scenario}\n"


def test_reads_of_a_table(readings: Readings, java: list[str]) -> None:
    command = [*java[:-1], "Reads", *(part for text, value in READS for part in (text, str(value)))]
    found = readings.same(lambda endpoint: run(command, endpoint.environment()).stdout)
    assert found.count("extendedCacheEverything") >= len(READS)


def test_every_scenario_is_collected(java: list[str]) -> None:
    assert sorted(run(java).stdout.splitlines()) == sorted(scenarios())
