"""Where settings come from: precedence, files of secrets, and complaints that name the source."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.addresses import TcpAddress
from proxy.config_sources import ConfigError, Flags, Loaded, load, unknown_variables, variables

UP = {"upstream": "db"}


def complaints(flags: Flags, environ: dict[str, str] | None = None, config: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(flags, environ or {}, config=str(config) if config else None)
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "causeway.yaml"


@pytest.mark.parametrize(
    ("flag", "variable", "in_file", "workers"),
    [
        ("2", "3", "4", 2),
        (None, "3", "4", 3),
        (None, None, "4", 4),
        (None, None, None, 1),
        ("2", None, "4", 2),
        (None, "", "4", 4),
    ],
)
def test_flag_before_variable_before_file_before_default(
    flag: str | None, variable: str | None, in_file: str | None, workers: int, config: Path
) -> None:
    config.write_text("" if in_file is None else f"workers: {in_file}\n")
    environ = {} if variable is None else {"CAUSEWAY_WORKERS": variable}
    found = load({**UP, "workers": flag}, environ, config=str(config))
    assert found.settings.workers == workers


def test_every_source_is_remembered(config: Path) -> None:
    config.write_text("\nworkers: 2\n")
    found = load(UP, {"CAUSEWAY_ADMIN": "off"}, config=str(config))
    assert found.sources == {
        "upstream": "--upstream",
        "admin": "CAUSEWAY_ADMIN",
        "workers": f"{config}:2",
    }


def test_the_file_can_be_named_by_a_variable_and_a_flag_goes_before(config: Path, tmp_path: Path) -> None:
    config.write_text("workers: 2\n")
    other = tmp_path / "other.yaml"
    other.write_text("workers: 3\n")
    environ = {"CAUSEWAY_CONFIG": str(config)}
    assert load(UP, environ).settings.workers == 2
    assert load(UP, environ, config=str(other)).settings.workers == 3


def test_lists_come_repeated_separated_or_as_yaml(config: Path) -> None:
    wanted = (TcpAddress("a", 1), TcpAddress("b", 2), TcpAddress("c", 3))
    config.write_text("listen: [a:1, 'b:2,c:3']\n")
    assert load({**UP, "listen": ["a:1,b:2", "c:3"]}, {}).settings.listen == wanted
    assert load(UP, {"CAUSEWAY_LISTEN": "a:1,b:2,c:3"}).settings.listen == wanted
    assert load(UP, {}, config=str(config)).settings.listen == wanted


@pytest.mark.parametrize("text", ["", "# nothing\n", "workers:\n", "workers: null\n", "{}\n"])
def test_an_empty_file_or_value_changes_nothing(text: str, config: Path) -> None:
    config.write_text(text)
    assert load(UP, {}, config=str(config)) == load(UP, {})


def test_the_file_reads_text_as_a_flag_does(config: Path) -> None:
    config.write_text("admin: off\nworkers: 010\nstartup_timeout: 90\nspool: 2024-01-01\n")
    found = load(UP, {}, config=str(config)).settings
    assert (found.admin, found.workers, found.startup_timeout) == (None, 10, 90)
    assert found.spool == Path("2024-01-01")


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("workers: 1\nlsten: a\n", ":2", "unknown setting 'lsten'; did you mean listen?"),
        ("tls-mode: allow\n", ":1", "did you mean tls_mode?"),
        ("workers: 1\nadmin: off\nworkers: 2\n", ":3", "workers stands twice, first at"),
        ("workers: [1]\n", ":1", "workers takes one value"),
        ("listen: {a: 1}\n", ":1", "listen takes one value, or a list"),
        ("listen: [[a]]\n", ":1", "listen takes one value, or a list"),
        ("- a\n", ":1", "write `setting: value` lines"),
        ("workers: 1\n\tadmin: off\n", ":2", "not YAML"),
        ("a: &a [*a]\n", ":1", "unknown setting 'a'"),
        ("workers: many\n", ":1", "workers: 'many' is not a whole number"),
        ("? [a]\n: b\n", ":1", "unknown setting"),
    ],
)
def test_complaints_about_the_file_name_the_line(text: str, line: str, says: str, config: Path) -> None:
    config.write_text(text)
    found = complaints(UP, config=config)
    assert len(found) == 1
    assert found[0].startswith(f"{config}{line}: ")
    assert says in found[0]


def test_a_file_that_cannot_be_read_is_named_with_what_asked_for_it(tmp_path: Path) -> None:
    assert complaints(UP, config=tmp_path / "no.yaml") == [
        f"--config: {tmp_path}/no.yaml cannot be read: No such file or directory"
    ]
    assert complaints(UP, {"CAUSEWAY_CONFIG": str(tmp_path)}) == [
        f"CAUSEWAY_CONFIG: {tmp_path} cannot be read: Is a directory"
    ]
    (tmp_path / "latin").write_bytes(b"workers: \xff")
    assert "not text in UTF-8" in complaints(UP, config=tmp_path / "latin")[0]
    (tmp_path / "large").write_bytes(b"#" * (1 << 20) + b"\n")
    assert "larger than 1MiB" in complaints(UP, config=tmp_path / "large")[0]


@pytest.mark.parametrize(
    ("flags", "environ", "complaint"),
    [
        ({"workers": "x"}, {}, "--workers: 'x' is not a whole number"),
        ({}, {"CAUSEWAY_WORKERS": "0"}, "CAUSEWAY_WORKERS: '0' is too small; the least is 1"),
        ({"max_startup_packet": "2GiB"}, {}, "--max-startup-packet: '2GiB' is too large; the most is 1MiB"),
        ({"connect_timeout": "0"}, {}, "--connect-timeout: '0' is too small; it must be more than 0s"),
        ({"log_format": "xml"}, {}, "--log-format: 'xml' is not known here; write auto, console or json"),
        ({"tls_mode": "require"}, {}, "--tls-mode: tls_mode=require needs tls_cert and tls_key"),
        (
            {"tls_cert": "c"},
            {},
            "--tls-cert: tls_cert and tls_key belong together; give both or neither",
        ),
        (
            {"listen": ["db:5432"]},
            {},
            "--upstream and --listen: db:5432 is both the upstream and a listening address",
        ),
        (
            {"workers": "9"},
            {"CAUSEWAY_MAX_CONNECTIONS": "3"},
            "--workers and CAUSEWAY_MAX_CONNECTIONS: 9 workers cannot share 3 connections; give each one",
        ),
        (
            {},
            {"CAUSEWAY_STORE": "mysql://u:hunter2@h"},
            "CAUSEWAY_STORE: not a URI of this kind; write mongodb://USER:PASSWORD@HOST:PORT/...",
        ),
        (
            {"store": "mongodb://u:hunter2@h", "store_file": "/x"},
            {},
            "--store and --store-file: give the secret or the file that holds it, not both",
        ),
    ],
)
def test_complaints_name_flag_or_variable(
    flags: dict[str, str], environ: dict[str, str], complaint: str
) -> None:
    assert complaints({**UP, **flags}, environ) == [complaint]


def test_a_missing_upstream_names_all_ways_to_give_it() -> None:
    assert complaints({}) == [
        "upstream: not given; write --upstream, CAUSEWAY_UPSTREAM or `upstream:` in a file"
    ]
    assert load({}, {}, upstream_optional=True).settings.upstream.hosts == ()


def test_all_complaints_come_at_once(config: Path) -> None:
    config.write_text("lsten: a\nspool: [x]\n")
    found = complaints({"workers": "x"}, {"CAUSEWAY_ADMIN": ":1"}, config)
    assert len(found) == 5
    assert {problem.split(": ")[0] for problem in found} == {
        "--workers",
        "CAUSEWAY_ADMIN",
        "upstream",
        f"{config}:1",
        f"{config}:2",
    }


def secret_of(found: Loaded) -> str:
    assert found.settings.store is not None
    return found.settings.store.get_secret_value()


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@pytest.mark.parametrize("way", ["flag", "variable", "file"])
def test_a_secret_can_be_in_a_file(way: str, end: str, tmp_path: Path, config: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"mongodb://u:hunter2@h" + end.encode())
    config.write_text(f"store_file: {secret}\n" if way == "file" else "")
    flags = {**UP, "store_file": str(secret) if way == "flag" else None}
    environ = {"CAUSEWAY_STORE_FILE": str(secret)} if way == "variable" else {}
    found = load(flags, environ, config=str(config))
    assert secret_of(found) == "mongodb://u:hunter2@h"
    assert "hunter2" not in repr(found)


def test_a_stronger_source_of_a_secret_goes_before_either_form(tmp_path: Path) -> None:
    found = load({**UP, "store": "mongodb://flag"}, {"CAUSEWAY_STORE_FILE": str(tmp_path / "none")})
    assert secret_of(found) == "mongodb://flag"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"\xff", "is not text in UTF-8"),
        (b"x" * (64 << 10) + b"x", "is larger than 64KiB"),
    ],
)
def test_a_file_of_a_secret_that_is_no_good(content: bytes | None, says: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    assert complaints(UP, {"CAUSEWAY_STORE_FILE": str(secret)}) == [f"CAUSEWAY_STORE_FILE: {secret} {says}"]


def test_what_a_secret_file_holds_is_not_repeated(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    found = complaints(UP, {"CAUSEWAY_STORE_FILE": str(secret)})
    assert found[0].startswith(f"CAUSEWAY_STORE_FILE ({secret}): ")
    assert "hunter2" not in found[0]


def test_an_unknown_variable_is_a_warning_with_a_guess() -> None:
    found = load(UP, {"CAUSEWAY_WORKER": "hunter2", "CAUSEWAY_XYZZY": "1", "OTHER": "1"})
    assert [str(warning) for warning in found.warnings] == [
        "CAUSEWAY_WORKER: unknown variable, ignored; did you mean CAUSEWAY_WORKERS?",
        "CAUSEWAY_XYZZY: unknown variable, ignored",
    ]


@pytest.mark.parametrize(
    "name",
    [
        *variables(),
        "CAUSEWAY_SERVICE_HOST",
        "CAUSEWAY_SERVICE_PORT_POSTGRES",
        "CAUSEWAY_PORT",
        "CAUSEWAY_PORT_6432_TCP_ADDR",
        "CAUSEWAY_ADMIN_PORT_9187_TCP",
        "CAUSEWAY_TEST_DIRECT",
    ],
)
def test_known_variables_and_those_of_kubernetes_are_not_warned_about(name: str) -> None:
    assert unknown_variables({name: "1"}) == []


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        found = str(load(UP, {}, config=str(path)).settings.upstream)
    except ConfigError as error:
        found = str(error)
    assert found
