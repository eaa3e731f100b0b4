"""The process of one scheduled comparison: `python -m proxy.backfill.scheduled`, told what to do by standard input.

One line of JSON, so that no secret is in an argument, the environment or a file. When standard input ends, so does the
comparison: the proxy that began it has gone. Exit codes as `causeway verify`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from typing import Any

from proxy.backfill.member import MemberError, open_member
from proxy.backfill.report import Outcome, Scope
from proxy.backfill.verify import Options
from proxy.backfill.verify_progress import Lines
from proxy.backfill.verifying import ROLE, WrongScope, checked, one_table, told_to_end
from proxy.catalog.source import SourceError
from proxy.config import Settings
from proxy.logs import configure
from proxy.names import TableName
from proxy.stores.protocol import StoreRefused, StoreUnavailable

NICE = 10
RATE_CONCURRENCY = 1
"""Chunks at once: what nobody waits for takes its time."""


async def compare(task: dict[str, Any], stop: asyncio.Event) -> bool:
    """Whether table and collection are equal. Raises what `verifying` does."""
    settings = Settings.model_validate(task["settings"])
    name = TableName(task["schema"], task["table"], task["database"])
    async with open_member(settings, ROLE) as member:
        table = member.table(name)
        scope = await checked(member, table, Scope(task["sample"], "", task["since"]))
        options = Options(
            scope,
            repair=task["repair"],
            concurrency=RATE_CONCURRENCY,
            max_reread_rows=settings.max_reread_rows,
        )
        done = await one_table(member, table, options, Lines(None), stop, limit=0, scheduled=True)
    return done.state.outcome is Outcome.EQUAL


async def _main() -> int:
    line = sys.stdin.readline()
    if not line:
        return 2
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def until_the_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=until_the_end, daemon=True).start()
    with told_to_end(stop):
        try:
            return 0 if await compare(json.loads(line), stop) else 1
        except (MemberError, SourceError, StoreUnavailable, StoreRefused, WrongScope) as error:
            print(f"verify: {error}", file=sys.stderr)
            return 3


def main() -> None:
    os.nice(NICE)
    configure("json", "error")
    sys.stdout.flush()
    code = asyncio.run(_main())
    os._exit(code)  # the thread that waits for the end of standard input does not hold it up


if __name__ == "__main__":
    main()
