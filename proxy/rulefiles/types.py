"""Types of the values in rule files: each parses, says what would be right, and describes itself to JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.functional_serializers import PlainSerializer
from pydantic.functional_validators import AfterValidator
from pydantic.json_schema import JsonSchemaValue, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from proxy import units
from proxy.names import MAX_IDENTIFIER_BYTES
from proxy.phases import Phase
from proxy.rulefiles.yaml_marks import nearest

RESERVED_FIELDS = frozenset({"_id", "_cw"})
"""Fields of every document that are not columns."""


class AckMode(Enum):
    ASYNC = "async"
    SYNC = "sync"


class Durability(Enum):
    STRICT = "strict"
    FAST = "fast"


class Redaction(Enum):
    REDACT = "redact"
    HASH = "hash"
    PLAIN = "plain"


WORDS: Mapping[type[Enum], Mapping[Enum, str]] = MappingProxyType(
    {
        Phase: {
            Phase.PASSTHROUGH: "Postgres alone; the proxy forwards bytes",
            Phase.DUAL_WRITE: "committed writes are mirrored to the store as well",
            Phase.BACKFILL: "as dual_write, while `causeway backfill` copies the history",
            Phase.DARK_READ: "as dual_write; a sample of reads also runs on the store and is compared",
            Phase.PRIMARY_SWITCH: "reads are served by the store, by Postgres where only it is exact",
            Phase.DECOMMISSION: "the store alone; Postgres is not touched for this table",
        },
        AckMode: {
            AckMode.ASYNC: "the reply to a write does not wait for the store",
            AckMode.SYNC: "the reply to a write waits for the store, at most `timeout`",
        },
        Durability: {
            Durability.STRICT: "images are on the proxy's disk before Postgres commits; a kill loses nothing",
            Durability.FAST: "images wait in memory; an unclean end is recorded as a gap",
        },
        Redaction: {
            Redaction.REDACT: "neither value is kept",
            Redaction.HASH: "both values are kept as hashes, so that equal ones can be told",
            Redaction.PLAIN: "both values are kept as they are",
        },
    }
)
"""Every word a rule can say, and what it means."""

_NO_PHASE = {"off", "no", "none", "false", "disabled", "null", "proxy", "postgres"}


def refuse(message: str, hint: str = "") -> PydanticCustomError:
    return PydanticCustomError("rule", "{message}", {"message": message, "hint": hint})


@dataclass(frozen=True)
class Quantity:
    """Pydantic type of a text with a unit: parsed to a number, written back as such a text."""

    kind: str
    parse: Callable[[Any], float]
    write: Callable[[Any], str]
    pattern: str
    low: str
    high: str
    bare: bool = False
    """Whether a number without a unit is accepted."""

    def validate(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise refuse(f"this must be {self.kind}", f"for example {self.high}")
        try:
            number = self.parse(value)
            if not self.bare and (not isinstance(value, str) or re.fullmatch(r"\s*[0-9.]+\s*", value)):
                raise ValueError(f"{value} has no unit; write {value}s for seconds or {value}ms")
        except ValueError as error:
            message, _, hint = str(error).partition("; ")
            raise refuse(message, hint) from None
        if not self.parse(self.low) <= number <= self.parse(self.high):
            raise refuse(f"{value} is out of range", f"write {self}")
        return number

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate,
            serialization=core_schema.plain_serializer_function_ser_schema(self.write, when_used="json"),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        text = {"type": "string", "pattern": self.pattern}
        if not self.bare:
            return text
        return {
            "anyOf": [
                text,
                {"type": "integer", "minimum": self.parse(self.low), "maximum": self.parse(self.high)},
            ]
        }

    def __str__(self) -> str:
        return f"{self.kind} from {self.low} to {self.high}"


# The same few texts stand in every table: large rule sets load several times faster with the answers kept.
_seconds, _ratio, _bytes = (
    lru_cache(maxsize=1024, typed=True)(parse)
    for parse in (units.parse_duration, units.parse_percent, units.parse_size)
)
_duration_text = lru_cache(maxsize=1024)(units.format_duration)
_share_text = lru_cache(maxsize=1024)(units.format_percent)
_size_text = lru_cache(maxsize=1024)(units.format_size)


def duration(low: str, high: str) -> Quantity:
    return Quantity("a duration", _seconds, _duration_text, units.DURATION_PATTERN, low, high)


def size(low: str, high: str) -> Quantity:
    return Quantity("a size", _bytes, _size_text, units.SIZE_PATTERN, low, high, bare=True)


_SHARE = Quantity("a share", _ratio, _share_text, units.PERCENT_PATTERN, "0%", "100%")

Share = Annotated[float, _SHARE]
"""0 to 1; written `5%`."""


@dataclass(frozen=True)
class Count:
    """Pydantic type of a whole number in a range."""

    low: int
    high: int

    def validate(self, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise refuse("this is not a number that fits here", f"write {self}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


@dataclass(frozen=True)
class OneOf:
    """Pydantic type of the words of an enumeration."""

    words: type[Enum]

    def validate(self, value: Any) -> Enum:
        names = [member.value for member in self.words]
        if isinstance(value, self.words):
            return value
        if isinstance(value, str) and value in names:
            return self.words(value)
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        meant = nearest(shown, names) if isinstance(value, str) else None
        if self.words is Phase and shown.lower() in _NO_PHASE:
            meant = Phase.PASSTHROUGH.value
        hint = f"did you mean {meant}? " if meant else ""
        raise refuse(f"{shown} is not one of the words for this key", hint + f"write {self}")

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda word: word.value, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        described = WORDS[self.words]
        return {"oneOf": [{"const": word.value, "description": described[word]} for word in self.words]}

    def __str__(self) -> str:
        names = [member.value for member in self.words]
        return f"{', '.join(names[:-1])} or {names[-1]}"


def _column(name: str) -> str:
    if len(name) > 1 and name[0] == name[-1] == '"':
        raise refuse(f"{name} has SQL quotes", f"write the column's name as it is stored: {name[1:-1]}")
    return _catalogue_name(name)


def _catalogue_name(name: str) -> str:
    if not name:
        raise refuse("the name is empty", "write a name")
    if "\0" in name or len(name.encode()) > MAX_IDENTIFIER_BYTES:
        raise refuse(
            f"{name[:80]} is no name that PostgreSQL can have",
            f"a name has at most {MAX_IDENTIFIER_BYTES} bytes",
        )
    return name


def _field(name: str) -> str:
    if name in RESERVED_FIELDS:
        raise refuse(f"the field {name} is reserved", "choose another name")
    if not name or name.startswith("$") or "." in name or "\0" in name:
        raise refuse(
            f"{name!r} cannot be a field of a document", "a field has no dot in its name and no $ in front"
        )
    return name


MAX_COLLECTION_BYTES = 191
"""MongoDB allows 255 for `database.collection`; a PostgreSQL database's name has up to 63."""


