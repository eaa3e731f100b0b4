"""What is measured is capture: images are taken, and the client sees what a plain relay would show it."""

from __future__ import annotations

import pytest

from bench import capture, capture_micro
from bench.capture_micro import (
    BOUND,
    NO_DATA,
    PLAIN_UPDATED,
    PREPARED_READ,
    PREPARED_WRITE,
    READY,
    SELECTED,
    SUBJECTS,
    UPDATED,
    WRITE,
    NoMirror,
    capturing,
    column,
    image,
    row,
)
from bench.client import query
from proxy.documents.records import parse_record


@pytest.mark.parametrize("strict", [False, True])
def test_a_prepared_write_is_captured_and_looks_as_ever(strict: bool) -> None:
    mirror = NoMirror()
    relay = capturing(mirror, strict=strict)
    seen, sent = bytearray(), bytearray()
    relay.to_client, relay.to_server = seen.extend, sent.extend
    relay.from_client(PREPARED_WRITE)
    relay.from_server(BOUND + column(b"record_send", 17) + row(capture_micro.AS_TEXT) + UPDATED)
    assert sent.endswith(b"S\0\0\0\4")
    relay.from_server(READY)
    assert bytes(seen) == PLAIN_UPDATED
    assert mirror.images == 1
    assert relay.idle


def test_a_simple_write_is_captured() -> None:
    mirror = NoMirror()
    relay = capturing(mirror, strict=False)
    sent = bytearray()
    relay.to_server = sent.extend
    relay.from_client(query(WRITE.format(1, 2)))
    assert b" RETURNING pg_catalog.record_send(" in sent
    relay.from_server(column(b"record_send", 17) + row(capture_micro.AS_TEXT) + UPDATED + READY)
    assert mirror.images == 1


def test_a_read_is_not() -> None:
    mirror = NoMirror()
    relay = capturing(mirror, strict=True)
    seen = bytearray()
    relay.to_client = seen.extend
    relay.from_client(PREPARED_READ)
    relay.from_server(BOUND + SELECTED + READY)
    assert bytes(seen) == BOUND + SELECTED + READY
    assert mirror.images == 0


def test_the_image_is_a_row_of_pgbench_accounts() -> None:
    oids, _ = parse_record(image())
    assert list(oids[-4:]) == [attribute.type_oid for attribute in capture_micro.accounts().attributes]
    assert NO_DATA in PLAIN_UPDATED


def test_every_subject_runs_and_leaves_its_relay_idle() -> None:
    taken = capture_micro.seconds_each({name: make() for name, make in SUBJECTS.items()}, 2, 3)
    assert set(taken) == set(SUBJECTS)
    assert all(len(values) == 2 and min(values) > 0 for values in taken.values())


def test_the_table_has_every_subject() -> None:
    shown = capture.text({name: [1e-5, 3e-5] for name in SUBJECTS})
    assert all(name in shown for name in SUBJECTS)
    assert "20.0 (10.0..30.0)" in shown
