"""compose.yaml, without a Docker engine: references resolve, and Causeway's settings are accepted."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from proxy.addresses import TcpAddress
from proxy.config import Settings
from proxy.units import parse_duration
from tests.packaging import dockerfile
from tests.packaging.settings import settings_from_environment

TOP = Path(__file__).parents[2]

SERVICE_KEYS = {
    "build", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck", "image",
    "ports", "profiles", "read_only", "restart", "security_opt", "stop_grace_period", "tmpfs", "volumes",
}  # fmt: skip
"""Of the Compose Specification, those used here: a misspelt key fails."""
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}

Service = dict[str, Any]


@pytest.fixture
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((TOP / "compose.yaml").read_text())
    return loaded


@pytest.fixture
def services(compose: dict[str, Any]) -> dict[str, Service]:
    found: dict[str, Service] = compose["services"]
    return found


@pytest.fixture
def settings(services: dict[str, Service], tmp_path: Path) -> Settings:
    """Of the container: the image's environment under the service's."""
    image = dockerfile.parse((TOP / "Dockerfile").read_text())[-1].pairs("ENV")
    return settings_from_environment(image | services["causeway"]["environment"], tmp_path)


def test_only_known_keys(compose: dict[str, Any], services: dict[str, Service]) -> None:
    assert set(compose) == {"name", "services", "volumes"}
    for name, service in services.items():
        assert not set(service) - SERVICE_KEYS, name
        assert "image" in service, name


def test_dependencies_exist_and_can_become_true(services: dict[str, Service]) -> None:
    for name, service in services.items():
        for other, how in service.get("depends_on", {}).items():
            assert how["condition"] in CONDITIONS, (name, other)
            if how["condition"] == "service_healthy":
                # Causeway's check is in its image.
                assert "healthcheck" in services[other] or "build" in services[other], (name, other)


def test_volumes_are_declared_or_paths_that_exist(
    compose: dict[str, Any], services: dict[str, Service]
) -> None:
    used = set()
    for name, service in services.items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (TOP / source).exists(), (name, source)
            else:
                used.add(source)
    assert used == set(compose["volumes"])


def test_ports_are_published_on_loopback_only(services: dict[str, Service], settings: Settings) -> None:
    (listen,) = settings.listen
    assert isinstance(listen, TcpAddress)
    assert isinstance(settings.admin, TcpAddress)
    assert services["causeway"]["ports"] == [
        f"127.0.0.1:{port}:{port}" for port in (listen.port, settings.admin.port)
    ]
    assert not [name for name, service in services.items() if "ports" in service and name != "causeway"]


def test_the_upstream_and_the_store_are_services_here(
    services: dict[str, Service], settings: Settings
) -> None:
    (host,) = settings.upstream.hosts
    assert isinstance(host, TcpAddress)
    assert host.host in services
    assert settings.store is not None
    found = re.fullmatch(r"mongodb://(\w+):27017/\?replicaSet=(\w+)", settings.store.get_secret_value())
    assert found is not None
    assert found[1] in services
    assert found[2] in services[found[1]]["command"]
    assert f"_id: '{found[2]}'" in services["mongo-init"]["command"][-1]


def test_the_control_connection_goes_to_the_upstream_itself(
    services: dict[str, Service], settings: Settings
) -> None:
    assert settings.control_dsn is not None
    dsn = urlsplit(settings.control_dsn.get_secret_value())
    database = services["postgres"]["environment"]
    assert f"{dsn.hostname}:{dsn.port}" == str(settings.upstream.hosts[0])
    assert (dsn.username, dsn.password, dsn.path) == (
        database["POSTGRES_USER"],
        database["POSTGRES_PASSWORD"],
        "/" + database["POSTGRES_DB"],
    )


def test_psql_goes_through_causeway(services: dict[str, Service], settings: Settings) -> None:
    (listen,) = settings.listen
    assert isinstance(listen, TcpAddress)
    variables = services["psql"]["environment"]
    assert (variables["PGHOST"], variables["PGPORT"]) == ("causeway", str(listen.port))
    database = services["postgres"]["environment"]
    assert variables["PGUSER"] == database["POSTGRES_USER"]
    assert variables["PGPASSWORD"] == database["POSTGRES_PASSWORD"]
    assert variables["PGDATABASE"] == database["POSTGRES_DB"]


def test_the_proxy_is_confined_and_given_time_to_drain(
    services: dict[str, Service], settings: Settings
) -> None:
    causeway = services["causeway"]
    assert causeway["read_only"] is True
    assert causeway["cap_drop"] == ["ALL"]
    assert f"causeway-spool:{settings.spool}" in causeway["volumes"]
    assert f"./rules:{settings.rules}:ro" in causeway["volumes"]
    assert parse_duration(causeway["stop_grace_period"]) > 2 * (
        settings.drain_timeout + settings.store_timeout
    )


def test_one_version_everywhere(services: dict[str, Service]) -> None:
    version = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]["version"]
    assert services["causeway"]["image"] == f"causeway:{version}"
    sidecar = yaml.safe_load((TOP / "k8s/sidecar/sidecar.yaml").read_text())
    (container,) = sidecar["spec"]["template"]["spec"]["initContainers"]
    assert container["image"] == f"causeway:{version}"
