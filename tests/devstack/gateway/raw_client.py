"""A client that sends exactly the command it is given: drivers add sessions and numbers of their own."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import bson


class RawClient:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def command(self, database: str, command: Mapping[str, Any]) -> dict[str, Any]:
        await self.send(database, command)
        return await self.reply()

    async def send(self, database: str, command: Mapping[str, Any], flags: int = 0) -> None:
        body = struct.pack("<IB", flags, 0) + bson.encode({**command, "$db": database})
        self.writer.write(struct.pack("<iiii", 16 + len(body), 7, 0, 2013) + body)
        await self.writer.drain()

    async def reply(self) -> dict[str, Any]:
        size, _, answers, op_code = struct.unpack("<iiii", await self.reader.readexactly(16))
        assert (answers, op_code) == (7, 2013)
        payload = await self.reader.readexactly(size - 16)
        return bson.decode(payload[5:])


@asynccontextmanager
async def raw_client(uri: str) -> AsyncIterator[RawClient]:
    parts = urlsplit(uri)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield RawClient(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
