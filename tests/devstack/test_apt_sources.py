"""The machine's apt configuration, in both formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack.apt_sources import (
    Mirror,
    Source,
    debian_mirror,
    machine_mirror,
    machine_sources,
    parse_deb822,
    parse_list,
)
from devstack.errors import DevstackError

KEYRING = "/usr/share/keyrings/archive.gpg"


def test_one_line_format() -> None:
    text = """
# deb http://off.example/debian bookworm main
deb http://mirror.example/debian bookworm main contrib # a comment
deb-src http://mirror.example/debian bookworm main
deb [ arch=amd64 signed-by=/usr/share/keyrings/archive.gpg ] https://mirror.example/debian trixie main
nonsense
"""
    assert list(parse_list(text)) == [
        Source("http://mirror.example/debian", "bookworm", ("main", "contrib")),
        Source(
            "https://mirror.example/debian",
            "trixie",
            ("main",),
            (("arch", "amd64"), ("signed-by", KEYRING)),
        ),
    ]


def test_deb822_format() -> None:
    text = f"""
# A comment
Types: deb deb-src
URIs: http://one.example/debian
  http://two.example/debian
Suites: bookworm bookworm-updates
# another one inside a stanza
Components: main
Signed-By: {KEYRING}

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: sid
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: sid
Components: main
"""
    options = (("signed-by", KEYRING),)
    assert list(parse_deb822(text)) == [
        Source(f"http://{host}.example/debian", suite, ("main",), options)
        for host in ("one", "two")
        for suite in ("bookworm", "bookworm-updates")
    ]


def test_deb822_with_an_embedded_key() -> None:
    text = """Types: deb
URIs: http://mirror.example/debian
Suites: trixie
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
"""
    assert list(parse_deb822(text)) == [Source("http://mirror.example/debian", "trixie", ("main",))]


@pytest.mark.parametrize(
    ("uri", "suite", "components", "taken"),
    [
        ("http://mirror.example/debian", "bookworm", ("main",), True),
        ("https://mirror.example/debian/", "trixie", ("main", "contrib"), True),
        ("http://mirror.example/pub/debian/snapshot", "sid", ("main",), True),
        ("mirror+file:/etc/apt/mirrors/debian.list", "trixie", ("main",), True),
        ("http://mirror.example/debian", "bookworm-security", ("main",), False),
        ("http://mirror.example/debian-security", "bookworm", ("main",), False),
        ("http://mirror.example/debian", "bookworm", ("contrib",), False),
        ("http://mirror.example/ubuntu", "noble", ("main",), False),
        ("http://tools.example/apt", "stable", ("main",), False),
        ("cdrom:[Debian]/debian", "bookworm", ("main",), False),
    ],
)
def test_which_source_is_the_debian_archive(
    uri: str, suite: str, components: tuple[str, ...], taken: bool
) -> None:
    found = debian_mirror([Source(uri, suite, components)])
    assert found == (Mirror(uri) if taken else None)


def test_how_the_archive_is_trusted_is_kept() -> None:
    source = Source("http://m.example/debian", "sid", ("main",), (("arch", "amd64"), ("signed-by", KEYRING)))
    mirror = debian_mirror([source])
    assert mirror is not None
    assert mirror.line("forky") == f"deb [signed-by={KEYRING}] http://m.example/debian forky main"
    assert Mirror("http://m.example/debian").line("sid") == "deb http://m.example/debian sid main"


def test_files_of_a_machine_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://a.example/debian sid main\n")
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "2.list").write_text("deb http://c.example/debian sid main\n")
    (parts / "1.sources").write_text(
        "Types: deb\nURIs: http://b.example/debian\nSuites: sid\nComponents: main\n"
    )
    (parts / "old.list.save").write_text("deb http://x.example/debian sid main\n")
    assert [source.uri for source in machine_sources(tmp_path)] == [
        f"http://{name}.example/debian" for name in "abc"
    ]


def test_the_variable_goes_before_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAUSEWAY_DEBIAN_MIRROR", "http://chosen.example/debian")
    assert machine_mirror() == Mirror("http://chosen.example/debian")


def test_no_archive_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAUSEWAY_DEBIAN_MIRROR", raising=False)
    monkeypatch.setattr("devstack.apt_sources.machine_sources", lambda: iter(()))
    with pytest.raises(DevstackError, match="set CAUSEWAY_DEBIAN_MIRROR"):
        machine_mirror()
