"""The kinds of values settings have: how text becomes one, and how it is written back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, SecretStr, WithJsonSchema

from proxy.units import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)


@dataclass(frozen=True)
class Doc:
    """How a setting is shown to people, beside its description."""

    group: str
    metavar: str
    default: str | None = None
    """The default in words, where it is not the field's own; None: as the field's value is written."""


def from_text(parse: Callable[[str], Any]) -> BeforeValidator:
    def validate(value: Any) -> Any:
        return parse(value) if isinstance(value, str) else value

    return BeforeValidator(validate)


def comma_separated(parse: Callable[[str], Any]) -> BeforeValidator:
    """A list, or one text with commas between the items; `parse` makes an item of its text."""

    def validate(value: Any) -> Any:
        if isinstance(value, str):
            value = value.split(",")
        if isinstance(value, list | tuple):
            return tuple(parse(item) if isinstance(item, str) else item for item in value)
        return value

    return BeforeValidator(validate)


def text_schema(**more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **more})


Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": DURATION_PATTERN}, {"type": "number", "minimum": 0}]}
    ),
]
Bytes = Annotated[
    int,
    BeforeValidator(parse_size),
    PlainSerializer(format_size, when_used="json"),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": SIZE_PATTERN}, {"type": "integer", "minimum": 0}]}
    ),
]
AsText = PlainSerializer(str, when_used="json")
Secret = Annotated[SecretStr, text_schema(writeOnly=True)]
OptionalPath = Annotated[Path | None, text_schema()]
