"""The sockets by which the processes of one proxy talk."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from proxy.control import ControlError, ControlServer, ask


async def double(request: Mapping[str, Any]) -> int:
    return 2 * int(request["number"])


async def hang(request: Mapping[str, Any]) -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "control.sock"
    server = ControlServer(path, {"double": double, "hang": hang})
    await server.start()
    yield path
    await server.stop()
    assert not path.exists()


async def test_question_and_answer(path: Path) -> None:
    assert await ask(path, "double", timeout=5, number=21) == 42


async def test_only_the_owner_may_ask(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_what_goes_wrong_is_said(path: Path) -> None:
    with pytest.raises(ControlError, match="unknown operation 'triple'"):
        await ask(path, "triple", timeout=5)
    with pytest.raises(ControlError, match="KeyError"):
        await ask(path, "double", timeout=5)


async def test_an_answer_that_does_not_come(path: Path) -> None:
    with pytest.raises(TimeoutError):
        await ask(path, "hang", timeout=0.1)


async def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await ask(tmp_path / "nobody.sock", "double", timeout=5)


async def test_nonsense_does_not_end_the_server(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"this is not JSON\n")
    assert await reader.read() == b""
    writer.close()
    assert await ask(path, "double", timeout=5, number=1) == 2
