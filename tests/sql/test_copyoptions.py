from __future__ import annotations

from typing import Any

import pytest

from proxy.sql.copyoptions import copy_from, is_on
from proxy.sql.model import CopyFrom
from proxy.sql.parse import Source

_TEXT: dict[str, Any] = {
    "columns": None,
    "format": "text",
    "delimiter": "\t",
    "null": "\\N",
    "quote": '"',
    "escape": '"',
    "header": False,
    "from_client": True,
}
_CSV: dict[str, Any] = {**_TEXT, "format": "csv", "delimiter": ",", "null": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COPY t FROM STDIN", _TEXT),
        ('COPY s.t (a, "B") FROM STDIN', {**_TEXT, "columns": ("a", "B")}),
        ("COPY t FROM '/x'", {**_TEXT, "from_client": False}),
        ("COPY t FROM PROGRAM 'x'", {**_TEXT, "from_client": False}),
        ("COPY t FROM STDIN (FORMAT csv)", _CSV),
        (
            "COPY t FROM STDIN WITH CSV HEADER QUOTE '|' NULL 'N'",
            {**_CSV, "header": True, "quote": "|", "escape": "|", "null": "N"},
        ),
        (
            "COPY t FROM STDIN (FORMAT 'CSV', HEADER match, ESCAPE '\\', DELIMITER ';')",
            {**_CSV, "header": True, "escape": "\\", "delimiter": ";"},
        ),
        (
            "COPY t FROM STDIN (HEADER false, FORMAT csv, ENCODING 'latin1', DEFAULT 'D')",
            {**_CSV, "encoding": "latin1", "default": "D"},
        ),
        ("COPY t FROM STDIN BINARY", {**_TEXT, "format": "binary"}),
        ("COPY BINARY t FROM STDIN", {**_TEXT, "format": "binary"}),
        ("COPY t FROM STDIN USING DELIMITERS '|' NULL AS ''", {**_TEXT, "delimiter": "|", "null": ""}),
    ],
)
def test_options_old_and_new(text: str, expected: dict[str, Any]) -> None:
    (statement,) = Source(text).statements
    assert copy_from(statement.node) == CopyFrom(**expected)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (None, True),
        ({"String": {"sval": "OFF"}}, False),
        ({"String": {"sval": "false"}}, False),
        ({"String": {"sval": "true"}}, True),
        ({"String": {"sval": "match"}}, True),
        ({"Integer": {}}, False),
        ({"Integer": {"ival": 1}}, True),
        ({"Boolean": {}}, False),
        ({"Boolean": {"boolval": True}}, True),
    ],
)
def test_an_option_that_is_only_named_is_on(argument: dict[str, Any] | None, expected: bool) -> None:
    assert is_on(argument) is expected
