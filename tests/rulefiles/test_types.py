"""The value types of rule files: what they take, what they refuse, and how they write back."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.rulefiles.types import Collection, Columns, FieldName, Renames, duration, size

TIMEOUT: TypeAdapter[float] = TypeAdapter(Annotated[float, duration("1ms", "1h")])
SIZE: TypeAdapter[float] = TypeAdapter(Annotated[float, size("1KiB", "1GiB")])


@pytest.mark.parametrize(("written", "seconds"), [("500ms", 0.5), ("1h", 3600.0), ("1m30s", 90.0)])
def test_durations(written: str, seconds: float) -> None:
    assert TIMEOUT.validate_python(written) == seconds
    assert TIMEOUT.validate_python(TIMEOUT.dump_python(seconds, mode="json")) == seconds


@pytest.mark.parametrize("written", ["2h", "0s", "5", 5, True, None, "soon", ["1s"]])
def test_what_is_no_duration_here(written: Any) -> None:
    with pytest.raises(ValidationError):
        TIMEOUT.validate_python(written)


def test_sizes_may_be_bare_numbers_of_bytes() -> None:
    assert SIZE.validate_python("64MiB") == SIZE.validate_python(64 << 20) == 64 << 20
    with pytest.raises(ValidationError, match="out of range"):
        SIZE.validate_python(1)


def test_columns_are_distinct() -> None:
    adapter: TypeAdapter[tuple[str, ...]] = TypeAdapter(Columns)
    assert adapter.validate_python(("a", "b")) == ("a", "b")
    with pytest.raises(ValidationError):
        adapter.validate_python(("a", "a"))


@pytest.mark.parametrize("name", ["_cw", "$where", "a.b", "", "a\x00b"])
def test_names_no_field_may_have(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(FieldName).validate_python(name)


@pytest.mark.parametrize("name", ["", "system.users", "a$b", "a\x00b"])
def test_names_no_collection_may_have(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Collection).validate_python(name)


def test_renames_cannot_be_changed_afterwards() -> None:
    renames: Any = TypeAdapter(Renames).validate_python({"a": "b"})
    with pytest.raises(TypeError):
        renames["c"] = "d"
