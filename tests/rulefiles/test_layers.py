from __future__ import annotations

from proxy.rulefiles.layers import Shape, expand, locate, merge, paths, shapes
from proxy.rulefiles.schema import Ack, Gates, Ignore, Reads, RuleFile, Shadow, Table, Verify
from proxy.rulefiles.yaml_marks import Node, parse, plain


def tree(text: str) -> Node:
    node, problems = parse(text.encode(), "f")
    assert node is not None
    assert problems == []
    return node


def test_what_the_keys_hold() -> None:
    table = shapes(Table)
    assert table["ack"] == Shape(Ack, False, False)
    assert table["shadow"] == Shape(Shadow, False, False)
    assert table["reads"] == Shape(Reads, False, False)
    assert table["verify"] == Shape(Verify, True, False)
    assert table["key"] == Shape(None, True, True)
    assert table["exclude"] == Shape(None, False, True)
    assert table["collection"] == Shape(None, True, False)
    assert table["force"] == table["rename"] == table["phase"] == Shape(None, False, False)
    assert shapes(Ignore)["fingerprints"] == Shape(None, False, True)
    assert shapes(RuleFile)["database"] == Shape(None, True, True)
    assert shapes(RuleFile)["gates"] == Shape(Gates, False, False)


def test_short_forms_are_written_out() -> None:
    short = tree("{ack: sync, shadow: {ignore: {columns: a}}, verify: 24h, key: id, exclude: [x], reads: 5%}")
    assert plain(expand(short, Table)) == {
        "ack": {"mode": "sync"},
        "shadow": {"ignore": {"columns": ("a",)}},
        "verify": {"every": "24h"},
        "key": ("id",),
        "exclude": ("x",),
        "reads": {"share": "5%"},
    }


def test_null_is_no_short_form_of_what_may_be_left_out() -> None:
    assert plain(expand(tree("{verify: null, auto_rollback: null, key: null}"), Table)) == {
        "verify": None,
        "auto_rollback": None,
        "key": None,
    }


def test_what_does_not_fit_is_left_for_the_validator() -> None:
    odd = tree("{auto_rollback: x, shadow: [1], unknown: 1, exclude: {a: b}}")
    assert plain(expand(odd, Table)) == plain(odd)


def test_sections_are_merged_and_everything_else_is_replaced() -> None:
    under = tree("{shadow: {sample: 1%, ignore: {columns: [a], table: true}}, rename: {a: b}, exclude: [x]}")
    over = tree("{shadow: {ignore: {columns: [c]}}, rename: {c: d}, exclude: [y], phase: dark_read}")
    assert plain(merge(under, over)) == {
        "shadow": {"sample": "1%", "ignore": {"columns": ("c",), "table": True}},
        "rename": {"c": "d"},
        "exclude": ("y",),
        "phase": "dark_read",
    }
    assert plain(merge(under, tree("{shadow: null}")))["shadow"] is None


def test_paths_of_what_is_given() -> None:
    assert list(paths(tree("{ack: {mode: sync, timeout: 1s}, key: [a]}"))) == [
        "ack",
        "ack.mode",
        "ack.timeout",
        "key",
    ]


def test_the_node_nearest_to_a_path() -> None:
    root = tree("{ack: {mode: sync}, key: [a, b]}")
    other = tree("other")
    assert plain(locate(root, ("ack", "mode"), other)) == "sync"
    assert plain(locate(root, ("ack", "timeout"), other)) == {"mode": "sync"}
    assert plain(locate(root, ("key", 1), other)) == "b"
    assert plain(locate(root, ("key", 7), other)) == ("a", "b")
    assert locate(root, ("reads",), other) is other
