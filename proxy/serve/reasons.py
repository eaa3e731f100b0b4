"""Why a read that might be served goes to PostgreSQL: labels of `causeway_reads_total`, beside the compiler's own."""

from __future__ import annotations

from typing import Final

TIMEOUT: Final = "the store took too long"
AWAY: Final = "the store is away"
REFUSED: Final = "the store refuses"
REJECTED: Final = "the store did not take the read"
BREAKER: Final = "the store is not asked for now, after errors"
BUSY: Final = "as many reads as `concurrency` allows are under way"
LARGE: Final = "the result is larger than `max_rows` or `max_bytes`"
CUT: Final = "LIMIT or OFFSET without a total order"
RAISES: Final = "it ends with an error"
FOREIGN: Final = "a document holds what the mirror never writes"
BROKEN: Final = "an error of the proxy"

TIMED: Final = "its result depends on the time of the transaction"
APPROXIMATE: Final = "the last digits of floats depend on the order in which they are added"
LONG: Final = "a statement that is too long"
FAILED: Final = "a statement that could not be compiled"

GAP: Final = "there is an open gap"
LAG: Final = "the mirror is too far behind"
GONE: Final = "the table is not mirrored any more"

STORE_FAILED: Final = frozenset({TIMEOUT, AWAY, REFUSED, REJECTED, BREAKER})
"""The store was to answer, and could not."""
