"""Addresses and the upstream: what people write, what is refused, and that text and value agree."""

from __future__ import annotations

import ipaddress
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from proxy.addresses import (
    UNIX_PATH_MAX,
    Address,
    AddressError,
    SslMode,
    TcpAddress,
    UnixAddress,
    Upstream,
    UpstreamTls,
    parse_address,
    parse_upstream,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("db:5433", TcpAddress("db", 5433)),
        ("db", TcpAddress("db", 5432)),
        (" db:5433 ", TcpAddress("db", 5433)),
        ("127.0.0.1:0", TcpAddress("127.0.0.1", 0)),
        ("[::1]:5433", TcpAddress("::1", 5433)),
        ("[fe80::1%eth0]", TcpAddress("fe80::1%eth0", 5432)),
        ("datenbank-münchen:1", TcpAddress("datenbank-münchen", 1)),
        ("/run/postgresql", UnixAddress("/run/postgresql/.s.PGSQL.5432")),
        ("/run/postgresql/", UnixAddress("/run/postgresql/.s.PGSQL.5432")),
        ("/run/postgresql:5433", UnixAddress("/run/postgresql/.s.PGSQL.5433")),
        ("/run/postgresql/.s.PGSQL.7", UnixAddress("/run/postgresql/.s.PGSQL.7")),
        ("/run/proxy.sock", UnixAddress("/run/proxy.sock")),
        ("unix:/run/any", UnixAddress("/run/any")),
    ],
)
def test_addresses_as_people_write_them(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        (":5432", "0.0.0.0:PORT"),
        ("*:5432", "0.0.0.0:PORT"),
        ("::1", r"\[::1\]"),
        ("::1:5432", "brackets"),
        ("[db]:5432", "not an IPv6 address"),
        ("[::1", r"\[IPV6\]:PORT"),
        ("[::1]5432", r"\[IPV6\]:PORT"),
        ("6432", "number where the host"),
        ("db:x", "1 to 65535|0 to 65535"),
        ("db:65536", "not a port"),
        ("db:٣", "not a port"),
        ("db: 1", "not a port"),
        ("d b:1", "HOST:PORT"),
        ("unix:relative", "absolute"),
        ("unix:/run/", "directory"),
        ("/run:0", "not a port"),
        ("/" + "x" * UNIX_PATH_MAX, "at most 107"),
        ("/run/a b", "space"),
    ],
)
def test_addresses_that_are_refused_say_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(AddressError, match=says):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "upstream"),
    [
        ("db", Upstream((TcpAddress("db", 5432),))),
        ("a:1,b", Upstream((TcpAddress("a", 1), TcpAddress("b", 5432)))),
        ("/run/postgresql", Upstream((UnixAddress("/run/postgresql/.s.PGSQL.5432"),))),
        ("postgres://a", Upstream((TcpAddress("a", 5432),))),
        ("postgresql://a:1,b:2/", Upstream((TcpAddress("a", 1), TcpAddress("b", 2)))),
        ("postgresql://%2Frun%2Fpg:7", Upstream((UnixAddress("/run/pg/.s.PGSQL.7"),))),
        ("postgresql://?host=a,b&port=7", Upstream((TcpAddress("a", 7), TcpAddress("b", 7)))),
        ("postgresql:///?host=/run/pg&port=7", Upstream((UnixAddress("/run/pg/.s.PGSQL.7"),))),
        ("postgresql://a,b?port=1,2", Upstream((TcpAddress("a", 1), TcpAddress("b", 2)))),
        ("postgresql://[::1]?sslmode=disable", Upstream((TcpAddress("::1", 5432),), UpstreamTls("disable"))),
        (
            "postgresql://a?sslmode=verify-ca&sslrootcert=/a%20b+c.pem&sslcert=c&sslkey=k",
            Upstream(
                (TcpAddress("a", 5432),),
                UpstreamTls("verify-ca", root_cert="/a b+c.pem", cert="c", key="k"),
            ),
        ),
        (
            "postgresql://a?sslmode=require&sslnegotiation=direct",
            Upstream((TcpAddress("a", 5432),), UpstreamTls("require", "direct")),
        ),
    ],
)
def test_upstreams_as_people_write_them(text: str, upstream: Upstream) -> None:
    assert parse_upstream(text) == upstream


