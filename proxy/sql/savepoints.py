"""Savepoint statements read without the parser: drivers name each one anew, so that no cache knows them."""

from __future__ import annotations

import re

from proxy.sql.model import Analysis, Kind, Statement

MAX_NAME = 63
"""Bytes; PostgreSQL cuts longer names."""

_STATEMENT = re.compile(
    r"[ \t\r\n\f\v]*+"
    r"(?P<text>(?:(?P<savepoint>SAVEPOINT)|(?P<release>RELEASE)(?:[ \t\r\n]+SAVEPOINT)?"
    r"|ROLLBACK(?:[ \t\r\n]+(?:WORK|TRANSACTION))?[ \t\r\n]+TO(?:[ \t\r\n]+SAVEPOINT)?)"
    r"[ \t\r\n]+(?:(?P<plain>[A-Za-z_][A-Za-z0-9_$]*)|\"(?P<quoted>[^\"\x00]+)\"))"
    r"[ \t\r\n\f\v]*;?[ \t\r\n\f\v]*",
    re.IGNORECASE | re.ASCII,
)
_DIGIT = re.compile("[0-9]")


def savepoint_statement(text: str) -> Analysis | None:
    """What `analyse` would give, or None where this is not quite certainly such a statement."""
    match = _STATEMENT.fullmatch(text)
    if match is None:
        return None
    name = match["quoted"]
    if name is None:
        name = match["plain"].lower()
        if not _DIGIT.search(name):  # no keyword has one
            return None
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME:
        return None
    if match["savepoint"]:
        kind, tag = Kind.SAVEPOINT, "SAVEPOINT"
    elif match["release"]:
        kind, tag = Kind.RELEASE, "RELEASE"
    else:
        kind, tag = Kind.ROLLBACK_TO, "ROLLBACK TO"
    return Analysis((Statement(kind, match.start("text"), match.end("text"), name=name, tag=tag),))
