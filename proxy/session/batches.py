"""A batch of messages that is answered from the store: what it asks for, and its reply. No I/O.

Either one Query, or the messages of the extended protocol from a Bind to the Sync.
"""

from __future__ import annotations

from struct import Struct, unpack_from
from struct import error as struct_error
from typing import Final

from proxy.serve.candidates import Reading
from proxy.serve.port import Handle, Served
from proxy.session.prepared import Prepared
from proxy.wire import messages, rewriting

_TYPES_COUNT = Struct("!H").unpack_from

_BIND_COMPLETE: Final = b"2\x00\x00\x00\x04"
_CLOSE_COMPLETE: Final = b"3\x00\x00\x00\x04"
_SUSPENDED: Final = b"s\x00\x00\x00\x04"
_READY: Final = b"Z\x00\x00\x00\x05"

CANCELLED: Final = messages.ErrorResponse(
    "ERROR",
    "57014",
    "canceling statement due to user request",
    fields={"F": "postgres.c", "R": "ProcessInterrupts"},
).encode()
"""What PostgreSQL says of a statement that was cancelled."""

BOUND, DESCRIBED, EXECUTED, CLOSED = range(4)
"""What the script of a batch has: each with the number of a read; -1: of none."""


class BoundRead:
    """One read of a batch, with its parameters."""

    __slots__ = (
        "bind",
        "executed",
        "formats",
        "limit",
        "parameters",
        "reading",
        "results",
        "served",
        "types",
    )

    def __init__(self, reading: Reading, rest: bytes, bind: bytes) -> None:
        """`rest` of its Parse message: the parameter types. Raises MalformedMessage."""
        self.reading = reading
        self.types = types_of(rest)
        self.bind = bind
        """The Bind message; empty: a simple query."""
        self.parameters: tuple[bytes | None, ...] = ()
        self.formats: tuple[int, ...] = ()
        """Of each of them."""
        self.results: tuple[int, ...] = ()
        """Result formats, as in the Bind."""
        if bind:
            given = rewriting.bind_parameters(bind)
            self.parameters = tuple([value for _, value in given])
            self.formats = tuple([code for code, _ in given])
            self.results = rewriting.bind_results(bind)
        self.executed = False
        self.limit = 0
        """Rows the client takes at most; 0: all."""
        self.served: Served | None = None


class Batch:
    """What the client has sent, as far as it has come, and what was found for it."""

    __slots__ = (
        "broken",
        "cancelled",
        "declined",
        "handle",
        "messages",
        "order",
        "portals",
        "reads",
        "refused",
        "running",
        "script",
        "size",
        "synced",
    )

    def __init__(self) -> None:
        self.messages = 0
        """Messages at the head of those that wait that belong to it."""
        self.reads: list[BoundRead] = []
        self.portals: dict[bytes, int] = {}
        """Portal -> number of the read that is bound to it."""
        self.order: list[int] = []
        """The reads in the order in which they are executed."""
        self.script: list[tuple[int, int]] = []
        self.running = 0
        """How many of `order` have been run."""
        self.size = 0
        """Bytes of their results."""
        self.handle: Handle | None = None
        self.synced = True
        """Whether the server has answered all that was sent to it before."""
        self.refused = False
        """Whether that was an error: then it is the answer to the batch, too."""
        self.declined = ""
        """Why all of it goes to PostgreSQL after all."""
        self.cancelled = False
        self.broken = False
        """Whether the server has been made to fail the transaction block of a cancelled read."""

    @property
    def done(self) -> bool:
        return self.running == len(self.order)

    def take(self, kind: int, message: bytes) -> str:
        """One more message, but a Bind or a Sync; why it cannot be answered from the store, empty where it can."""
        if kind == messages.DESCRIBE or kind == messages.CLOSE:
            what, name = rewriting.target(message)
            number = self.portals.get(name, -1)
            if what != b"P" or number < 0:
                return "a batch that describes or closes something else"
            if kind == messages.DESCRIBE:
                self.script.append((DESCRIBED, number))
            else:
                del self.portals[name]
                self.script.append((CLOSED, number))
            return ""
        if kind == messages.EXECUTE:
            portal, limit = rewriting.split_execute(message)
            number = self.portals.get(portal, -1)
            if number < 0 or self.reads[number].executed:
                return "a batch that executes something else"
            read = self.reads[number]
            read.executed = True
            read.limit = max(limit, 0)
            self.order.append(number)
            self.script.append((EXECUTED, number))
            return ""
        return "a batch with other messages"

    def bind(self, portal: bytes, read: BoundRead) -> None:
        self.portals[portal] = len(self.reads)
        self.script.append((BOUND, len(self.reads)))
        self.reads.append(read)

    def whole(self) -> str:
        """Behind its Sync: why it cannot be answered from the store."""
        return "" if all(read.executed for read in self.reads) else "a batch that binds and does not execute"

    def next(self) -> BoundRead:
        """The read to be run now."""
        return self.reads[self.order[self.running]]

    def found(self, served: Served, *, block: bool) -> str:
        """The result of that; why it cannot be handed on. `block`: it stands in a transaction block."""
        read = self.next()
        self.running += 1
        self.size += len(served.rows) + len(served.description)
        if served.suspended and block:
            return "the client takes the rows in parts"  # the portal lives on, and might be asked for more
        read.served = served
        return ""

    def reply(self, status: int) -> bytes:
        """All the server would say; `status` of its ReadyForQuery. Where it was cancelled, up to the read that was."""
        out: list[bytes] = []
        reads = self.reads
        for act, number in self.script:
            served = reads[number].served
            if act == BOUND:
                out.append(_BIND_COMPLETE)
            elif act == CLOSED:
                out.append(_CLOSE_COMPLETE)
            elif served is None:
                break
            elif act == DESCRIBED:
                out.append(served.description)
            elif served.suspended:
                out.append(served.rows + _SUSPENDED)
            else:
                out.append(served.rows)
                out.append(messages.frame(messages.COMMAND_COMPLETE, served.tag + b"\x00"))
        if self.cancelled:
            out.append(CANCELLED)
        out.append(_READY + bytes((status,)))
        return b"".join(out)


def simple(reading: Reading) -> Batch:
    """Of one Query."""
    batch = Batch()
    read = BoundRead(reading, b"\x00\x00", b"")
    read.executed = True
    batch.reads.append(read)
    batch.order.append(0)
    batch.script = [(DESCRIBED, 0), (EXECUTED, 0)]
    batch.messages = 1
    return batch


def types_of(rest: bytes) -> tuple[int, ...]:
    """The parameter types that end a Parse message."""
    try:
        return unpack_from(f"!{_TYPES_COUNT(rest, 0)[0]}I", rest, 2)
    except struct_error as error:
        raise rewriting.MalformedMessage("a Parse message without its parameter types") from error


def same_meaning(prepared: Prepared, reading: Reading) -> bool:
    """Whether the relations of a prepared read are what they were when the server was last known to accept it."""
    return prepared.versions is not None and prepared.versions == reading.versions
