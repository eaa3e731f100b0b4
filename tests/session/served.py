"""A session whose reads are served, between a client, a server and a store made of bytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Self

from proxy.serve.port import Declined, Served
from proxy.serve.settings import NAMES
from proxy.session.plan import Ground
from proxy.session.serving import ServingRelay
from proxy.wire import rewriting
from proxy.wire.messages import frame
from tests.serve.made import SETTINGS, RecordingServe, served_ground
from tests.support.capture import BOUND, CLOSED, PARSED, SYNC, CaptureScript, description, row
from tests.support.transcript import complete, ready

READ = "SELECT id FROM orders WHERE id = 7"
ROWS = (description("id"), row(b"7"))
ANSWER = (*ROWS, complete("SELECT 1"))
"""What a Describe and an Execute of it are answered with."""


def served(*rows: bytes) -> Served:
    found = rows or (b"7",)
    return Served(description("id"), b"".join(row(one) for one in found), b"SELECT %d" % len(found))


def bind(
    *values: bytes, portal: bytes = b"", name: bytes = b"", results: tuple[int, ...] = (), code: int = 0
) -> bytes:
    body = portal + b"\0" + name + b"\0" + struct.pack("!hhh", 1, code, len(values))
    body += b"".join(struct.pack("!i", len(value)) + value for value in values)
    return frame(ord("B"), body + struct.pack(f"!h{len(results)}h", len(results), *results))


def settings_reply(values: Mapping[str, str] = {}) -> bytes:
    found = {**SETTINGS, **values}
    columns = [*(found[name].encode() for name in NAMES), b"ann", b"0", b'["public"]']
    return b"".join((CLOSED, PARSED, BOUND, row(*columns), complete("SELECT 1"), CLOSED, CLOSED, ready()))


class ServedScript(CaptureScript):
    """Settings are asked for once, and answered here."""

    def __init__(
        self, base: Ground | None = None, *, asked: bool = True, status: str = "I", thrown: float = 0.0
    ) -> None:
        super().__init__(base or served_ground(), waits=False, status=status)
        self.port = RecordingServe()
        self.relay: ServingRelay = ServingRelay(
            self,
            self.counters,
            self.plans.session("shop", "ann", "", {}),
            self.mirror,
            self.port,
            status=ord(status),
            high_water=100_000,
            thrown=thrown,
        )
        self.relay.to_client = self._client.extend
        self.relay.to_server = self._server.extend
        self.relay.reconsider()
        if asked and self.ground.served is not None:
            self.client(rewriting.query(b"BEGIN")).settle()
            self.server(complete("BEGIN"), ready("T"))
            self.client(rewriting.query(b"COMMIT")).server(complete("COMMIT"), ready("I"))
            self.server_got, self.client_got  # noqa: B018 - forget it

    def settle(self, values: Mapping[str, str] = {}) -> Self:
        """The server is asked for the settings, and answers; the client sees nothing of it."""
        assert b"current_setting" in self.server_got
        assert self.server(settings_reply(values)).client_got == b""
        return self

    def begin(self, text: str = "BEGIN") -> Self:
        self.client(rewriting.query(text.encode())).server(complete("BEGIN"), ready("T"))
        self.client_sees(complete("BEGIN"), ready("T"))
        self.server_got  # noqa: B018 - forget it
        return self

    def stored(self, *answers: Served | Declined) -> Self:
        """What the store says to the reads under way, one after the other."""
        for answer in answers or (served(),):
            self.port.answer(answer)
        return self

    def counted(self, *told: tuple[str, str]) -> Self:
        got, self.port.counted = self.port.counted, []
        assert got == list(told)
        return self

    def prepare(self, text: str = "SELECT id FROM orders WHERE id = $1", name: bytes = b"s") -> Self:
        self.client(rewriting.parse(name, text.encode(), b"\0\1\0\0\0\x17"), SYNC)
        self.server(PARSED, ready()).client_sees(PARSED, ready())
        self.server_got  # noqa: B018 - forget it
        return self
