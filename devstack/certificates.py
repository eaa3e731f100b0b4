"""A throw-away certificate authority for TLS between application, proxy and PostgreSQL.

Elliptic-curve keys (P-256, SHA-256): made in a millisecond, and SHA-256 is what
`tls-server-end-point` channel binding then uses.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID_FOR = datetime.timedelta(days=30)
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
CLIENT_ROLE = "causeway_cert"
"""Common name of the client certificate: the PostgreSQL role that `cert` authentication lets in with it."""


@dataclass(frozen=True)
class KeyPair:
    """Paths of a PEM certificate and of its private key (mode 0600)."""

    cert: Path
    key: Path


@dataclass(frozen=True)
class Certificates:
    """What a TLS test needs; all issued by the authority in `ca`."""

    ca: Path
    server: KeyPair
    proxy: KeyPair
    client: KeyPair


class CertificateAuthority:
    """Issues certificates from a self-signed root. `write` puts that root where clients can trust it."""

    def __init__(self, name: str = "Causeway devstack CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        public = self._key.public_key()
        self._certificate = (
            _builder(self._name, self._name, public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def write(self, path: Path) -> Path:
        path.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        path.chmod(0o644)
        return path

    def issue_server(self, directory: Path, stem: str, names: Sequence[str] = LOOPBACK_NAMES) -> KeyPair:
        """A certificate for a server that is reached under `names` (host names or addresses)."""
        return self._issue(directory, stem, names[0], ExtendedKeyUsageOID.SERVER_AUTH, names)

    def issue_client(self, directory: Path, stem: str, common_name: str) -> KeyPair:
        """A certificate whose common name is a PostgreSQL role."""
        return self._issue(directory, stem, common_name, ExtendedKeyUsageOID.CLIENT_AUTH, ())

    def _issue(
        self,
        directory: Path,
        stem: str,
        common_name: str,
        purpose: x509.ObjectIdentifier,
        names: Sequence[str],
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = (
            _builder(subject, self._name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
            )
        certificate = builder.sign(self._key, hashes.SHA256())
        pair = KeyPair(directory / f"{stem}.crt", directory / f"{stem}.key")
        pair.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.cert.chmod(0o644)
        _write_private(
            pair.key,
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )
        return pair


def make_certificates(directory: Path) -> Certificates:
    """A new authority with one certificate each for the server, the proxy and a client, in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o755)
    authority = CertificateAuthority()
    return Certificates(
        ca=authority.write(directory / "ca.crt"),
        server=authority.issue_server(directory, "server"),
        proxy=authority.issue_server(directory, "proxy"),
        client=authority.issue_client(directory, "client", CLIENT_ROLE),
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + _VALID_FOR)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
