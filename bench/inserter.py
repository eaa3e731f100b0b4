"""What a backfill is compared with: the same driver inserting documents that are ready in memory.

`python -m bench.inserter URI DATABASE FROM TO COUNT` reads COUNT documents of FROM as they are stored and inserts
them into TO, in batches as large and as many at once as a backfill has; prints what it took as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient

BATCH = 1000
AT_ONCE = 2


async def insert(uri: str, database: str, source: str, target: str, count: int) -> dict[str, float]:
    """Documents, their bytes, and the seconds that the inserts took."""
    options: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    client: AsyncMongoClient[RawBSONDocument] = AsyncMongoClient(uri, document_class=RawBSONDocument)
    async with client:
        found = client[database].get_collection(source, codec_options=options).find({}).limit(count)
        documents = await found.to_list()
        batches = [documents[start : start + BATCH] for start in range(0, len(documents), BATCH)]
        collection = client[database].get_collection(target, codec_options=options)
        began = time.monotonic()
        await asyncio.gather(*(_lane(collection, batches[lane::AT_ONCE]) for lane in range(AT_ONCE)))
        seconds = time.monotonic() - began
    return {
        "documents": len(documents),
        "bytes": sum(len(document.raw) for document in documents),
        "seconds": seconds,
    }


async def _lane(collection: object, batches: Sequence[list[RawBSONDocument]]) -> None:
    for batch in batches:
        await collection.insert_many(batch, ordered=False)  # type: ignore[attr-defined]


def main() -> None:
    uri, database, source, target, count = sys.argv[1:]
    print(json.dumps(asyncio.run(insert(uri, database, source, target, int(count)))))


if __name__ == "__main__":
    main()
