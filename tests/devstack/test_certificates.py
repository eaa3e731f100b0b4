"""The throw-away certificate authority."""

from __future__ import annotations

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from devstack.certificates import CertificateAuthority, KeyPair, make_certificates


def _handshake(server: KeyPair, trust: Path, name: str, client: KeyPair | None = None) -> str | None:
    """Connect to a server with `server`'s certificate; the common name it sees of the client."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(server.cert, server.key)
    server_context.load_verify_locations(trust)
    server_context.verify_mode = ssl.CERT_OPTIONAL
    client_context = ssl.create_default_context(cafile=str(trust))
    if client is not None:
        client_context.load_cert_chain(client.cert, client.key)
    near, far = socket.socketpair()
    seen: list[str | None] = [None]

    def serve() -> None:
        try:
            with server_context.wrap_socket(far, server_side=True) as tls:
                der = tls.getpeercert(binary_form=True)
                if der is not None:
                    subject = x509.load_der_x509_certificate(der).subject
                    seen[0] = str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
                tls.sendall(b"x")
        except OSError:
            far.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client_context.wrap_socket(near, server_hostname=name) as tls:
            tls.recv(1)
    finally:
        near.close()
        thread.join()
    return seen[0]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_server_and_proxy_are_trusted_under_their_names(tmp_path: Path, name: str) -> None:
    made = make_certificates(tmp_path)
    _handshake(made.server, made.ca, name)
    _handshake(made.proxy, made.ca, name)


def test_another_name_is_refused(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(made.server, made.ca, "elsewhere.example")


def test_another_authority_is_refused(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    other = CertificateAuthority("other").write(tmp_path / "other.crt")
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(made.server, other, "localhost")


def test_client_certificate_carries_the_role(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    assert _handshake(made.server, made.ca, "localhost", made.client) == "causeway_cert"


def test_private_keys_are_private(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    for pair in (made.server, made.proxy, made.client):
        assert stat.S_IMODE(pair.key.stat().st_mode) == 0o600
