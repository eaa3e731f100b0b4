"""Where the proxy listens and where it connects: addresses and the upstream, parsed from what people write.

The upstream is written as libpq writes hosts (PostgreSQL manual, "Connection URIs"), so that a connection
string that works for psql needs only its user, password and database taken out: the application brings those.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeGuard, get_args
from urllib.parse import parse_qsl, quote, unquote

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
SslNegotiation = Literal["postgres", "direct"]

POSTGRES_PORT = 5432
UNIX_PATH_MAX = 107
"""Bytes of a Unix socket's path that fit `sun_path` on Linux, without the closing zero byte."""


class AddressError(ValueError):
    """An unusable address or upstream; the message says what would be right and holds no credentials."""


@dataclass(frozen=True)
class TcpAddress:
    host: str
    """A name or a literal IPv4 or IPv6 address, without brackets."""
    port: int
    """0 to 65535; 0 lets the system choose and makes sense only for listening."""

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True)
class UnixAddress:
    path: str
    """The full path of the socket file."""

    def __str__(self) -> str:
        return f"unix:{self.path}"


Address = TcpAddress | UnixAddress


@dataclass(frozen=True)
class UpstreamTls:
    """TLS towards the upstream, with libpq's names and meanings. Never used on Unix sockets."""

    mode: SslMode = "prefer"
    negotiation: SslNegotiation = "postgres"
    root_cert: str | None = None
    """Path of a PEM file, or `system` for the machine's own certificate authorities."""
    cert: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Upstream:
    """The PostgreSQL server: hosts are tried in order until one accepts."""

    hosts: tuple[Address, ...]
    tls: UpstreamTls = UpstreamTls()

    def __str__(self) -> str:
        """A URI that `parse_upstream` reads back to an equal value."""
        query: dict[str, str] = {"sslmode": self.tls.mode}
        if self.tls.negotiation != "postgres":
            query["sslnegotiation"] = self.tls.negotiation
        for key, value in (
            ("sslrootcert", self.tls.root_cert),
            ("sslcert", self.tls.cert),
            ("sslkey", self.tls.key),
        ):
            if value is not None:
                query[key] = value
        hosts = ",".join(_uri_host(host) for host in self.hosts)
        return f"postgresql://{hosts}?" + "&".join(f"{k}={quote(v, safe='/.-_~')}" for k, v in query.items())


def parse_address(text: str, *, default_port: int = POSTGRES_PORT) -> Address:
    """An address as people write it.

    `host:port`, `host`, `[v6]:port`, `unix:/file`, `/file.sock`, `/dir` or `/dir:port` (the socket
    `.s.PGSQL.<port>` in that directory, as libpq means it). Raises `AddressError`.
    """
    text = text.strip()
    if not text:
        raise AddressError("the address is empty; write HOST:PORT or a socket's path")
    if text.startswith("unix:"):
        return _unix(text.removeprefix("unix:"))
    if text.startswith("/"):
        return _unix_in_directory(text, default_port)
    return _tcp(text, default_port)


def parse_upstream(text: str) -> Upstream:
    """The upstream: addresses separated by commas, or a `postgresql://` URI. Raises `AddressError`.

    User, password and database are refused wherever they stand: the application's own go through.
    """
    text = text.strip()
    if not text:
        raise AddressError(
            "the upstream is empty; write HOST:PORT, a socket directory or postgresql://HOST:PORT"
        )
    scheme, separator, rest = text.partition("://")
    if separator:
        if scheme not in ("postgresql", "postgres"):
            raise AddressError(f"{scheme}:// is not a PostgreSQL URI; write postgresql://HOST:PORT")
        return _parse_uri(rest)
    if "@" in text:
        raise AddressError(_CREDENTIALS.format(what="a user"))
    if re.search(r"(^|\s)\w+\s*=", text):
        raise AddressError(
            "key=value connection strings are not read here; write postgresql://HOST:PORT?sslmode=..."
        )
    return Upstream(_checked_hosts(parse_address(part) for part in text.split(",")))


