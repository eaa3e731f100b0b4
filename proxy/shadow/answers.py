"""The two answers to one read: the reply that PostgreSQL gave, and the store's through the compiled plan."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from proxy.catalog.model import TypeInfo
from proxy.shadow.compare import Shape
from proxy.shadow.inline import inlined
from proxy.shadow.outcomes import Outcome
from proxy.shadow.rows import CANONICAL, Row, texts
from proxy.shadow.sample import Limits, SampledRead
from proxy.sql.parse import Source
from proxy.stores.protocol import StoreRefused, StoreUnavailable
from proxy.translate import types as t
from proxy.translate.api import (
    ForeignDocument,
    Inexact,
    Reader,
    ReadError,
    ReadLimits,
    ReadPlan,
    Result,
    SessionSettings,
    TooMuch,
)
from proxy.translate.inputs import parser
from proxy.translate.outputs import writer
from proxy.translate.types import Types


class Failed(Exception):
    """The store's side has no answer."""

    def __init__(self, outcome: Outcome | None, reason: str, columns: tuple[str, ...] = ()) -> None:
        """`outcome` None: it may be a difference; to be looked at again."""
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.columns = columns


@dataclass(slots=True)
class Answered:
    """The store's answer."""

    result: Result
    shape: Shape
    texts: list[Row]
    """In the session's settings."""
    binary: list[Row] | None
    """As `texts`, with those columns in CANONICAL settings that the reply has in binary; None: it has none."""
    seconds: float = 0.0

    def shown(self) -> list[Row]:
        """To be compared with the reply."""
        return self.texts if self.binary is None else self.binary


def _fetching(limits: Limits) -> ReadLimits:
    """The rule is about results; more may be fetched for a small one."""
    usual = ReadLimits()
    return ReadLimits(max(usual.max_rows, limits.max_rows), max(usual.max_bytes, limits.max_bytes))


class Asker:
    """One read's questions."""

    def __init__(self, read: SampledRead, plan: ReadPlan, types: Mapping[int, TypeInfo]) -> None:
        self._read = read
        self._plan = plan
        self._types = types
        self._formats = read.formats_of(len(plan.columns))
        self.session: SessionSettings = replace(read.session(), extra_float_digits=1, bytea_output="hex")
        """What both sides are asked again with."""

    def reply(self) -> list[Row]:
        """What the client got. Raises Unreadable."""
        return texts(self._read.rows, self._plan.columns, self._formats, self._types)

    def served(self) -> list[Row]:
        """The reply that the store gave, written as PostgreSQL's will be. Raises Unreadable."""
        known = Types(self._types)
        rewrites: list[Callable[[str], str] | None] = []
        for column, code in zip(self._plan.columns, self._formats, strict=True):
            oid = column.type_oid
            rewrites.append(self._in_zone(oid, known) if code and _zoned(oid, known) else None)
        rows = self.reply()
        if not any(rewrites):
            return rows
        return [
            tuple(
                text if rewrite is None or text is None else rewrite(text)
                for text, rewrite in zip(row, rewrites, strict=True)
            )
            for row in rows
        ]

    def _in_zone(self, oid: int, known: Types) -> Callable[[str], str]:
        """From CANONICAL text to that of the session."""
        parse, write = parser(oid, known, CANONICAL), writer(oid, known, self.session)
        return lambda text: write(parse(text))

    def query(self, source: Source) -> str:
        """The read without parameters. Raises Unreadable."""
        read = self._read
        types = self._plan.parameter_types
        return inlined(source, types, read.parameters, read.formats, self._types)

    async def store(self, reader: Reader, *, now: int | None) -> Answered:
        """The store's answer. Raises Failed."""
        read = self._read
        limits = read.limits
        try:
            async with asyncio.timeout(limits.timeout):
                bound = self._plan.bind(read.parameters, read.formats, replace(self.session, now=now))
                result = await bound.run(reader, _fetching(limits))
            return Answered(result, Shape.of(result), list(result.texts), self._binary(result))
        except Inexact as error:
            raise Failed(Outcome.UNSUPPORTED, error.reason) from error
        except TooMuch as error:
            raise Failed(Outcome.SKIPPED, str(error)) from error
        except TimeoutError as error:
            raise Failed(Outcome.TIMEOUT, "") from error
        except ReadError as error:
            raise Failed(None, f"the read fails in the proxy with SQLSTATE {error.sqlstate}") from error
        except ForeignDocument as error:
            raise Failed(None, "a document holds what the mirror never writes", (error.column,)) from error
        except StoreUnavailable as error:
            raise Failed(Outcome.ERROR, "the store is away or too slow") from error
        except StoreRefused as error:
            raise Failed(Outcome.ERROR, "the store does not take the read") from error

    def _binary(self, result: Result) -> list[Row] | None:
        if not any(self._formats):
            return None
        known = Types(self._types)
        writers = [
            writer(column.type_oid, known, CANONICAL) if code else None
            for column, code in zip(result.columns, self._formats, strict=True)
        ]
        return [
            tuple(
                text if write is None or value is None else write(value)
                for text, value, write in zip(shown, row, writers, strict=True)
            )
            for shown, row in zip(result.texts, result.rows, strict=True)
        ]


def _zoned(oid: int, known: Types) -> bool:
    """Whether the time zone changes how values are written."""
    return t.TIMESTAMPTZ in (oid, known.element(oid))
