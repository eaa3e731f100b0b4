"""The version of a row image: timeline and WAL position in one Int64, ordered as PostgreSQL wrote the rows.

The timeline stands in the 11 bits above the 52 of the position, so that what is written after a failover is newer
than anything before it: 2,047 failovers and 4 PiB of WAL.
"""

from __future__ import annotations

LSN_BITS = 52
MAX_LSN = (1 << LSN_BITS) - 1
MAX_TIMELINE = (1 << 11) - 1


class VersionOverflow(Exception):
    """A timeline or WAL position that no version has room for. Nothing may be mirrored from there on."""


def pack(timeline: int, lsn: int) -> int:
    """The version of what was written at `lsn` (bytes) on `timeline`."""
    if not 0 < timeline <= MAX_TIMELINE:
        raise VersionOverflow(f"timeline {timeline} is not between 1 and {MAX_TIMELINE}")
    if not 0 <= lsn <= MAX_LSN:
        raise VersionOverflow(f"WAL position {format_lsn(lsn)} is beyond {format_lsn(MAX_LSN)}")
    return timeline << LSN_BITS | lsn


def unpack(version: int) -> tuple[int, int]:
    """(timeline, lsn)."""
    return version >> LSN_BITS, version & MAX_LSN


def parse_lsn(text: str) -> int:
    """The position PostgreSQL writes as `16/B374D848`. ValueError for anything else."""
    high, separator, low = text.partition("/")
    if not separator:
        raise ValueError(f"{text!r} is not a WAL position")
    return int(high, 16) << 32 | int(low, 16)


def format_lsn(lsn: int) -> str:
    """As PostgreSQL writes it."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"
