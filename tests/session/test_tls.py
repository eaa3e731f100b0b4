"""TLS contexts: what they verify, and that they follow their files."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from devstack.certificates import CertificateAuthority, make_certificates
from proxy.addresses import UpstreamTls
from proxy.session.tls import ReloadedContext, client_facing, upstream_facing


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(CertificateAuthority().write(tmp_path_factory.mktemp("ca") / "ca.pem"))


@pytest.mark.parametrize(
    ("mode", "root", "verifies", "checks_name"),
    [
        ("allow", False, False, False),
        ("prefer", False, False, False),
        ("prefer", True, False, False),
        ("require", False, False, False),
        ("require", True, True, False),
        ("verify-ca", True, True, False),
        ("verify-full", True, True, True),
    ],
)
def test_verification_follows_libpq(
    authority: str, mode: str, root: bool, verifies: bool, checks_name: bool
) -> None:
    context = upstream_facing(UpstreamTls(mode=mode, root_cert=authority if root else None)).get()  # type: ignore[arg-type]
    assert context.verify_mode == (ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE)
    assert context.check_hostname is checks_name


def test_the_systems_authorities_verify_in_full() -> None:
    context = upstream_facing(UpstreamTls(mode="verify-full", root_cert="system")).get()
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


def test_client_certificates_are_demanded_with_an_authority(tmp_path: Path) -> None:
    pairs = make_certificates(tmp_path)
    assert client_facing(pairs.proxy.cert, pairs.proxy.key, None).get().verify_mode == ssl.CERT_NONE
    assert client_facing(pairs.proxy.cert, pairs.proxy.key, pairs.ca).get().verify_mode == ssl.CERT_REQUIRED


def test_a_context_is_built_once_until_its_file_changes(tmp_path: Path) -> None:
    file, built = tmp_path / "tls.crt", []

    def build() -> ssl.SSLContext:
        text = file.read_text()
        if text == "bad":
            raise ssl.SSLError(1, "bad file")
        built.append(text)
        return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def put(text: str) -> None:
        """A new file in the old one's place, as renewals do it."""
        (tmp_path / "new").write_text(text)
        os.replace(tmp_path / "new", file)

    put("one")
    context = ReloadedContext(build, [file])
    first = context.get()
    assert context.get() is first
    put("two")
    second = context.get()
    assert second is not first
    put("bad")
    assert context.get() is second
    file.unlink()
    assert context.get() is second
    put("three")
    assert context.get() is not second
    assert built == ["one", "two", "three"]


def test_a_bad_file_at_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        client_facing(tmp_path / "missing.crt", None, None)