def test_the_system_root_certificate_verifies_fully_as_in_libpq() -> None:
    assert parse_upstream("postgresql://a?sslrootcert=system").tls.mode == "verify-full"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("mysql://a", "postgresql://"),
        ("postgresql://", "names no host"),
        ("postgresql:///", "names no host"),
        ("a:0", "port 0"),
        ("postgresql://a?port=0", "not a port"),
        ("a,a", "twice"),
        ("a,,b", "empty"),
        ("host=a port=1", "key=value"),
        ("postgresql://a/b", "holds a database"),
        ("postgresql://a?dbname=b", "holds a database"),
        ("postgresql://a?user=b", "holds a user"),
        ("postgresql://a:1?port=2", "twice"),
        ("postgresql://a?host=b", "twice"),
        ("postgresql://a?sslmode=require&sslmode=allow", "twice"),
        ("postgresql://a,b,c?port=1,2", "2 ports for 3 hosts"),
        ("postgresql://a?sslmode=", "no value"),
        ("postgresql://a?sslmode=full", "one of disable, allow"),
        ("postgresql://a?sslmode=verify-full", "needs sslrootcert"),
        ("postgresql://a?sslmode=require&sslrootcert=system", "needs sslmode=verify-full"),
        ("postgresql://a?sslnegotiation=direct", "needs sslmode=require"),
        ("postgresql://a?sslnegotiation=other", "postgres or direct"),
        ("postgresql://a?sslcert=c", "belong together"),
        ("postgresql://a?connect_timeout=3", "Causeway's own settings"),
        ("postgresql://a?nonsense=3", "known are host"),
    ],
)
def test_upstreams_that_are_refused_say_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(AddressError, match=says):
        parse_upstream(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:hunter2@db/",
        "user:hunter2@db",
        "postgresql://db?password=hunter2",
        "postgresql://db?sslpassword=hunter2",
        "mysql://user:hunter2@db",
        "host=db password=hunter2",
    ],
)
def test_a_refused_upstream_does_not_repeat_credentials(text: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_upstream(text)
    assert "hunter2" not in str(caught.value)


names = st.from_regex(r"[a-zäö_][a-z0-9äö_.-]{0,20}", fullmatch=True)
hosts = st.one_of(
    names,
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.tuples(st.ip_addresses(v=6), names).map(lambda pair: f"{pair[0]}%{pair[1]}"),
)
paths = st.from_regex(r"(/[a-zA-Z0-9_.:%@?#&=+-]{1,12}){1,4}(/\.s\.PGSQL\.[0-9]{1,6})?", fullmatch=True)


def tcp(least_port: int) -> st.SearchStrategy[TcpAddress]:
    return st.builds(TcpAddress, hosts, st.integers(least_port, 65535))


@given(st.one_of(tcp(0), st.builds(UnixAddress, paths)))
def test_an_address_reads_back_as_it_was_written(address: Address) -> None:
    assert parse_address(str(address)) == address


@st.composite
def tls_settings(draw: st.DrawFn) -> UpstreamTls:
    files = st.text(
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=20
    )
    mode: SslMode = draw(st.sampled_from(get_args(SslMode)))
    direct = mode in ("require", "verify-ca", "verify-full") and draw(st.booleans())
    root = draw(files) if mode.startswith("verify") else draw(st.none() | files)
    assume(root != "system" or mode == "verify-full")
    pair = draw(st.none() | st.tuples(files, files)) or (None, None)
    return UpstreamTls(mode, "direct" if direct else "postgres", root, *pair)


@given(
    st.lists(st.one_of(tcp(1), st.builds(UnixAddress, paths)), min_size=1, max_size=4, unique=True),
    tls_settings(),
)
def test_an_upstream_reads_back_as_it_was_written(addresses: list[Address], tls: UpstreamTls) -> None:
    upstream = Upstream(tuple(addresses), tls)
    assert parse_upstream(str(upstream)) == upstream


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_an_address_error(text: str) -> None:
    for parse in (parse_address, parse_upstream):
        try:
            found = str(parse(text))
        except AddressError as error:
            found = str(error)
        assert found


@given(st.ip_addresses(v=6))
def test_an_ipv6_address_is_written_in_brackets(address: ipaddress.IPv6Address) -> None:
    assert str(TcpAddress(str(address), 5)) == f"[{address}]:5"
