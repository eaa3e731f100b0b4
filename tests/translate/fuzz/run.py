"""Runs random reads on both sides and counts what comes of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bson import decode, encode
from bson.codec_options import CodecOptions, DatetimeConversion

from proxy.sql.shapes import Pieces, between_of, constants_of, is_certain, pieces_of
from proxy.stores.protocol import Namespace
from proxy.translate.api import (
    ForeignDocument,
    Inexact,
    Reader,
    ReadError,
    ReadLimits,
    ReadPlan,
    TooMuch,
    Unsupported,
)
from proxy.translate.cache import PlanCache
from proxy.translate.compiler import compile_text
from tests.translate.fuzz.errors import Explainer
from tests.translate.fuzz.oracle import Question, Said, ask_all, binary_forms, type_oids
from tests.translate.fuzz.reads import GROUPS, Read, make_read
from tests.translate.fuzz.schema import Schema
from tests.translate.world import Answer, World, difference

BATCH = 25
_RAW: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
_CRASHES = (
    *(ForeignDocument, ArithmeticError, LookupError, ValueError, TypeError, AttributeError, AssertionError),
    *(RecursionError, NotImplementedError),
)
_SEVERAL = re.compile(r"\b(JOIN|AND|OR|LIMIT|FETCH|OFFSET|CASE|COALESCE|ANY|IN|EXISTS)\b")
"""Where there are several conditions or tables, PostgreSQL's plan says for which rows a subquery is run."""
ZONES = ("UTC", "America/New_York", "Asia/Kolkata")


class Remembering:
    """A reader that asks the store every question once: nothing changes meanwhile.

    What is asked for without a condition it takes out of the whole collection by itself, but for one of ten.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.random = Random(0)
        self.known: dict[str, list[bytes]] = {}
        self.asked = 0

    async def find(
        self,
        namespace: Namespace,
        condition: Mapping[str, Any],
        projection: Mapping[str, Any] | None,
        sort: Sequence[tuple[str, int]],
        limit: int,
    ) -> AsyncIterator[bytes]:
        name = repr((namespace, condition, projection, sort, limit))
        whole = not condition and not sort and projection is not None
        if name not in self.known and whole and self.random.random() < 0.9:
            assert projection is not None
            documents = [document async for document in self.find(namespace, {}, None, (), 0)]
            self.known[name] = [_projected(document, projection) for document in documents[: limit or None]]
        if name not in self.known:
            self.asked += 1
            found = self.reader.find(namespace, condition, projection, sort, limit)
            self.known[name] = [document async for document in found]
        for document in self.known[name]:
            yield document

    async def aggregate(
        self, namespace: Namespace, pipeline: Sequence[Mapping[str, Any]]
    ) -> AsyncIterator[bytes]:
        name = repr((namespace, pipeline))
        if name not in self.known:
            self.asked += 1
            self.known[name] = [document async for document in self.reader.aggregate(namespace, pipeline)]
        for document in self.known[name]:
            yield document


def _projected(document: bytes, projection: Mapping[str, Any]) -> bytes:
    raw = decode(document, _RAW)
    return encode({name: raw[name] for name in raw if projection.get(name)}, codec_options=_RAW)


@dataclass
class Tally:
    """What has come of the reads of a run."""

    made: Counter[str] = field(default_factory=Counter)
    valid: Counter[str] = field(default_factory=Counter)
    supported: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)
    of_a_shape: int = 0
    """Reads whose plan was made for other constants."""
    different: list[str] = field(default_factory=list)
    samples: dict[str, str] = field(default_factory=dict)

    def share(self, group: str) -> float:
        return self.supported[group] / self.valid[group] if self.valid[group] else 1.0

    def shown(self) -> str:
        total = sum(self.made.values())
        lines = [
            f"{total} reads: " + ", ".join(f"{name} {count}" for name, count in self.outcomes.most_common())
        ]
        for group in GROUPS:
            lines.append(
                f"class {group:>2}: {self.valid[group]:>6} valid of {self.made[group]:>6}, "
                f"{100 * self.share(group):6.2f} % supported"
            )
        reasons: Counter[str] = Counter()
        for (_, reason), count in self.reasons.items():
            reasons[reason] += count
        lines += [f"{count:>6} {reason}" for reason, count in reasons.most_common(40)]
        lines.append("refused by PostgreSQL: " + ", ".join(f"{k} {n}" for k, n in self.invalid.most_common()))
        lines.append(f"with the plan of a text with other constants: {self.of_a_shape}")
        return "\n".join(lines)


class Siblings:
    """Texts of the same shape as another, with constants that were seen before."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.seen: dict[str, list[str]] = {}

    def of(self, sql: str) -> str | None:
        pieces = pieces_of(sql)
        constants = constants_of(pieces)
        if not is_certain(pieces):
            return None
        parts = [between_of(pieces)[0]]
        for number, (constant, between) in enumerate(zip(constants, between_of(pieces)[1:], strict=True)):
            parts += [self._like(constant) if constant else _identifier(pieces, number), between]
        return "".join(parts)

    def _like(self, constant: str) -> str:
        look = re.sub(r"[a-z]+", "a", re.sub(r"[0-9]+", "9", constant.lower()))
        known = self.seen.setdefault(look, [])
        if len(known) < 50:
            known.append(constant)
        return self.random.choice(known)


def _identifier(pieces: Pieces, number: int) -> str:
    return f'"{pieces[6 * number + 2]}'


