"""The chunks that are measured are what the proxy meets: everything in them is seen, nothing is broken."""

from __future__ import annotations

import pytest

from bench import micro
from proxy.admin.counters import Counters
from proxy.session.relay import Relay
from proxy.wire.framing import PyHeaderWalk


def test_the_chunks_are_whole_messages() -> None:
    for chunk, count in ((micro.REQUEST, 4), (micro.ANSWER, 5), (micro.ROWS, 500)):
        walk = PyHeaderWalk(b"", b"", 0)
        walk.feed(chunk)
        assert walk.at_boundary
        assert walk.messages == count


def test_a_statement_leaves_the_relay_idle() -> None:
    counters = Counters()
    relay = Relay(micro._Owner(), counters)
    relay.to_client = relay.to_server = micro._nowhere
    relay.from_server(micro.READY)
    relay.from_client(micro.REQUEST)
    assert not relay.idle
    relay.from_server(micro.ANSWER)
    assert relay.idle
    assert sum(counters.statements.values()) == 1


@pytest.mark.parametrize("name", list(micro.SUBJECTS))
def test_every_subject_runs(name: str) -> None:
    taken = micro.seconds_each(micro.SUBJECTS[name](), rounds=2, statements=3)
    assert len(taken) == 2
    assert all(value > 0 for value in taken)