_CREDENTIALS = "the upstream holds {what}; leave it out: the application's own credentials are passed through"
_TLS_KEYS = ("sslmode", "sslnegotiation", "sslrootcert", "sslcert", "sslkey")
_URI_KEYS = ("host", "port", *_TLS_KEYS)
_APPLICATION_KEYS = {
    "user": "a user",
    "password": "a password",
    "dbname": "a database",
    "passfile": "a password file",
}
_ELSEWHERE = {
    "connect_timeout": "set connect_timeout in Causeway's own settings",
    "target_session_attrs": "hosts are tried in order and the first that accepts is taken",
    "load_balance_hosts": "hosts are tried in order and the first that accepts is taken",
    "hostaddr": "write the address as the host",
    "application_name": "the application's own is passed through",
    "options": "the application's own are passed through",
    "keepalives_idle": "set keepalive_idle in Causeway's own settings",
    "keepalives_interval": "set keepalive_interval in Causeway's own settings",
    "keepalives_count": "set keepalive_count in Causeway's own settings",
    "requiressl": "write sslmode=require",
}


def _parse_uri(rest: str) -> Upstream:
    authority, _, query_text = rest.partition("?")
    authority, _, database = authority.partition("/")
    if "@" in authority:
        raise AddressError(_CREDENTIALS.format(what="a user or password"))
    if database:
        raise AddressError(_CREDENTIALS.format(what="a database") + " (a path is written with %2F)")
    query = _query(query_text)
    if authority and "host" in query:
        raise AddressError("the host stands twice, after // and as ?host=; keep one of them")
    if "host" in query:
        host_texts = query["host"].split(",")
    else:
        host_texts = [unquote(part) for part in _split_hosts(authority)]
    if "port" in query and any(re.search(r":[0-9]*$", host) for host in authority.split(",")):
        raise AddressError("the port stands twice, behind the host and as ?port=; keep one of them")
    ports = query["port"].split(",") if "port" in query else [str(POSTGRES_PORT)]
    if len(ports) == 1:
        ports *= len(host_texts)
    if len(ports) != len(host_texts):
        raise AddressError(
            f"{len(ports)} ports for {len(host_texts)} hosts; give one port for all, or one each"
        )
    hosts = _checked_hosts(
        parse_address(host, default_port=_port(port, minimum=1))
        for host, port in zip(host_texts, ports, strict=True)
    )
    return Upstream(hosts, _tls(query))


def _split_hosts(authority: str) -> list[str]:
    if not authority:
        raise AddressError("the URI names no host; write postgresql://HOST:PORT")
    return authority.split(",")


def _query(text: str) -> dict[str, str]:
    query: dict[str, str] = {}
    # libpq decodes %XX but leaves + as it is.
    for key, value in parse_qsl(text.replace("+", "%2B"), keep_blank_values=True):
        if key in _APPLICATION_KEYS:
            raise AddressError(_CREDENTIALS.format(what=_APPLICATION_KEYS[key]))
        if key not in _URI_KEYS:
            hint = _ELSEWHERE.get(key, f"known are {', '.join(_URI_KEYS)}")
            raise AddressError(f"{key!r} cannot be set in the upstream URI; {hint}")
        if key in query:
            raise AddressError(f"{key!r} stands twice in the upstream URI; keep one of them")
        if not value:
            raise AddressError(f"{key!r} has no value in the upstream URI")
        query[key] = value
    return query


def _tls(query: Mapping[str, str]) -> UpstreamTls:
    root_cert = query.get("sslrootcert")
    mode = query.get("sslmode", "verify-full" if root_cert == "system" else "prefer")
    if not _is_ssl_mode(mode):
        raise AddressError(f"sslmode={mode!r} is unknown; write one of {', '.join(get_args(SslMode))}")
    negotiation = query.get("sslnegotiation", "postgres")
    if not _is_ssl_negotiation(negotiation):
        raise AddressError(f"sslnegotiation={negotiation!r} is unknown; write postgres or direct")
    tls = UpstreamTls(mode, negotiation, root_cert, query.get("sslcert"), query.get("sslkey"))
    _check_tls(tls)
    return tls


def _check_tls(tls: UpstreamTls) -> None:
    if tls.mode in ("verify-ca", "verify-full") and tls.root_cert is None:
        raise AddressError(f"sslmode={tls.mode} needs sslrootcert: a PEM file, or 'system'")
    if tls.root_cert == "system" and tls.mode != "verify-full":
        raise AddressError(f"sslrootcert=system needs sslmode=verify-full, not {tls.mode} (as in libpq)")
    if tls.negotiation == "direct" and tls.mode in ("disable", "allow", "prefer"):
        raise AddressError(
            f"sslnegotiation=direct needs sslmode=require or stronger, not {tls.mode} (as in libpq)"
        )
    if (tls.cert is None) != (tls.key is None):
        raise AddressError("sslcert and sslkey belong together; give both or neither")


