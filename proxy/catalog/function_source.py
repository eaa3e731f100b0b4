"""What the source of a function says about the tables it may write. Words are matched, nothing is parsed.

A function is taken for writing rather too often than too seldom: `SELECT ... FOR UPDATE` counts as an UPDATE.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from proxy.sql.model import Verb

EVERY_VERB = frozenset({Verb.INSERT, Verb.UPDATE, Verb.DELETE})

_WRITING: Mapping[str, frozenset[Verb]] = MappingProxyType(
    {
        "insert": frozenset({Verb.INSERT}),
        "update": frozenset({Verb.UPDATE}),
        "delete": frozenset({Verb.DELETE}),
        "merge": EVERY_VERB,
        "truncate": frozenset({Verb.DELETE}),
        "copy": frozenset({Verb.INSERT}),
    }
)
_PARSED = frozenset({"sql", "plpgsql"})
"""Languages whose statements stand in the source as SQL; all others hand text to the server."""
_HANDS_OVER = re.compile(r"spi|plpy|execute|query|prepare|sql", re.IGNORECASE)
"""What a function in another language must say to run SQL at all."""
_WRITING_C = frozenset({"check_foreign_key"})
"""Functions of contrib modules in C that write tables named in their arguments (`refint`)."""

_TOKENS = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)
      | (?P<text>[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<quoted>"(?:[^"]|"")*")
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD = re.compile(r"(?![\d$])[\w$]+")
_CALL = re.compile(r'(?:"((?:[^"]|"")+)"|((?![\d$])[\w$]+))\s*\(')
_QUOTED = re.compile(r'"((?:[^"]|"")+)"')


@dataclass(frozen=True, slots=True)
class FunctionText:
    """What one function does by its own text."""

    verbs: frozenset[Verb] = frozenset()
    """What it may do to the tables it mentions; empty: it writes nothing itself."""
    dynamic: bool = False
    """It runs SQL put together at run time, which may write anything."""
    words: frozenset[str] = frozenset()
    """Names in it, folded to lower case, and those in double quotes as they are."""
    calls: frozenset[str] = frozenset()
    """Names followed by a parenthesis, likewise."""


NOTHING_WRITTEN = FunctionText()


def read_function(language: str, source: str, *, volatile: bool) -> FunctionText:
    """`source`: prosrc, or of a function with a parsed body what pg_get_function_sqlbody shows.

    A function that is not volatile cannot write itself (SPI refuses it), but may call one that is.
    """
    if language in ("internal", "c"):
        return FunctionText(EVERY_VERB, dynamic=True) if source in _WRITING_C else NOTHING_WRITTEN
    text = _TOKENS.sub(_keep, source) if language in _PARSED else source
    plain = frozenset(word.lower() for word in _WORD.findall(text))
    quoted = frozenset(name.replace('""', '"') for name in _QUOTED.findall(text))
    calls = frozenset(
        quoted_name.replace('""', '"') if quoted_name else name.lower()
        for quoted_name, name in _CALL.findall(text)
    )
    if not volatile:
        return FunctionText(words=plain | quoted, calls=calls)
    if language in _PARSED:
        dynamic = "execute" in plain
    else:
        dynamic = _HANDS_OVER.search(source) is not None
    verbs = frozenset(verb for word, its in _WRITING.items() if word in plain for verb in its)
    return FunctionText(verbs, dynamic, plain | quoted, calls)


def _keep(match: re.Match[str]) -> str:
    """Comments go; the text of literals stays, for it may be SQL."""
    return " " if match["comment"] else match[0]
