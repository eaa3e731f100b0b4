"""In which order hosts and encryptions are tried: libpq's. The I/O is shown in test_connection.py."""

from __future__ import annotations

import pytest

from proxy.addresses import parse_upstream
from proxy.session.upstream import Plan

TWO = "postgresql://a:1,b:2/?sslmode="


def attempts(plan: Plan) -> list[str]:
    """Every attempt there is, when each host fails in every encryption."""
    tried = []
    while plan.current is not None:
        host, secure = plan.current
        tried.append(f"{host} {'tls' if secure else 'plain'}")
        if not plan.next_encryption():
            plan.next_host()
    return tried


@pytest.mark.parametrize(
    ("mode", "encryptions"),
    [
        ("disable", ["plain"]),
        ("allow", ["plain", "tls"]),
        ("prefer", ["tls", "plain"]),
        ("require", ["tls"]),
        ("verify-ca", ["tls"]),
        ("verify-full", ["tls"]),
    ],
)
def test_order(mode: str, encryptions: list[str]) -> None:
    plan = Plan(parse_upstream(TWO + mode + "&sslrootcert=ca.pem"))
    assert attempts(plan) == [f"{host} {how}" for host in ("a:1", "b:2") for how in encryptions]
    assert plan.tls_optional == (mode in ("allow", "prefer"))


def test_unix_sockets_have_no_tls() -> None:
    assert attempts(Plan(parse_upstream("/run/x"))) == ["unix:/run/x/.s.PGSQL.5432 plain"]


def test_a_host_that_declined_tls_is_not_tried_without_again() -> None:
    plan = Plan(parse_upstream(TWO + "prefer"))
    plan.used_plain()
    assert not plan.next_encryption()
    assert plan.has_next_host
    assert plan.next_host()
    assert not plan.has_next_host
    assert not plan.next_host()
    assert plan.current is None