def _is_ssl_mode(text: str) -> TypeGuard[SslMode]:
    return text in get_args(SslMode)


def _is_ssl_negotiation(text: str) -> TypeGuard[SslNegotiation]:
    return text in get_args(SslNegotiation)


def _checked_hosts(hosts: Iterable[Address]) -> tuple[Address, ...]:
    checked: list[Address] = []
    for host in hosts:
        if isinstance(host, TcpAddress) and host.port == 0:
            raise AddressError(f"{host}: port 0 cannot be connected to; ports are 1 to 65535")
        if host in checked:
            raise AddressError(f"{host} stands twice; hosts are tried in order, once each")
        checked.append(host)
    return tuple(checked)


_SOCKET_FILE = re.compile(r"(.*)/\.s\.PGSQL\.([0-9]+)", re.DOTALL)


def _unix(path: str) -> UnixAddress:
    if not path.startswith("/"):
        raise AddressError(f"{path!r} is not an absolute path; write unix:/full/path/of/the/socket")
    if path.endswith("/"):
        raise AddressError(f"{path!r} is a directory; name the socket file in it")
    if "\0" in path or "," in path or any(c.isspace() for c in path):
        raise AddressError(f"{path!r} holds a space, comma or zero byte, which a socket's path here cannot")
    if len(path.encode()) > UNIX_PATH_MAX:
        raise AddressError(
            f"{path!r} is {len(path.encode())} bytes; a Unix socket's path has at most {UNIX_PATH_MAX}"
        )
    return UnixAddress(path)


def _unix_in_directory(text: str, default_port: int) -> UnixAddress:
    if _SOCKET_FILE.fullmatch(text) or text.endswith((".sock", ".socket")):
        return _unix(text)
    directory, colon, port_text = text.rpartition(":")
    if colon and port_text.isascii() and port_text.isdigit():
        return _unix(f"{directory.rstrip('/')}/.s.PGSQL.{_port(port_text, minimum=1)}")
    return _unix(f"{text.rstrip('/')}/.s.PGSQL.{default_port}")


def _tcp(text: str, default_port: int) -> TcpAddress:
    if "@" in text:
        raise AddressError("an address holds no user or password; write HOST:PORT")
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise AddressError(
                f"{text!r} is not an address; write [IPV6]:PORT, for example [::1]:{default_port}"
            )
        _check_ipv6(host)
        return TcpAddress(host, _port(rest[1:]) if rest else default_port)
    if text.count(":") > 1:
        raise AddressError(
            f"{text!r} is ambiguous; write an IPv6 address in brackets, for example [::1]:{default_port}"
        )
    host, colon, port_text = text.partition(":")
    _check_host(host, text)
    return TcpAddress(host, _port(port_text) if colon else default_port)


def _check_ipv6(host: str) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        raise AddressError(f"[{host}] is not an IPv6 address; brackets are for those only") from None
    if "," in host or any(c.isspace() for c in host):
        raise AddressError(f"[{host}] is not an IPv6 address: a zone has no spaces or commas")


_HOST = re.compile(r"[^\s\[\]/@,:?#=%\\*\0]+")


def _check_host(host: str, text: str) -> None:
    if not host or host == "*":
        raise AddressError(
            f"{text!r} names no host; write 0.0.0.0:PORT for every IPv4 interface, [::]:PORT for all"
        )
    if not _HOST.fullmatch(host):
        raise AddressError(f"{text!r} is not an address; write HOST:PORT, [IPV6]:PORT or a socket's path")
    if host.isdigit():
        raise AddressError(f"{text!r} has a number where the host should be; write HOST:PORT")


def _port(text: str, *, minimum: int = 0) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and minimum <= int(text) <= 65535):
        raise AddressError(f"{text!r} is not a port; ports are {minimum} to 65535")
    return int(text)


def _uri_host(address: Address) -> str:
    if isinstance(address, TcpAddress):
        return quote(str(address), safe="[]:.-_~")
    in_directory = _SOCKET_FILE.fullmatch(address.path)
    if in_directory:
        directory, port = in_directory[1].rstrip("/"), _normal_port(in_directory[2])
        if directory and f"{directory}/.s.PGSQL.{port}" == address.path:
            return f"{quote(directory, safe='.-_~')}:{port}"
    return quote(str(address), safe=".-_~")


def _normal_port(digits: str) -> int:
    """The port as libpq would write it into the socket's name; -1 for none."""
    return int(digits) if len(digits) <= 5 and 1 <= int(digits) <= 65535 else -1
