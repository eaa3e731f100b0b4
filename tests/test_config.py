"""The settings' model: defaults, contradictions, secrets, and what is derived from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from pydantic import ValidationError

from proxy.addresses import TcpAddress, UnixAddress
from proxy.config import LIMITS, TIMES, Settings, json_schema, limits, settings_table


def settings(**values: Any) -> Settings:
    return Settings.model_validate({"upstream": "db:5432", **values})


def refusal(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        settings(**values)
    return str(caught.value)


def test_only_the_upstream_is_required() -> None:
    assert [row.name for row in settings_table() if row.required] == ["upstream"]
    assert settings().listen == (TcpAddress("127.0.0.1", 6432),)


def test_text_means_what_typed_values_mean() -> None:
    assert settings(
        listen="127.0.0.1:1,/run",
        admin="off",
        drain_timeout="1m30s",
        buffer_high_water="1MiB",
        workers="4",
        rules="/etc/rules",
        spool_fsync="on",
        spool_size="2GiB",
        tombstone_ttl="2w",
    ) == settings(
        listen=[TcpAddress("127.0.0.1", 1), UnixAddress("/run/.s.PGSQL.6432")],
        admin=None,
        drain_timeout=90.0,
        buffer_high_water=1 << 20,
        workers=4,
        rules=Path("/etc/rules"),
        spool_fsync=True,
        spool_size=2 << 30,
        tombstone_ttl=14 * 86400.0,
    )


def test_addresses_have_the_port_of_their_purpose() -> None:
    found = settings(listen="localhost", admin="localhost")
    assert found.listen == (TcpAddress("localhost", 6432),)
    assert found.admin == TcpAddress("localhost", 9187)
    assert found.upstream.hosts == (TcpAddress("db", 5432),)


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        ({}, "disable"),
        ({"tls_cert": "c", "tls_key": "k"}, "allow"),
        ({"tls_cert": "c", "tls_key": "k", "tls_client_ca": "a"}, "require"),
        ({"tls_cert": "c", "tls_key": "k", "tls_mode": "disable"}, "disable"),
    ],
)
def test_the_tls_mode_follows_from_the_files(values: dict[str, str], mode: str) -> None:
    assert settings(**values).tls_mode == mode


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"tls_mode": "require"}, "needs tls_cert"),
        ({"tls_mode": "allow"}, "needs tls_cert"),
        ({"tls_cert": "c"}, "belong together"),
        ({"tls_key": "k"}, "belong together"),
        ({"tls_client_ca": "a"}, "needs tls_cert"),
        (
            {"tls_cert": "c", "tls_key": "k", "tls_client_ca": "a", "tls_mode": "allow"},
            "set tls_mode=require",
        ),
        ({"listen": "a:1,a:1"}, "a:1 stands twice"),
        ({"listen": "db:5432"}, "both the upstream and a listening address"),
        ({"listen": "a:1", "admin": "a:1"}, "both the admin and a listening address"),
        ({"listen": ()}, "at least one"),
        ({"workers": 3, "max_connections": 2}, "cannot share"),
        ({"workers": 0}, "greater than or equal to 1"),
        ({"connect_timeout": 0}, "greater than 0"),
        ({"keepalive_idle": "1500ms"}, "whole number of seconds"),
        ({"max_startup_packet": "1B"}, "greater than or equal"),
        ({"store": "postgresql://x"}, "write mongodb://"),
        ({"control_dsn": "mongodb://x"}, "write postgresql://"),
        ({"upstrem": "x"}, "Extra inputs"),
        ({"rules": "a\0b"}, "zero bytes"),
        ({"spool_fsync": "perhaps"}, "valid boolean"),
        ({"spool_size": "1KiB"}, "greater than or equal"),
        ({"tombstone_ttl": "1s"}, "greater than or equal"),
        ({"proxy_lost_after": "3s", "heartbeat_interval": "2s"}, "less than two heartbeats of 2s"),
    ],
)
def test_what_cannot_be_is_refused(values: dict[str, Any], says: str) -> None:
    assert says in refusal(**values)


def test_several_ports_chosen_by_the_system_are_no_contradiction() -> None:
    assert len(settings(listen="h:0,h:0", admin="h:0").listen) == 2


def test_no_secret_is_shown() -> None:
    found = settings(store="mongodb://u:hunter2@h", control_dsn="postgresql://u:hunter2@h/d")
    assert "hunter2" not in repr(found) + str(found) + found.model_dump_json()
    assert "hunter2" not in refusal(store="mysql://u:hunter2@h", workers="hunter2")


def test_a_worker_is_told_the_same_settings() -> None:
    found = settings(
        listen="[::1]:0,/run/causeway:7",
        upstream="postgresql://%2Frun%2Fpg:5,b/?sslmode=verify-full&sslrootcert=system",
        store="mongodb://u:hunter2@h",
        admin="off",
        drain_timeout="1500ms",
        tls_cert="c",
        tls_key="k",
        tls_client_ca="a",
        rules="/etc/rules",
    )
    assert Settings.model_validate(found.reveal()) == found


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        settings().workers = 2  # type: ignore[misc]


def test_every_limit_and_time_is_shown_by_its_name() -> None:
    names = {row.name for row in settings_table() if row.doc.group in (LIMITS, TIMES)}
    shown = limits(settings(max_connections=7, drain_timeout="2m"))
    assert shown.keys() == names
    assert (shown["max_connections"], shown["drain_timeout"]) == (7, 120)
    numeric = {name for name, field in Settings.model_fields.items() if field.annotation in (int, float)}
    assert numeric - names == {"workers"}


@pytest.mark.parametrize("row", settings_table(), ids=lambda row: row.name)
def test_every_setting_is_described(row: Any) -> None:
    assert len(row.description) > 10
    assert row.description.endswith(".")


@pytest.mark.parametrize(
    "row", [row for row in settings_table() if row.default and not row.doc.default], ids=lambda row: row.name
)
def test_the_default_in_words_is_the_default(row: Any) -> None:
    assert settings(**{row.name: row.default}) == settings()


def test_the_schema_accepts_what_the_model_does() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    good = {
        "listen": ["127.0.0.1:1", "/run"],
        "upstream": "db",
        "store_file": "/run/secrets/store",
        "drain_timeout": "1m30s",
        "close_timeout": 3,
        "max_connections": 5,
        "spool_fsync": True,
    }
    jsonschema.validate(good, schema)
    assert schema["properties"]["spool_fsync"]["default"] is False
    for bad in ({"upstrem": "db"}, {"drain_timeout": "soon"}, {"workers": 0}, {"tls_mode": "maybe"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)