class Fuzzer:
    def __init__(self, world: World, schema: Schema, random: Random, tally: Tally) -> None:
        self.world = world
        self.schema = schema
        self.random = random
        self.tally = tally
        self.cache = PlanCache()
        self.siblings = Siblings(Random(0))
        self.reader = Remembering(world.reader)
        self.binary = binary_forms(world.oracle)
        self.oids = type_oids(world.oracle)
        world.oracle.execute("SET statement_timeout = '5s'")
        world.limits = ReadLimits(max_rows=20_000)

    async def run(self, count: int, groups: Sequence[str] = ()) -> None:
        for start in range(0, count, BATCH):
            self.cache = PlanCache()
            self.world.set("TimeZone", self.random.choice(ZONES))
            reads = [make_read(self.random, self.schema, groups) for _ in range(min(BATCH, count - start))]
            questions = [self._question(read) for read in reads]
            answers = ask_all(self.world.oracle, questions)
            for read, question, (answer, prepared) in zip(reads, questions, answers, strict=True):
                await self.one(read, question, (answer, prepared))

    def _question(self, read: Read) -> Question:
        given: list[bytes | None] = []
        types, formats = [], []
        for one in read.parameters:
            types.append(self.oids[one.type] if one.declared else 0)
            formats.append(1 if one.binary else 0)
            if one.value is None:
                given.append(None)
            else:
                given.append(self.binary[one.type, one.value] if one.binary else one.value.encode())
        return read.sql, given, types, formats

    async def one(self, read: Read, question: Question, said: Said) -> None:
        answer, prepared = said
        tally = self.tally
        tally.made[read.group] += 1
        if prepared:
            tally.valid[read.group] += 1
        try:
            outcome = await self._outcome(question, answer, prepared, self.random.random() < 0.8)
        except Unsupported as refused:
            outcome = "inexact" if isinstance(refused, Inexact) else "unsupported"
            if prepared:
                tally.reasons[read.group, refused.reason] += 1
                tally.samples.setdefault(refused.reason, read.sql)
        except TooMuch:
            outcome = "too much"
        except _CRASHES as error:
            outcome = f"fails: {type(error).__name__} {error}"
        if not prepared:
            tally.invalid[answer.sqlstate] += 1
            outcome = "refused by PostgreSQL" if outcome in ("unsupported", "inexact") else outcome
        if outcome.startswith(("different", "fails")):
            shown = f"{outcome}\n  {read.sql}\n  {question[1:]} {self.world.session.time_zone}\n  {answer.sqlstate}"
            tally.different.append(shown)
            outcome = outcome.partition(":")[0]
        elif prepared and outcome not in ("unsupported", "inexact"):
            tally.supported[read.group] += 1
        tally.outcomes[outcome] += 1

    async def _explained(self, question: Question, sqlstate: str) -> bool:
        """Whether PostgreSQL may have looked at rows that are not looked at here."""
        sql, given, types, formats = question
        if sqlstate == "21000":  # a subquery that need not be run for every row
            return _SEVERAL.search(sql) is not None
        if sqlstate[:2] != "22":
            return False
        world = self.world
        plan = compile_text(sql, world.book, world.database, world.path, types, push_down=False)
        bound = plan.bind(given, formats, world.session)
        return await Explainer(plan, bound.values, world.session).explains(sqlstate, self.reader)

    def _cached(self, sql: str, types: Sequence[int]) -> ReadPlan:
        """The plan that was made of another text of the same shape."""
        given = self.world.book, self.world.database, self.world.path, types
        sibling = self.siblings.of(sql)
        if sibling is not None:
            try:
                self.cache.plan(sibling, *given)
            except Unsupported:
                pass
        before = self.cache.shape_hits
        plan = self.cache.plan(sql, *given)
        self.tally.of_a_shape += self.cache.shape_hits - before
        return plan

    async def _outcome(self, question: Question, answer: Answer, prepared: bool, push_down: bool) -> str:
        sql, given, types, formats = question
        world = self.world
        plan = world.compile(sql, types, push_down=push_down)
        if push_down:
            plan = self._cached(sql, types)
        if not prepared:
            return f"different: supported, but PostgreSQL refuses it with {answer.sqlstate}"
        if plan.columns != answer.columns:
            return f"different: description {plan.columns}, not {answer.columns}"
        if plan.parameter_types != answer.parameter_types:
            return f"different: parameters {plan.parameter_types}, not {answer.parameter_types}"
        try:
            result = await plan.bind(given, formats, world.session).run(self.reader, world.limits)
        except ReadError as error:
            if answer.sqlstate == error.sqlstate:
                return "the same error"
            if not answer.sqlstate:
                # PostgreSQL looks at rows and conditions in another order: told apart by whoever compares
                return "an error PostgreSQL does not have"
            return "another error"
        if answer.sqlstate == "57014":
            return "PostgreSQL takes too long"
        if answer.sqlstate:
            if result.indeterminate:
                return "indeterminate"
            if await self._explained(question, answer.sqlstate):
                return "an error only PostgreSQL has"
            return f"different: no error {answer.sqlstate}, but {result.texts[:5]}"
        if result.indeterminate:
            return "indeterminate"
        reason = difference(result, answer.rows)
        if reason:
            return f"different: {reason}\n  {result.texts[:12]}\n  {answer.rows[:12]}"
        return "the same"
