"""The compiled relay and the pure one see the same in every stream, however it is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.admin.counters import Counters
from proxy.session.pipeline import PyPipeline
from proxy.session.relay import BACKEND_MARKS, BODY_CAP, PyRelayCore
from proxy.wire import messages

compiled = pytest.importorskip("proxy.session._relay")

CLIENT_TYPES = bytes(range(256)).translate(None, b"BDPEHdCpX")
SERVER_TYPES = bytes(range(256)).translate(None, b"RSKDTNA1234nstIGHWcdvVZCE")


def twin(core: type[Any]) -> type[Any]:
    """`core` with what is rare written down."""

    class Noted(core):  # type: ignore[misc]
        def __init__(self) -> None:
            self.counters = Counters()
            super().__init__(
                CLIENT_TYPES,
                SERVER_TYPES,
                BACKEND_MARKS,
                BODY_CAP,
                self.counters.statements,
                self.counters.path,
            )
            self.forwarded = bytearray()
            self.events: list[Any] = []
            self.to_client = self.to_server = self.forwarded.extend

        def _stop_observing(self, reason: str) -> None:
            if not self.unobserved:  # type: ignore[has-type]
                self.unobserved = True
                self.events.append(reason)

        def _new_verb(self, verb: bytes) -> None:
            self.counters.new_verb(verb)

        def _server_error(self, body: bytes) -> None:
            self.events.append(body)

        def _server_ready(self) -> None:
            self.events.append("ready")

    return Noted


@dataclass(frozen=True)
class Chunk:
    """Bytes of one side."""

    from_client: bool
    data: bytes


def framed(kinds: bytes) -> st.SearchStrategy[bytes]:
    bodies = st.one_of(
        st.sampled_from([b"", b"I", b"T", b"SELECT 1\0", b"INSERT 0 5\0", b"BEGIN\0", b"x" * 2000]),
        st.binary(max_size=40),
    )
    return st.tuples(st.sampled_from(list(kinds)), bodies).map(
        lambda pair: bytes([pair[0]]) + (len(pair[1]) + 4).to_bytes(4, "big") + pair[1]
    )


@st.composite
def chunks(draw: st.DrawFn) -> list[Chunk]:
    sides = []
    for from_client, kinds in ((True, b"QQSSFcfPBDEHCdX"), (False, b"ZZZCCEGDTS12NAGH")):
        stream = b"".join(draw(st.lists(framed(kinds), max_size=12)))
        stream += draw(st.one_of(st.just(b""), st.binary(max_size=12)))
        cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
        parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
        sides.append([Chunk(from_client, part) for part in parts if part])
    merged = []
    while any(sides):
        side = sides[0] if not sides[1] or (sides[0] and draw(st.booleans())) else sides[1]
        merged.append(side.pop(0))
    return merged


def seen(relay: Any) -> dict[str, Any]:
    pipeline = relay.pipeline
    return {
        "idle": relay.idle,
        "untouched": relay.untouched,
        "boundary": relay.reply_at_boundary,
        "unobserved": relay.unobserved,
        "events": relay.events,
        "forwarded": bytes(relay.forwarded),
        "statements": relay.counters.statements,
        "bytes": (relay.counters.bytes_from_client, relay.counters.bytes_from_server),
        "chunks": sum(relay.counters.own_share),
        "pipeline": (
            pipeline.idle,
            pipeline.outstanding,
            pipeline.copying,
            pipeline.status,
            pipeline.surplus,
        ),
    }


@given(chunks(), st.booleans())
def test_both_see_the_same(stream: list[Chunk], draining: bool) -> None:
    pure, fast = twin(PyRelayCore)(), twin(compiled.RelayCore)()
    assert isinstance(fast.pipeline, compiled.Pipeline)
    pure.pipeline = PyPipeline()
    pure.report_ready = fast.report_ready = draining
    for chunk in stream:
        for relay in (pure, fast):
            (relay.from_client if chunk.from_client else relay.from_server)(chunk.data)
        assert seen(fast) == seen(pure)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(list(b"QSFcf")).map(lambda kind: ("sent", kind)),
            st.sampled_from(list(b"ITE")).map(lambda status: ("ready", status)),
            st.sampled_from([("copy_in",), ("failed",)]),
        ),
        max_size=80,
    )
)
def test_both_pipelines_owe_the_same(steps: list[tuple[Any, ...]]) -> None:
    pure, fast = PyPipeline(), compiled.Pipeline()
    for name, *arguments in steps:
        for pipeline in (pure, fast):
            getattr(pipeline, name)(*arguments)
        assert (fast.idle, fast.outstanding, fast.copying, fast.status, fast.surplus) == (
            pure.idle,
            pure.outstanding,
            pure.copying,
            pure.status,
            pure.surplus,
        )


def test_a_writer_that_raises_is_heard() -> None:
    relay = twin(compiled.RelayCore)()

    def broken(data: bytes) -> None:
        raise ConnectionError("gone")

    relay.to_server = broken
    with pytest.raises(ConnectionError, match="gone"):
        relay.from_client(b"S\0\0\0\4")
    assert relay.untouched


def test_the_fast_one_gives_back_what_it_takes() -> None:
    """A million messages, bodies kept across chunks among them, leave nothing behind."""
    import gc
    import tracemalloc

    def work() -> None:
        relay = twin(compiled.RelayCore)()
        relay.to_client = relay.to_server = len
        for _ in range(500):
            relay.from_client(b"Q\0\0\0\4" * 20)
            relay.from_server(b"C\0\0\0\x0dSELE")
            relay.from_server(b"CT 1\0Z\0\0\0\5I" * 1)
            relay.from_server(b"Z\0\0\0\5I" * 19)

    work()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            work()
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


def test_marks_are_those_of_the_relay() -> None:
    """What the compiled relay knows by its letter is what the Python side asks the walk for."""
    assert set(BACKEND_MARKS) == set(b"ZCEG")
    assert ord("X") == messages.TERMINATE
