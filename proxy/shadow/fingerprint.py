"""What a statement is called whatever constants stand in it, and its text without them. Pure."""

from __future__ import annotations

import hashlib
import re

from proxy.sql.parse import Source

MAX_STATEMENT = 2000
"""Characters of a statement that are shown."""

_CONSTANTS = frozenset({"ICONST", "FCONST", "SCONST", "USCONST", "BCONST", "XCONST"})
_LISTS = re.compile(r"\?(?:\s*,\s*\?)+")


def normalised(source: Source) -> str:
    """The text with `?` for every constant and parameter, lists of them cut to one, comments and layout left out."""
    out: list[str] = []
    for start, end, name in source.tokens():
        if name in _CONSTANTS or name == "PARAM":
            out.append("?")
        else:
            out.append(source.text[start:end])
    text = " ".join(out).rstrip("; ")
    text = re.sub(r"\s+(?=[,.)\]])|(?<=[.(\[])\s+", "", text)
    return _LISTS.sub("?, ...", text)


def fingerprint(statement: str) -> str:
    """16 hexadecimal digits of a normalised text."""
    return hashlib.blake2b(statement.encode(), digest_size=8).hexdigest()


def shown(statement: str) -> str:
    """As much of it as is kept."""
    return statement if len(statement) <= MAX_STATEMENT else statement[: MAX_STATEMENT - 3] + "..."
