"""Whose key it is."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from proxy.addresses import TcpAddress
from proxy.session.cancel import CancelKeys
from proxy.session.upstream import Route


@dataclass
class Held:
    route: Route | None
    reads: int = 0
    """From the store, under way."""

    def cancel_read(self) -> bool:
        self.reads -= 1
        return self.reads >= 0


def held(port: int) -> Held:
    return Held(Route(TcpAddress("h", port), socket.AF_INET, ("127.0.0.1", port), False))


def test_a_key_names_one_connection() -> None:
    keys, first, second = CancelKeys(), held(1), held(2)
    keys.add(b"one", first)
    keys.add(b"two", second)
    assert keys.route_of(b"one") == first.route
    assert keys.route_of(b"two") == second.route
    assert keys.route_of(b"three") is None
    keys.discard(b"one", first)
    assert keys.route_of(b"one") is None
    assert len(keys) == 1


def test_a_key_that_was_given_out_again_stays_with_the_newer_connection() -> None:
    """Different upstream hosts may hand out the same process id and secret."""
    keys, old, new = CancelKeys(), held(1), held(2)
    keys.add(b"key", old)
    keys.add(b"key", new)
    keys.discard(b"key", old)
    assert keys.route_of(b"key") == new.route


def test_a_read_from_the_store_is_cancelled_where_it_runs() -> None:
    keys, holder = CancelKeys(), held(1)
    holder.reads = 1
    keys.add(b"key", holder)
    assert keys.cancel_read(b"key")
    assert not keys.cancel_read(b"key")
    assert not keys.cancel_read(b"nobody's")
