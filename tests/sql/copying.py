"""COPY data read for its keys, for the tests of each format."""

from __future__ import annotations

from typing import Any

from proxy.sql.analysis import analyse
from proxy.sql.copydata import CopyKeys
from proxy.sql.model import CopyFrom


def layout(options: str = "") -> CopyFrom:
    (statement,) = analyse(f"COPY t FROM STDIN {options}").statements
    assert statement.copy is not None
    return statement.copy


def read(copy: CopyFrom, payloads: list[bytes], positions: tuple[int, ...] = (0,), **more: Any) -> Any:
    """The keys, or why there are none."""
    keys = CopyKeys(copy, positions, **{"max_rows": 100, **more})
    for payload in payloads:
        keys.feed(payload)
    found = keys.finish()
    return keys.failure if found is None else found
