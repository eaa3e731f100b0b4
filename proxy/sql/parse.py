"""From text to the trees of PostgreSQL's own parser, with places in characters. The only file that calls pglast.

The parser gives JSON, which is several times cheaper than its objects and stops with an error where objects of the
same statement overflow the C stack.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

Node = dict[str, Any]
"""A node of the tree: fields that are zero, false or empty are left out, as `pg_query` writes them."""

SPACE = " \t\n\r\f\v"
"""White space to PostgreSQL's lexer. Other Unicode spaces are letters to it."""


class Unparsed(Exception):
    """A text the parser of PostgreSQL 18's grammar does not take."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message, position)
        self.message = message
        self.position = position
        """In characters from 0; -1 where the parser does not say."""


class Parsed(NamedTuple):
    """One statement of a text."""

    type: str
    """`InsertStmt`, ..."""
    node: Node
    start: int
    """Of its first token, in characters."""
    end: int
    """Behind its last token."""


class Source:
    """A text and its statements. Raises Unparsed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens: list[tuple[int, int, str]] | None = None
        try:
            data = text.encode()
        except UnicodeEncodeError as error:
            raise Unparsed("the text holds characters that are not Unicode", error.start) from None
        if b"\0" in data:
            raise Unparsed("the text holds a zero byte", text.index("\0"))
        self._data = None if len(data) == len(text) else data
        self.statements = self._split(_parse(text))

    def place(self, location: int) -> int:
        """A location of the tree (bytes of UTF-8) in characters."""
        return location if self._data is None else len(self._data[:location].decode())

    def tokens(self) -> list[tuple[int, int, str]]:
        """(start, end, name) of every token of the text, comments left out; in characters."""
        if self._tokens is None:
            from pglast.parser import scan

            self._tokens = [
                (token.start, token.end + 1, token.name)
                for token in scan(self.text)
                if token.name not in ("SQL_COMMENT", "C_COMMENT")
            ]
        return self._tokens

    def _split(self, raw: list[Node]) -> list[Parsed]:
        statements = []
        for item in raw:
            begin = item.get("stmt_location", 0)
            length = item.get("stmt_len", 0)
            limit = self.place(begin + length) if length else len(self.text)
            ((type_, node),) = item["stmt"].items()
            statements.append(Parsed(type_, node, *self._bounds(self.place(begin), limit)))
        return statements

    def _bounds(self, begin: int, limit: int) -> tuple[int, int]:
        """Of the tokens between `begin` and `limit`, the first one's start and the last one's end."""
        segment = self.text[begin:limit]
        if "--" not in segment and "/*" not in segment:
            return begin + len(segment) - len(segment.lstrip(SPACE)), begin + len(segment.rstrip(SPACE))
        inside = [token for token in self.tokens() if begin <= token[0] < limit]
        return inside[0][0], inside[-1][1]


def _parse(text: str) -> list[Node]:
    from pglast.parser import ParseError, parse_sql_json

    try:
        tree = json.loads(parse_sql_json(text), strict=False)
    except ParseError as error:
        message, location = (*error.args, None)[:2]
        raise Unparsed(str(message), location if isinstance(location, int) else -1) from None
    except RecursionError:
        raise Unparsed("the statement is nested too deeply", -1) from None
    statements: list[Node] = tree.get("stmts", [])
    return statements


def load() -> None:
    """Load the parser (some 60 ms), so that the first statement need not wait for it."""
    _parse("SELECT 1")
