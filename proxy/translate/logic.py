"""AND and OR of conditions that have been made functions, in three-valued logic. Manual: 9.1, 4.2.14."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proxy.translate.api import Inexact, ReadError
from proxy.translate.runtime import Evaluate, Row, Run


def conjunction(parts: Sequence[Evaluate]) -> Evaluate:
    return decided(parts, False)


def decided(parts: Sequence[Evaluate], decisive: bool) -> Evaluate:
    """AND, OR: in the order they are written. PostgreSQL may take them in another, so an error of one does not count
    where another decides: then nobody can say what PostgreSQL does."""

    def test(row: Row, run: Run) -> Any:
        unknown = False
        failed: ReadError | None = None
        for part in parts:
            try:
                value = part(row, run)
            except ReadError as error:
                failed = failed or error
                continue
            if value is None:
                unknown = True
            elif value is decisive:
                if failed is not None:
                    raise Inexact("an error that depends on the order of evaluation")
                return decisive
        if failed is not None:
            raise failed
        return None if unknown else not decisive

    return test
