"""What the source of a function says about the tables it may write. Words are matched, nothing is parsed.

In SQL and PL/pgSQL what is written stands behind the command's words; whatever is put together at run time, and every
other language that can hand SQL to the server, may write anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from proxy.sql.model import Verb

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
_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'
_PATH = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_TARGET = re.compile(
    rf"""\b(?: (?P<insert>insert\s+into | copy)
           | (?P<update>update(?:\s+only\b)?)
           | (?P<delete>delete\s+from(?:\s+only\b)?)
           | (?P<merge>merge\s+into(?:\s+only\b)?)
           | (?P<truncate>truncate(?:\s+table\b)?(?:\s+only\b)?) )
        \s*(?:(?<=\s)|(?="))(?P<target>{_PATH} (?:\s*\*?\s*,\s*(?:only\s+)?{_PATH})*)
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A writing command and the relation behind it; of TRUNCATE several."""
_VERBS: Mapping[str, tuple[Verb, ...]] = MappingProxyType(
    {
        "insert": (Verb.INSERT,),
        "update": (Verb.UPDATE,),
        "delete": (Verb.DELETE,),
        "merge": (Verb.INSERT, Verb.UPDATE, Verb.DELETE),
        "truncate": (Verb.DELETE,),
    }
)
_UPSERT = re.compile(r"\bon\s+conflict\b", re.IGNORECASE)
_DYNAMIC = re.compile(r'\bexecute\b|\bu&"', re.IGNORECASE)
"""EXECUTE, and names written in Unicode escapes, which are not unravelled."""
_CALL = re.compile(rf"({_NAME})\s*\(")
_EACH_NAME = re.compile(_NAME)
_EACH_PATH = re.compile(_PATH)


@dataclass(frozen=True, slots=True)
class FunctionText:
    """What one function does by its own text."""

    targets: frozenset[tuple[str, Verb]] = frozenset()
    """Unqualified names of the relations it writes."""
    dynamic: bool = False
    """It runs SQL put together at run time, which may write anything."""
    calls: frozenset[str] = frozenset()
    """Unqualified names of what it calls."""


NOTHING_WRITTEN = FunctionText()


def read_function(language: str, source: str, *, volatile: bool) -> FunctionText:
    """`source`: prosrc, or of a function with a parsed body what pg_get_function_sqlbody shows.

    A function that is not volatile cannot write itself (SPI refuses it), but may call one that is.
    """
    if language in ("internal", "c"):
        return FunctionText(dynamic=True) if source in _WRITING_C else NOTHING_WRITTEN
    if language not in _PARSED:
        return FunctionText(dynamic=volatile and _HANDS_OVER.search(source) is not None)
    text = _TOKENS.sub(_without_comments, source)
    calls = frozenset(_plain(name) for name in _CALL.findall(text))
    if not volatile:
        return FunctionText(calls=calls)
    targets: set[tuple[str, Verb]] = set()
    upserts = _UPSERT.search(text) is not None
    for match in _TARGET.finditer(text):
        command = next(name for name in _VERBS if match[name])
        for path in _EACH_PATH.findall(match["target"]):
            name = _plain(_EACH_NAME.findall(path)[-1])
            targets |= {(name, verb) for verb in _VERBS[command]}
            if command == "insert" and upserts:
                targets.add((name, Verb.UPDATE))
    return FunctionText(frozenset(targets), _DYNAMIC.search(text) is not None, calls)


def _plain(name: str) -> str:
    """Without quotes, or folded to lower case where it has none."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _without_comments(match: re.Match[str]) -> str:
    """Comments go; the text of literals stays, for it may be SQL."""
    return " " if match["comment"] else match[0]
