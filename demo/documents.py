"""The document database as its readers see it: collections of documents, without Causeway."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bson import Binary, CodecOptions, Decimal128
from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from demo.errors import DemoError

FAILURES = (PyMongoError,)
_ANSWER_SECONDS = 2
_OWN = "_causeway"
"""Where Causeway keeps its own documents."""


class Documents:
    """The collections of one database. Its methods raise one of FAILURES while the store is away."""

    def __init__(self, uri: str, database: str) -> None:
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            uri, serverSelectionTimeoutMS=_ANSWER_SECONDS * 1000, tz_aware=True
        )
        self.name = database
        self._database = self._client.get_database(
            database, codec_options=CodecOptions[dict[str, Any]](tz_aware=True)
        )

    async def count(self, collection: str) -> int:
        return await self._database[collection].count_documents({})

    async def counts(self, collections: Iterable[str]) -> dict[str, int]:
        return {name: await self.count(name) for name in collections}

    async def find(self, collection: str, key: object) -> dict[str, Any] | None:
        return await self._database[collection].find_one({"_id": key})

    async def all(self, collection: str) -> list[dict[str, Any]]:
        return await self._database[collection].find({}).to_list()

    async def spoil(
        self,
        collection: str,
        *,
        delete: Sequence[object] = (),
        change: Mapping[Any, Mapping[str, object]],
        add: Mapping[str, object] | None = None,
    ) -> None:
        """What somebody might do by hand who should not."""
        documents = self._database[collection]
        if delete:
            await documents.delete_many({"_id": {"$in": list(delete)}})
        for key, values in change.items():
            await documents.update_one({"_id": key}, {"$set": dict(values)})
        if add is not None:
            await documents.insert_one(dict(add))

    async def open_gaps(self) -> list[dict[str, Any]]:
        """Of the ledger: writes that may not be in the documents."""
        return await self._client[_OWN]["gaps"].find({"database": self.name}).to_list()

    async def claim(self) -> None:
        """Make sure that the demo disturbs nobody's documents. Raises DemoError where it would."""
        if await self._database.list_collection_names() or await self._traces():
            raise DemoError(
                f"your document store has documents of a database “{self.name}” already, and the demo writes to "
                f"one of that name; name another store, or drop “{self.name}” and its collections in {_OWN}"
            )

    async def clear(self) -> None:
        """Remove what the demo has made."""
        await self._client.drop_database(self.name)
        for trace in await self._traces():
            await self._client[_OWN].drop_collection(trace)
        await self._client[_OWN]["gaps"].delete_many({"database": self.name})

    async def _traces(self) -> list[str]:
        """Collections of Causeway's own for this database."""
        kinds = tuple(f"{kind}.{self.name}." for kind in ("tombstones", "repairs"))
        return [name for name in await self._client[_OWN].list_collection_names() if name.startswith(kinds)]

    async def close(self) -> None:
        await self._client.close()


def shell(value: Any) -> str:
    """A document as the shell of the document database would nearly show it, `_cw` left out."""
    if isinstance(value, dict):
        inner = ", ".join(f"{name}: {shell(one)}" for name, one in value.items() if name != "_cw")
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shell, value)) + "]"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Binary):
        return f"UUID({value.as_uuid()})" if value.subtype == 4 else "Binary"
    if isinstance(value, Decimal128):
        return f"Decimal({value})"
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return f"Date({value.strftime('%Y-%m-%dT%H:%M:%S')}.{value.microsecond // 1000:03})"
    return str(value)
