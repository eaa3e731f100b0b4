"""The client-level bulkWrite of MongoDB 8.0: writes to several collections in one command.

DocumentDB has no such command yet, so its statements go on as insert, update and delete commands: runs of the
same kind on the same collection together, single ones where the client wants each one's result.
https://www.mongodb.com/docs/manual/reference/command/bulkWrite/
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from devstack.gateway import api, duplicate_keys, error_codes
from devstack.gateway.commands.writes import one_by_one, translate_write_error
from devstack.gateway.documents import decode, encode
from devstack.gateway.errors import CommandError
from devstack.gateway.request import Request
from devstack.gateway.wire import documents

Kind = Literal["insert", "update", "delete"]

_SQL: Mapping[Kind, str] = {"insert": api.INSERT, "update": api.UPDATE, "delete": api.DELETE}
_FIELDS: Mapping[Kind, str] = {"insert": "documents", "update": "updates", "delete": "deletes"}
_SHARED_OPTIONS = ("bypassDocumentValidation", "let", "comment")
_STATEMENT_OPTIONS = ("arrayFilters", "collation", "hint", "sort")


@dataclass(frozen=True)
class Operation:
    """One element of `ops`."""

    index: int
    kind: Kind
    database: str
    collection: str
    fields: Mapping[str, Any]

    def statement(self) -> Mapping[str, Any]:
        """As the command of its kind takes it."""
        fields = self.fields
        options = {name: fields[name] for name in _STATEMENT_OPTIONS if name in fields}
        if self.kind == "insert":
            document: Mapping[str, Any] = fields["document"]
            return document
        if self.kind == "update":
            multi, upsert = bool(fields.get("multi")), bool(fields.get("upsert"))
            constants = {"c": fields["constants"]} if "constants" in fields else {}
            return {
                "q": fields["filter"],
                "u": fields["updateMods"],
                "multi": multi,
                "upsert": upsert,
                **constants,
                **options,
            }
        return {"q": fields["filter"], "limit": 0 if fields.get("multi") else 1, **options}

    def sources(self) -> Iterator[Mapping[str, Any]]:
        """Where the values of a duplicate key are to be found."""
        if self.kind == "insert":
            return duplicate_keys.inserted(self.fields["document"])
        return duplicate_keys.updated(self.fields.get("filter"), self.fields.get("updateMods"))


@dataclass
class Totals:
    """The counts of the reply, and what it says of each operation."""

    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            ("nErrors", "nInserted", "nMatched", "nModified", "nUpserted", "nDeleted"), 0
        )
    )
    results: list[dict[str, Any]] = field(default_factory=list)

    def add(self, batch: list[Operation], reply: Mapping[str, Any], *, each: bool) -> None:
        """A command's reply; `each`: `batch` is one operation, and its result is to be listed."""
        kind, n = batch[0].kind, int(reply["n"])
        upserted = reply.get("upserted", [])
        if kind == "insert":
            self.counts["nInserted"] += n
        elif kind == "delete":
            self.counts["nDeleted"] += n
        else:
            self.counts["nMatched"] += n - len(upserted)
            self.counts["nModified"] += int(reply["nModified"])
            self.counts["nUpserted"] += len(upserted)
        if each and not reply.get("writeErrors"):
            result: dict[str, Any] = {"ok": 1.0, "idx": batch[0].index, "n": n}
            if kind == "update":
                result["nModified"] = int(reply["nModified"])
            if upserted:
                result["upserted"] = {"_id": upserted[0]["_id"]}
            self.results.append(result)

    def fail(self, operation: Operation, error: Mapping[str, Any]) -> None:
        self.counts["nErrors"] += 1
        details = {name: value for name, value in error.items() if name != "index"}
        self.results.append({"ok": 0.0, "idx": operation.index, "n": 0, **details})


async def bulk_write(request: Request) -> Mapping[str, Any]:
    command = request.command
    ordered = bool(command.get("ordered", True))
    each = not command.get("errorsOnly", False)
    totals = Totals()
    for batch in _batches(_operations(request), each=each):
        reply = await _run(request, batch, ordered=ordered)
        totals.add(batch, reply, each=each)
        for error in reply.get("writeErrors", ()):
            operation = batch[error["index"]]

            async def describe(_: int, message: str, operation: Operation = operation) -> dict[str, Any]:
                return await duplicate_keys.details(
                    request, operation.database, operation.collection, message, operation.sources()
                )

            totals.fail(operation, await translate_write_error(error, describe))
        if ordered and totals.counts["nErrors"]:
            break
    results = sorted(totals.results, key=lambda result: result["idx"])
    cursor = {"id": 0, "firstBatch": results, "ns": "admin.$cmd.bulkWrite"}
    return {"cursor": cursor, **totals.counts, "ok": 1.0}


async def _run(request: Request, batch: list[Operation], *, ordered: bool) -> dict[str, Any]:
    first = batch[0]
    shared = {name: request.command[name] for name in _SHARED_OPTIONS if name in request.command}
    statements = [encode(operation.statement()) for operation in batch]
    spec = encode({first.kind: first.collection, "ordered": ordered, **shared})
    sql = _SQL[first.kind]
    try:
        row = await request.fetch(sql, first.database, spec, b"".join(statements))
    except CommandError as error:
        if error.code != error_codes.WRITE_CONFLICT or request.transaction is not None:
            raise
        return await one_by_one(request, sql, first.database, spec, statements)
    assert row is not None
    return decode(row["result"])


def _batches(operations: list[Operation], *, each: bool) -> Iterator[list[Operation]]:
    """Neighbours of one kind and collection together; each alone where its own result is wanted."""

    def place(operation: Operation) -> tuple[object, ...]:
        alone = operation.index if each else None
        return operation.kind, operation.database, operation.collection, alone

    for _, batch in itertools.groupby(operations, place):
        yield list(batch)


def _operations(request: Request) -> list[Operation]:
    namespaces = [item.get("ns", "").partition(".") for item in _items(request, "nsInfo")]
    operations = []
    for index, fields in enumerate(_items(request, "ops")):
        kind = next((name for name in _SQL if name in fields), None)
        if kind is None:
            raise CommandError(
                error_codes.FAILED_TO_PARSE, f"operation {index} of bulkWrite is none of {', '.join(_SQL)}"
            )
        number = fields[kind]
        if not isinstance(number, int) or not 0 <= number < len(namespaces):
            raise CommandError(
                error_codes.BAD_VALUE,
                f"operation {index} of bulkWrite names a namespace that is not in nsInfo",
            )
        database, _, collection = namespaces[number]
        operations.append(Operation(index, kind, database, collection, fields))
    if not operations:
        raise CommandError(error_codes.INVALID_OPTIONS, "bulkWrite needs at least one operation in 'ops'")
    return operations


def _items(request: Request, name: str) -> list[dict[str, Any]]:
    sequence = request.sequences.get(name)
    if sequence is not None:
        return [decode(item) for item in documents(sequence)]
    value = request.command.get(name)
    if not isinstance(value, list):
        raise CommandError(error_codes.FAILED_TO_PARSE, f"bulkWrite needs an array '{name}'")
    return [decode(item.raw) for item in value]
