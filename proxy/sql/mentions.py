"""Whether a text is worth parsing: a look at its bytes that may say yes too often, and never no wrongly."""

from __future__ import annotations

import re

LEADING_WORDS = (
    "abort",
    "alter",
    "begin",
    "call",
    "commit",
    "copy",
    "create",
    "deallocate",
    "discard",
    "do",
    "drop",
    "end",
    "execute",
    "explain",
    "grant",
    "import",
    "prepare",
    "reassign",
    "release",
    "reset",
    "revoke",
    "rollback",
    "savepoint",
    "set",
    "start",
    "truncate",
)
"""First words of statements a session must know whatever they name: they change its transaction, its settings, its
prepared statements or the catalogue, or run something that is not in the text."""

ALWAYS_WATCHED = frozenset({"set_config", "pg_settings"})
"""What changes a setting from within a query: role, search_path."""

_TRUNCATED_FROM = 60
"""Bytes of UTF-8. PostgreSQL cuts identifiers at 63 bytes, whole characters only: from here on a name may be what is
left of a longer one."""

_LEAD = (
    rb"(?:[ \t\n\r\f\v;(]|--[^\n\r]*|/\*(?:[^*/]++|\*(?!/)|/(?!\*))*+\*/)*+"
    rb"(?:/\*|(?:" + b"|".join(word.encode() for word in LEADING_WORDS) + rb")(?![A-Za-z0-9_$\x80-\xff]))"
)
"""White space and comments, then a leading word; or a comment that holds another, where no regular expression can
tell where it ends."""
_FIRST = re.compile(_LEAD, re.IGNORECASE)
_LATER = re.compile(rb";" + _LEAD, re.IGNORECASE)
_ESCAPED_NAME = re.compile(rb'[uU]&"')
_LEADING = frozenset(word.encode() for word in LEADING_WORDS)
_FOLDED = bytes(
    byte if byte >= 0x80 or chr(byte).isalnum() or chr(byte) in "_$" else 0x20 for byte in range(256)
).lower()
"""What makes up words, in lower case; anything else is a space."""
_RUNS_OF_TEXT = re.compile(r"[a-z0-9_$\x80-\U0010ffff]+")


class Mentions:
    """Looks for names of relations and functions, as the catalogue has them."""

    def __init__(self, names: frozenset[str]) -> None:
        self._plain: set[bytes] = set()
        """The longest run of letters and digits of each name, lower case: where the name stands, quoted or not, its
        run does."""
        self._beyond_ascii: set[str] = set()
        """The same of names that are not ASCII. How those look depends on the encoding of the text."""
        self._prefixes: list[str] = []
        self._odd: list[str] = []
        """Names without a single letter or digit, quoted for SQL."""
        for name in names | ALWAYS_WATCHED:
            self._add(name)

    def search(self, body: bytes, encoding: str = "utf-8") -> bool:
        """`body`: a text as the client sent it; `encoding`: Python's name of its client_encoding."""
        words = body.translate(_FOLDED).split()
        if not self._plain.isdisjoint(words):
            return True
        if words[0] in _LEADING if body[:1].isalpha() else _FIRST.match(body) is not None:
            return True
        if b";" in body and _LATER.search(body) is not None:
            return True
        if b"&" in body and _ESCAPED_NAME.search(body) is not None:
            return True
        if self._beyond_ascii and not body.isascii():
            text = body.decode(encoding, "replace").casefold()
            if not self._beyond_ascii.isdisjoint(_RUNS_OF_TEXT.findall(text)):
                return True
        if self._prefixes or self._odd:
            text = body.decode(encoding, "replace").casefold()
            return any(part in text for part in self._prefixes) or any(name in text for name in self._odd)
        return False

    def _add(self, name: str) -> None:
        folded = name.casefold()
        if len(name.encode("utf-8", "surrogatepass")) >= _TRUNCATED_FROM:
            self._prefixes += [folded, folded.replace('"', '""')]
            return
        run = max(_RUNS_OF_TEXT.findall(folded), key=len, default=None)
        if run is None:
            self._odd.append('"' + folded.replace('"', '""') + '"')
        elif name.isascii():
            self._plain.add(run.encode())
        else:
            self._beyond_ascii.add(run)
