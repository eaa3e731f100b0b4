"""Values of settings: from text, and back."""

from __future__ import annotations

from typing import Annotated, Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.config_types import Bytes, OptionalPath, Seconds, Secret, comma_separated, from_text

Numbers = Annotated[tuple[int, ...], comma_separated(int)]


@pytest.mark.parametrize(
    ("kind", "written", "value", "shown"),
    [
        (Seconds, "1m30s", 90.0, "90s"),
        (Seconds, 3, 3.0, "3s"),
        (Bytes, "64MiB", 64 << 20, "64MiB"),
        (Bytes, 1024, 1024, "1KiB"),
    ],
)
def test_units_are_read_and_written_back(kind: Any, written: Any, value: float, shown: str) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    assert adapter.validate_python(written) == value
    assert adapter.dump_python(value, mode="json") == shown
    jsonschema.validate(written, adapter.json_schema())
    with pytest.raises(ValidationError):
        adapter.validate_python("soon")


def test_a_list_is_one_text_or_several() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Numbers)
    assert adapter.validate_python("1,2") == adapter.validate_python(["1", 2]) == (1, 2)
    with pytest.raises(ValidationError):
        adapter.validate_python(5)


def test_only_text_is_parsed() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[int, from_text(len)])
    assert adapter.validate_python("four") == 4
    assert adapter.validate_python(7) == 7


def test_a_secret_is_written_only_and_a_path_may_be_missing() -> None:
    assert TypeAdapter(Secret).json_schema()["writeOnly"] is True
    assert "hunter2" not in repr(TypeAdapter(Secret).validate_python("hunter2"))
    assert TypeAdapter(OptionalPath).validate_python(None) is None
