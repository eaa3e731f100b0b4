"""Readings of /metrics, as the proxy itself writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.metrics import Buckets, Reading, Traffic, between, parse, quantile, subtract
from proxy.admin.counters import Counters
from proxy.admin.exposition import expose
from proxy.admin.metric import Source
from tests.demo.states import status

INFINITE = float("inf")


def test_a_scrape_of_the_proxy() -> None:
    counters = Counters()
    counters.connections_total = 12
    counters.client_connections, counters.server_connections = 7, 6
    counters.bytes_from_client, counters.bytes_from_server = 100, 250
    counters.statements.update({b"SELECT\0": 30, b"INSERT\0": 12})
    counters.errors["57"] = 1
    counters.cancel_requests["forwarded"] = 1
    counters.reloads.update(applied=3, rejected=1)
    counters.own_share[14] = 10
    text, _ = expose(Source(counters=counters.snapshot(), status=status(), limits={}))
    reads = (
        'causeway_reads_total{database="shop",table="public.a",source="store",reason=""} 3\n'
        'causeway_reads_total{database="shop",table="public.b",source="store",reason=""} 4\n'
        'causeway_reads_total{database="shop",table="public.b",source="postgres",reason="x"} 2\n'
    )
    reading = parse(
        text.decode().replace("# EOF", reads + "# EOF")
        if "# EOF" in text.decode()
        else text.decode() + reads,
        5.0,
    )
    assert reading.reads == {"store": 7, "postgres": 2}
    assert reading.at == 5.0
    assert reading.statements == {"SELECT": 30, "INSERT": 12}
    assert reading.statements_total == 42
    assert reading.errors == {"57": 1}
    assert reading.reloads == {"applied": 3, "rejected": 1}
    assert reading.cancels == {"forwarded": 1}
    assert (reading.connections, reading.clients, reading.servers) == (12, 7, 6)
    assert reading.bytes == 350
    assert (reading.memory, reading.cpu) == (60e6, 2.5)
    assert reading.own_share[-1] == (INFINITE, 10)
    median = quantile(reading.own_share, 0.5)
    assert median is not None
    assert 2**13 / 1e9 <= median <= 2**14 / 1e9


@pytest.mark.parametrize(
    ("buckets", "q", "expected"),
    [
        ((), 0.5, None),
        (((1.0, 0.0), (INFINITE, 0.0)), 0.5, None),
        (((1.0, 10.0), (2.0, 10.0), (INFINITE, 10.0)), 0.5, 0.5),
        (((1.0, 0.0), (2.0, 10.0), (INFINITE, 10.0)), 0.5, 1.5),
        (((1.0, 50.0), (2.0, 100.0), (INFINITE, 100.0)), 0.99, 1.98),
        (((1.0, 5.0), (2.0, 5.0), (INFINITE, 10.0)), 0.99, 2.0),
    ],
)
def test_quantile(buckets: Buckets, q: float, expected: float | None) -> None:
    assert quantile(buckets, q) == (None if expected is None else pytest.approx(expected))


def test_what_was_observed_since() -> None:
    assert subtract(((1.0, 5.0), (INFINITE, 9.0)), ((1.0, 2.0), (INFINITE, 4.0))) == (
        (1.0, 3.0),
        (INFINITE, 5.0),
    )
    assert subtract(((1.0, 5.0),), ()) == ((1.0, 5.0),)


def test_between_two_scrapes() -> None:
    earlier = Reading(
        at=10.0, statements={"SELECT": 100}, bytes=1000, cpu=1.0, own_share=((1e-5, 10), (INFINITE, 10))
    )
    later = Reading(
        at=12.0,
        statements={"SELECT": 180, "INSERT": 20},
        bytes=5000,
        cpu=1.5,
        own_share=((1e-5, 30), (INFINITE, 30)),
    )
    traffic = between(earlier, later)
    assert traffic.statements_per_second == 50
    assert traffic.bytes_per_second == 2000
    assert traffic.cpu == 0.25
    assert traffic.own_share_p50 == pytest.approx(5e-6)


def test_nothing_is_between_a_scrape_and_itself() -> None:
    reading = Reading(at=10.0, statements={"SELECT": 100})
    assert between(reading, reading) == Traffic()


def test_the_status_of_the_tests_is_one_the_proxy_could_send() -> None:
    """`status` is validated by the proxy's own model, so what the demo shows is what the proxy sends."""
    assert status().started_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert Path(status().tables[0].rule.split(":")[0]).name == "shop.yaml"
