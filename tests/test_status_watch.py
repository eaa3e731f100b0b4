"""The live view: what one look shows."""

from __future__ import annotations

import asyncio
import io

import pytest
from rich.console import Console

from proxy.addresses import Address, TcpAddress
from proxy.admin.http import AdminServer
from proxy.status_watch import look, watch
from tests.admin.sources import FixedSource


def text(address: Address) -> str:
    out = io.StringIO()
    Console(file=out, width=150).print(look(address))
    return out.getvalue()


async def test_a_look_shows_the_status_or_why_there_is_none() -> None:
    server = AdminServer(TcpAddress("127.0.0.1", 0), FixedSource())
    await server.start()
    address = server.address
    assert "3 of 100 clients" in await asyncio.to_thread(text, address)
    await server.stop()
    assert "Connection refused; trying again" in await asyncio.to_thread(text, address)


def test_it_looks_again_until_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("proxy.status_watch.time.sleep", pause)
    out = io.StringIO()
    watch(TcpAddress("127.0.0.1", 1), 0.5, console=Console(file=out, force_terminal=True, width=100))
    assert pauses == [0.5] * 3
    assert "Connection refused" in out.getvalue()
