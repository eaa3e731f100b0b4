"""A document store that costs next to no processor time: it acknowledges writes and remembers keys, no more.

It speaks as much of MongoDB's wire protocol (OP_MSG) as Causeway's store needs. An upsert is answered as one that made
its document or replaced one, by whether its key was written before, because the mirror has more to do after the first;
nothing is ever found, nothing ever fails. Statements are told apart by their lengths and not decoded.
Run as `python -m bench.sink [PORT]`; prints the port it listens on.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from typing import Any, cast

import bson
import uvloop

OP_QUERY, OP_REPLY, OP_MSG = 2004, 1, 2013
_HEADER = struct.Struct("<iiii")
_LENGTH = struct.Struct("<i")
_MORE_TO_COME = 2

HELLO: dict[str, Any] = {
    "helloOk": True,
    "isWritablePrimary": True,
    "ismaster": True,
    "maxBsonObjectSize": 16 << 20,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "logicalSessionTimeoutMinutes": 30,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "readOnly": False,
    "ok": 1.0,
}
_OK = {"ok": 1.0}

_KEY_AT = 20
"""Where in an update statement `{q: {_id: {$eq: KEY}, …}, …}` the type of the key stands; the key follows `$eq`."""
_KEY_SIZES = {0x10: 4, 0x12: 8, 0x07: 12, 0x09: 8, 0x13: 16}


class Sink:
    """What all connections share: the keys of each collection."""

    def __init__(self) -> None:
        self.keys: dict[str, set[bytes]] = {}

    def answer(self, command: dict[str, Any], statements: list[bytes]) -> dict[str, Any]:
        """To a command and its document sequence."""
        name = next(iter(command)).lower()
        if name in ("hello", "ismaster"):
            return HELLO
        if name == "update":
            return self._update(command, statements)
        if name in ("insert", "delete"):
            return {"n": len(statements) if name == "insert" else 0, "ok": 1.0}
        if name in ("find", "getmore", "aggregate"):
            namespace = f"{command['$db']}.{command.get('find', '')}"
            return {"cursor": {"id": 0, "ns": namespace, "firstBatch": []}, "ok": 1.0}
        return _OK

    def _update(self, command: dict[str, Any], statements: list[bytes]) -> dict[str, Any]:
        keys = self.keys.setdefault(f"{command['$db']}.{command['update']}", set())
        known = len(keys)
        created = []
        for index, statement in enumerate(statements):
            keys.add(key_of(statement))
            if len(keys) != known:
                known += 1
                created.append({"index": index, "_id": index})
        reply: dict[str, Any] = {
            "n": len(statements),
            "nModified": len(statements) - len(created),
            "ok": 1.0,
        }
        if created:
            reply["upserted"] = created
        return reply


def key_of(statement: bytes) -> bytes:
    """What tells the keys of one collection apart; the whole query where the key is of no fixed size."""
    size = _KEY_SIZES.get(statement[_KEY_AT])
    if size is not None and statement[_KEY_AT + 1 : _KEY_AT + 5] == b"$eq\0":
        return statement[_KEY_AT : _KEY_AT + 5 + size]
    query = bson.decode(statement).get("q", {})
    return bson.encode({"": query.get("_id")})


def parse(body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """The sections of an OP_MSG: its command, and the documents of its sequences."""
    command: dict[str, Any] = {}
    statements: list[bytes] = []
    position = 4
    while position < len(body):
        kind = body[position]
        position += 1
        (size,) = _LENGTH.unpack_from(body, position)
        end = position + size
        if kind == 0:
            command = bson.decode(body[position:end])
        else:
            at = body.index(b"\0", position + 4) + 1
            while at < end:
                (length,) = _LENGTH.unpack_from(body, at)
                statements.append(body[at : at + length])
                at += length
        position = end
    return command, statements


class Connection(asyncio.Protocol):
    """One connection of a driver."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._rest = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        rest = self._rest
        rest += data
        while len(rest) >= _HEADER.size and len(rest) >= (size := _LENGTH.unpack_from(rest)[0]):
            message = bytes(rest[:size])
            del rest[:size]
            self._message(message)

    def _message(self, message: bytes) -> None:
        _, request, _, operation = _HEADER.unpack_from(message)
        body = message[_HEADER.size :]
        if operation == OP_QUERY:  # the first hello of a driver
            reply = struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(HELLO)
            self._send(request, OP_REPLY, reply)
            return
        command, statements = parse(body)
        if not _LENGTH.unpack_from(body)[0] & _MORE_TO_COME:
            self._send(request, OP_MSG, b"\0\0\0\0\0" + bson.encode(self._sink.answer(command, statements)))

    def _send(self, request: int, operation: int, body: bytes) -> None:
        self._transport.write(_HEADER.pack(_HEADER.size + len(body), 0, request, operation) + body)


async def _serve(port: int) -> None:
    sink = Sink()
    server = await asyncio.get_running_loop().create_server(lambda: Connection(sink), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
