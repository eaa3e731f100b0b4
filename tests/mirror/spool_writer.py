"""A process that is to be killed: secures and commits transactions, and says on its standard output which it has.

`s <n>`: transaction n is secured, as its session would know before it sends COMMIT. `c <n>`: and committed. `a <n>`:
its last image is in the store. With `store` as second argument the store takes what comes; with `down` nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from proxy.stores.protocol import Namespace, Outcome, Poison, Write
from tests.mirror.world import DATABASE, FaultyStore, World, insert, update


class TellingStore(FaultyStore):
    async def apply(
        self, namespace: Namespace, writes: Sequence[Write], *, replay: bool = False
    ) -> list[Outcome | Poison]:
        outcomes = await super().apply(namespace, writes, replay=replay)
        for write in writes:
            if write.document is not None and write.document["name"] == "second":
                sys.stdout.write(f"a {write.key.value}\n")
        sys.stdout.flush()
        return outcomes


async def main(spool: Path, store: str, memory: int) -> None:
    world = World()
    world.store = TellingStore()
    if store == "down":
        world.store.down()
    mirror = world.mirror(spool, mirror_memory=memory)
    await mirror.start()
    out = sys.stdout
    for number in itertools.count(1):
        tx = mirror.begin(DATABASE)
        tx.add([insert(number, "first", 1000 * number, xid=number)])
        if number % 7 == 0:
            mirror.spill(tx)
        tx.add([update(number, "second", 1000 * number + 10, xid=number)])
        done = asyncio.Event()
        if not mirror.secure(tx, done.set):
            await done.wait()
        out.write(f"s {number}\n")
        out.flush()
        if number % 5 == 0:
            continue  # killed or not, nobody ever hears what became of this one
        mirror.committed(tx)
        out.write(f"c {number}\n")
        if number % 50 == 0:
            await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
