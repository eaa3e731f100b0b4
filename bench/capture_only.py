"""`causeway` whose mirror forgets every transaction once it is committed: capture under load, with nothing behind it.

Run as `python -m bench.capture_only run …`, with the arguments of `causeway`.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy import mirroring
from proxy.cli import main
from proxy.mirror.mirror import Mirror
from proxy.mirror.transaction import Transaction


class Forgetful(Mirror):
    """Sessions do all they do for a mirror; it writes nothing, to no disk and to no store."""

    def secure(self, tx: Transaction, then: Callable[[], None]) -> bool:
        return True

    def committed(
        self,
        tx: Transaction,
        then: Callable[[], None] | None = None,
        timeout: float = 0.0,
        stored: Callable[[], None] | None = None,
    ) -> bool:
        self.noted(tx.database, tx.version)
        self.aborted(tx)
        return True


if __name__ == "__main__":
    mirroring.Mirror = Forgetful  # type: ignore[attr-defined]
    main()
