from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.rulefiles.problems import Place
from proxy.rulefiles.yaml_marks import Mapping, Scalar, nearest, parse, path_text, plain, resolve

READERS = pytest.mark.parametrize("pure", [False, True], ids=["libyaml", "python"])


@READERS
def test_every_node_knows_its_place_and_path(pure: bool) -> None:
    node, problems = parse(b"\xef\xbb\xbftables:\n  a:\n    exclude: [x, 'y z']\n# end\n", "f", pure=pure)
    assert problems == []
    assert plain(node) == {"tables": {"a": {"exclude": ("x", "y z")}}}  # type: ignore[arg-type]
    assert isinstance(node, Mapping)
    tables = node.get("tables")
    assert isinstance(tables, Mapping)
    table = tables.entries[0]
    assert table.key.place == Place("f", 2, 3)
    assert isinstance(table.value, Mapping)
    exclude = table.value.entries[0]
    assert exclude.key.place == Place("f", 3, 5)
    item = exclude.value.items[1]  # type: ignore[union-attr]
    assert item == Scalar("y z", "y z", True, Place("f", 3, 18), ("tables", "a", "exclude", 1))
    assert path_text(item.path) == "tables.a.exclude[1]"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None),
        ("true", True), ("False", False),
        ("yes", "yes"), ("off", "off"), ("1:30", "1:30"), ("2024-01-01", "2024-01-01"),
        ("12", 12), ("-3", -3), ("0", 0), ("010", "010"), ("0x1f", "0x1f"), ("1_000", "1_000"),
        ("1.5", 1.5), ("1e3", 1000.0), ("1e999", "1e999"), ("9" * 30, 1e30), (".inf", ".inf"),
    ],
)  # fmt: skip
def test_plain_scalars_have_the_meaning_of_yaml_1_2(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@READERS
@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: 1\n\tb: 2\n", 2, 1, "use spaces to indent"),
        ("a: b: c\n", 1, 5, "check the indentation"),
        ("a: [1, 2\n", 2, 1, "this is not YAML"),
        ("a: 1\n b: 2\n", 2, 3, "check the indentation"),
        ("abc\ndef: 1\n", 2, 4, "this is not YAML"),
        ("a: %5\n", 1, 4, "quotes around a text that begins with a special character"),
        ("a: @x\n", 1, 4, "quotes around a text that begins with a special character"),
        ("a: *\n", 1, 5, "quotes around"),
        ("a: 'open\n", 2, 1, "this is not YAML"),
        ("a: 1\na: 2\n", 2, 1, "first in line 1"),
        ("a: &x 1\n", 1, 4, "the anchor &x is not allowed"),
        ("b: *x\n", 1, 4, "the alias *x is not allowed"),
        ("<<: {}\n", 1, 1, "merge keys are not allowed"),
        ("a: !!python/object/apply:os.system [ls]\n", 1, 4, "python/object/apply:os.system is not allowed"),
        ("a: !!str 1\n", 1, 4, "is not allowed"),
        ("a: 1\n---\nb: 1\n", 2, 1, "a second document begins"),
        ("? [a]\n: 1\n", 1, 3, "a key must be a single word"),
        ("1.0: x\n", 1, 1, 'quote it: "1.0"'),
        ("true: x\n", 1, 1, 'quote it: "true"'),
        ("~: x\n", 1, 1, 'quote it: "~"'),
        ("[" * 20, 1, 17, "nested deeper than 16 levels"),
        ("a: b\x07\n", 1, 5, "U+0007"),
        ("x: 1\nä\u2028: 1\n", 2, 2, "U+2028"),
        ('a: "\\ud800"\n', 1, None, ""),
        ('a: "\\UFFFFFFFF"\n', 1, None, ""),
    ],
)
def test_what_is_no_rule_file(pure: bool, text: str, line: int, column: int | None, words: str) -> None:
    _, problems = parse(text.encode(), "f", pure=pure)
    assert len(problems) == 1, problems
    found = problems[0]
    assert found.line == line
    assert column is None or found.column == column
    assert words in str(found)


def test_a_tab_where_only_one_of_the_readers_allows_it() -> None:
    """YAML 1.2 lets tabs separate; PyYAML's own parser does not, and says so in words of its own."""
    node, problems = parse(b"a:\tb\n", "f")
    assert problems == []
    assert node is not None
    assert plain(node) == {"a": "b"}
    _, problems = parse(b"a:\tb\n", "f", pure=True)
    assert "use spaces" in problems[0].hint


def test_encodings() -> None:
    assert "byte 0xe9 is not UTF-8" in str(parse(b"a: 1\nb: caf\xe9\n", "f")[1][0])
    assert parse(b"a: 1\nb: caf\xe9\n", "f")[1][0].line == 2
    assert parse(b"a: 1\nb: caf\xe9\n", "f")[1][0].column == 7
    assert "UTF-16" in str(parse("a: 1".encode("utf-16"), "f")[1][0])


def test_no_tag_runs_anything(tmp_path: Path) -> None:
    target = tmp_path / "made"
    for pure in (False, True):
        node, problems = parse(f"a: !!python/object/apply:os.mkdir ['{target}']".encode(), "f", pure=pure)
        assert node is None
        assert problems
    assert not target.exists()


def test_what_follows_a_duplicate_key_is_still_read() -> None:
    node, problems = parse(b"a: 1\na: {b: [2]}\nc: 3\nc: 4\n", "f")
    assert node is not None
    assert plain(node) == {"a": 1, "c": 3}
    assert [problem.line for problem in problems] == [2, 4]


@READERS
@given(st.binary(max_size=60) | st.text("ab:- \n\t[]{}'\"&*!|>%@#?,0.~<é\\", max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused_with_a_line(pure: bool, data: bytes) -> None:
    node, problems = parse(data, "f", pure=pure)
    lines = len(re.findall(b"\r\n|\r|\n", data)) + 1
    for problem in problems:
        assert problem.line is not None
        assert 1 <= problem.line <= lines
        assert problem.column is not None
        assert problem.column >= 1
    if node is not None:
        plain(node)


def test_nearest_word() -> None:
    words = ["phase", "shadow", "dual_write"]
    assert nearest("phse", words) == "phase"
    assert nearest("Dual-Write", words) == "dual_write"
    assert nearest("collection", words) is None
