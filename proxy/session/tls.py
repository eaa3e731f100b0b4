"""TLS contexts for both legs, reloaded when their files change.

A context is built once and used for every handshake until one of its files has another modification time, so a
renewed certificate (a Kubernetes Secret's symlink swap included) is taken by the next connection without a signal.
A file that cannot be used leaves the last good context in force.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

from proxy.addresses import UpstreamTls
from proxy.logs import get_logger
from proxy.wire.startup import ALPN_PROTOCOL

log = get_logger(__name__)

_Stamp = tuple[tuple[int, int] | None, ...]


class ReloadedContext:
    """An SSLContext that follows its files."""

    def __init__(self, build: Callable[[], ssl.SSLContext], files: Iterable[str | Path]) -> None:
        """Raises OSError or ssl.SSLError if the files cannot be used now."""
        self._build = build
        self._files = tuple(Path(file) for file in files)
        self._stamp = self._read_stamp()
        self._context = build()

    def get(self) -> ssl.SSLContext:
        """The context for the next handshake."""
        stamp = self._read_stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._context = self._build()
            except OSError as error:  # ssl.SSLError is one
                log.error("tls_reload_failed", files=[str(f) for f in self._files], error=str(error))
            else:
                log.info("tls_reloaded", files=[str(f) for f in self._files])
        return self._context

    def _read_stamp(self) -> _Stamp:
        stamps: list[tuple[int, int] | None] = []
        for file in self._files:
            try:
                found = file.stat()
            except OSError:
                stamps.append(None)
            else:
                stamps.append((found.st_mtime_ns, found.st_ino))
        return tuple(stamps)


def client_facing(cert: Path, key: Path | None, client_ca: Path | None) -> ReloadedContext:
    """The context clients shake hands with; with `client_ca` they must show a certificate signed by it."""

    def build() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        context.set_alpn_protocols([ALPN_PROTOCOL])
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    return ReloadedContext(build, [f for f in (cert, key, client_ca) if f is not None])


def upstream_facing(tls: UpstreamTls) -> ReloadedContext:
    """The context servers are shaken hands with, by libpq's rules for sslmode and sslrootcert.

    As in libpq, `require` with a root certificate verifies as `verify-ca` does (manual, "SSL Support"). What does
    not go together, `system` with less than `verify-full` for one, `parse_upstream` has refused.
    """
    verifies = tls.mode in ("verify-ca", "verify-full") or (tls.mode == "require" and bool(tls.root_cert))

    def build() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = tls.mode == "verify-full"
        context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
        context.set_alpn_protocols([ALPN_PROTOCOL])
        if tls.root_cert == "system":
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        elif tls.root_cert is not None:
            context.load_verify_locations(tls.root_cert)
        if tls.cert is not None:
            context.load_cert_chain(tls.cert, tls.key)
        return context

    files = [f for f in (tls.root_cert, tls.cert, tls.key) if f is not None and f != "system"]
    return ReloadedContext(build, files)