def collection_fault(name: str) -> str:
    """Why MongoDB or the proxy would not have this as a collection's name; empty where they would."""
    if not name or len(name.encode()) > MAX_COLLECTION_BYTES:
        return f"a collection's name has 1 to {MAX_COLLECTION_BYTES} bytes"
    if name.startswith(("system.", "_causeway")) or ".system." in name:
        return "names that begin with system. or _causeway are reserved"
    if "$" in name or "\0" in name or name.startswith(".") or name.endswith(".") or ".." in name:
        return "a collection's name has no $, no dot at either end and no two dots together"
    return ""


def _collection(name: str) -> str:
    if fault := collection_fault(name):
        raise refuse(f"{name!r} cannot be a collection", fault)
    return name


_FINGERPRINT = "^[0-9a-f]{16}$"


def _fingerprint(text: str) -> str:
    if not re.fullmatch(_FINGERPRINT, text):
        raise refuse(
            f"{text} is not a fingerprint", "sixteen hexadecimal digits, as `causeway mismatches` shows"
        )
    return text


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise refuse(f"{name} stands here twice", "write each name once")
    return names


def _not_empty(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise refuse("the list is empty", "name at least one, or take the key out")
    return names


def nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class OneOrMany:
    """Marks a list of texts that may be written as a single text."""

    at_least: int = 0

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        many = handler(schema)
        if self.at_least:
            many["minItems"] = self.at_least
        return {"anyOf": [many["items"], many]}


Column = Annotated[str, AfterValidator(_column)]
"""A column as the catalogue has it: case counts, no SQL quotes."""
Columns = Annotated[tuple[Column, ...], AfterValidator(_distinct), OneOrMany()]
SomeColumns = Annotated[
    tuple[Column, ...],
    AfterValidator(_distinct),
    AfterValidator(_not_empty),
    OneOrMany(1),
]
FieldName = Annotated[str, AfterValidator(_field)]
Collection = Annotated[str, AfterValidator(_collection)]
Fingerprint = Annotated[
    str, AfterValidator(_fingerprint), WithJsonSchema({"type": "string", "pattern": _FINGERPRINT})
]
Fingerprints = Annotated[
    tuple[Fingerprint, ...],
    AfterValidator(_distinct),
    OneOrMany(),
]
Databases = Annotated[
    tuple[Annotated[str, AfterValidator(_catalogue_name)], ...],
    AfterValidator(_distinct),
    AfterValidator(_not_empty),
    OneOrMany(1),
]
Renames = Annotated[Mapping[Column, FieldName], AfterValidator(MappingProxyType), PlainSerializer(dict)]
