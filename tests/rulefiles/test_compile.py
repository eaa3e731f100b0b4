from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.names import TableName
from proxy.phases import Phase
from proxy.rulefiles.compile import RuleText, compile_rules
from proxy.rulefiles.problems import Problem, RulesError
from proxy.rulefiles.types import AckMode, Durability, Redaction
from tests.rulefiles.texts import problem, problems, rule, rules

EXAMPLES = sorted((Path(__file__).parents[2] / "rules" / "examples").glob("*.yaml"))


def test_a_table_has_the_defaults_of_its_file_and_its_own_settings() -> None:
    found = rules(
        """
        database: shop
        defaults:
          phase: dual_write
          ack: {mode: sync, timeout: 250ms}
          shadow: {sample: 1%, timeout: 2s, ignore: {columns: seen_at}}
          verify: 24h
        tables:
          orders:
            phase: dark_read
            ack: async
            shadow: 10%
            reads: 5%
          sales.carts:
            verify: null
            shadow: {ignore: {table: true}}
        gates:
          max_lag: 1m
        """
    )
    assert list(found.tables) == [
        TableName("public", "orders", "shop"),
        TableName("sales", "carts", "shop"),
    ]
    orders, carts = found.tables.values()
    assert orders.phase is Phase.DARK_READ
    assert orders.ack.mode is AckMode.ASYNC
    assert (orders.shadow.sample, orders.shadow.timeout, orders.shadow.ignore.columns) == (
        0.1,
        2.0,
        ("seen_at",),
    )
    assert orders.reads.share == 0.05
    assert orders.verify is not None
    assert orders.verify.every == 86400
    assert orders.durability is Durability.STRICT
    assert orders.gates.max_lag == 60
    assert (orders.place.file, orders.place.line, orders.written) == ("a.yaml", 9, "orders")
    assert carts.phase is Phase.DUAL_WRITE
    assert (carts.ack.mode, carts.ack.timeout) == (AckMode.SYNC, 0.25)
    assert carts.verify is None
    assert carts.shadow.ignore.columns == ("seen_at",)
    assert carts.shadow.ignore.table
    assert (orders.collection, carts.collection) == ("orders", "sales.carts")


def test_every_setting_can_be_given() -> None:
    found = rule(
        """
        tables:
          orders:
            phase: primary_switch
            force: true
            collection: purchases
            key: [tenant, id]
            rename: {placed_at: placedAt, tenant: org}
            exclude: search_vector
            last_modified: updated_at
            durability: fast
            shadow: {sample: 100%, concurrency: 2, queue: 0, timeout: 1s, max_rows: 5, max_bytes: 1MiB,
                     redaction: plain, ignore: {fingerprints: 0a1b2c3d4e5f6071}}
            reads: {share: 10%, timeout: 100ms, concurrency: 3, max_rows: 7, max_bytes: 1MiB, reverse_shadow: 1%}
            auto_rollback: {window: 1m, min_reads: 10, max_mismatch_rate: 1%, max_error_rate: 2%, max_lag: 30s}
            verify: {every: 1h, sample: 10%, since: 2h, repair: true}
        """
    )
    assert found.force
    assert found.collection == "purchases"
    assert found.key == ("tenant", "id")
    assert dict(found.rename) == {"placed_at": "placedAt", "tenant": "org"}
    assert found.exclude == ("search_vector",)
    assert found.last_modified == "updated_at"
    assert found.durability is Durability.FAST
    assert found.shadow.max_bytes == 1 << 20
    assert found.shadow.redaction is Redaction.PLAIN
    assert found.reads.reverse_shadow == 0.01
    assert (found.reads.concurrency, found.reads.max_rows, found.reads.max_bytes) == (3, 7, 1 << 20)
    assert found.auto_rollback is not None
    assert found.auto_rollback.max_error_rate == 0.02
    assert found.verify is not None
    assert found.verify.since == 7200
    with pytest.raises(TypeError):
        found.rename["x"] = "y"  # type: ignore[index]


def test_a_phase_that_is_not_built_is_shown_as_requested_and_held() -> None:
    text = "tables: {orders: {phase: decommission}}"
    held = rules(text, last_built=Phase.DUAL_WRITE)
    (found,) = held.tables.values()
    assert (found.phase, found.effective) == (Phase.DECOMMISSION, Phase.DUAL_WRITE)
    assert found.holding.reasons == ("backfill is not built yet; this version stops at dual_write",)
    assert held.needs_sql
    assert not rules(text, last_built=Phase.PASSTHROUGH).needs_sql


@pytest.mark.parametrize(
    ("text", "line", "column", "key_path", "message", "hint"),
    [
        ("", 1, 1, "", "the file is empty", "`tables: {}`"),
        ("# only words\n", 1, 1, "", "the file is empty", "`tables: {}`"),
        ("{}", 1, 1, "", "the file is empty", "`tables: {}`"),
        ("- a\n", 1, 1, "", "a rule file is a mapping", "`tables:`"),
        ("tables:\n", 1, 1, "tables", "nothing stands after `tables:`", "`tables: {}`"),
        ("tables: []\n", 1, 9, "tables", "`tables` is a mapping", "each table's name as a key"),
        ("defaults:\n", 1, 1, "defaults", "nothing stands after `defaults:`", "take the key out"),
        ("tabels: {}\n", 1, 1, "tabels", "unknown key `tabels`", "did you mean `tables`?"),
        ("orders: {}\n", 1, 1, "orders", "unknown key `orders`", "tables stand under `tables`"),
        ("phase: dark_read\n", 1, 1, "phase", "unknown key `phase`", "stands under `defaults` or under a table"),
        ("database: 1.0\n", 1, 11, "database", "does not read 1.0 as a text", 'quote it: "1.0"'),
        ("database: []\n", 1, 11, "database", "the list is empty", "name at least one"),
        ("database: [a, a]\n", 1, 11, "database", "a stands here twice", "once"),
        ("defaults: {force: true}\n", 1, 12, "defaults.force", "unknown key", "directly under a table"),
        ("gates: {max_lag: 5}\n", 1, 18, "gates.max_lag", "5 has no unit", "write 5s"),
        ("gates: 5s\n", 1, 8, "gates", "must be a section", "max_lag"),
        ("tables: {a: on}\n", 1, 13, "tables.a", "a table is a mapping", "`phase:`"),
        ("tables: {a: {phse: x}}\n", 1, 14, "tables.a.phse", "unknown key", "did you mean `phase`?"),
        ("tables: {a: {phase: off}}\n", 1, 21, "tables.a.phase", "off is not", "did you mean passthrough?"),
        ("tables: {a: {phase: false}}\n", 1, 21, "tables.a.phase", "false is not", "did you mean passthrough?"),
        ("tables: {a: {phase: Dark-Read}}\n", 1, 21, "tables.a.phase", "Dark-Read is", "did you mean dark_read?"),
        ("tables: {a: {phase: [x]}}\n", 1, 21, "tables.a.phase", "is not one of", "write passthrough, dual_write"),
        ("tables: {a: {force: yes}}\n", 1, 21, "tables.a.force", "not a truth value", "write true"),
        ("tables: {a: {force: 'off'}}\n", 1, 21, "tables.a.force", "not a truth value", "write false"),
        ("tables: {a: {force: 2}}\n", 1, 21, "tables.a.force", "truth value", "write true or false"),
        ("tables: {a: {sample: 5%}}\n", 1, 14, "tables.a.sample", "unknown key", "it belongs under `shadow`"),
        ("tables: {a: {shadow: {sample: 5}}}\n", 1, 31, "tables.a.shadow.sample", "no percent sign", "write 5%"),
        ("tables: {a: {shadow: 0.05}}\n", 1, 22, "tables.a.shadow", "no percent sign", "write 5%"),
        ("tables: {a: {shadow: {timeout: 1:30}}}\n", 1, 32, "tables.a.shadow.timeout", "clock time", "90s"),
        ("tables: {a: {shadow: {timeout: 1h}}}\n", 1, 32, "tables.a.shadow.timeout", "out of range", "1ms to 5m"),
        ("tables: {a: {shadow: {queue: 1.5}}}\n", 1, 30, "tables.a.shadow.queue", "number", "0 to 100000"),
        ("tables: {a: {shadow: {queue: 1_0}}}\n", 1, 30, "tables.a.shadow.queue", "number", "0 to 100000"),
        ("tables: {a: {shadow: {max_bytes: 64Mi}}}\n", 1, 34, "tables.a.shadow.max_bytes", "unit", "64MiB"),
        ("tables: {a: {shadow: []}}\n", 1, 22, "tables.a.shadow", "must be a section", "sample, concurrency"),
        ("tables: {a: {exclude: {b: c}}}\n", 1, 23, "tables.a.exclude", "must be a list", "[one, two]"),
        ("tables: {a: {exclude: [b, 7]}}\n", 1, 27, "tables.a.exclude[1]", "does not read 7", 'quote it: "7"'),
        ("tables: {a: {exclude: ['\"b\"']}}\n", 1, 24, "tables.a.exclude[0]", "SQL quotes", "stored: b"),
        ("tables: {a: {key: []}}\n", 1, 19, "tables.a.key", "the list is empty", "take the key out"),
        ("tables: {a: {rename: b}}\n", 1, 22, "tables.a.rename", "must be a section", "`column: field`"),
        ("tables: {a: {rename: {b: _cw}}}\n", 1, 26, "tables.a.rename.b", "_cw is reserved", "another name"),
        ("tables: {a: {rename: {b: c.d}}}\n", 1, 26, "tables.a.rename.b", "cannot be a field", "no dot"),
        ("tables: {a: {rename: {'': c}}}\n", 1, 23, "tables.a.rename.", "the name is empty", "write a name"),
        ("tables: {a: {collection: system.x}}\n", 1, 26, "tables.a.collection", "cannot be", "reserved"),
        ("tables: {a: {collection: null, key: null}, b: {phase: null}}\n", 1, 55, "tables.b.phase", "is not", ""),
        ("tables: {a$b: {}}\n", 1, 10, "tables.a$b", "cannot be a collection", "name one under `collection`"),
        ("tables: {A: {}}\n", 1, 10, "tables.A", "PostgreSQL reads A as a", """'"A"'"""),
        ("tables: {a.b.c: {}}\n", 1, 10, "tables.a.b.c", "has 3 parts", "`database`"),
        ("tables:\n  a:\n    shadow:\n    reads: 5%\n", 3, 5, "tables.a.shadow", "nothing stands after", "value"),
        ("tables:\n  a: {}\n  a: {}\n", 3, 3, "tables.a", "twice, first in line 2", "remove one"),
        ("tables:\n  a: {}\n  public.a: {}\n", 3, 3, "tables.public.a", "first at a.yaml:2:3", "keep one"),
        (
            "tables:\n  a: {shadow: {ignore: {fingerprints: [1234567890123456]}}}\n",
            2, 40, "tables.a.shadow.ignore.fingerprints[0]", "does not read", 'quote it: "1234567890123456"',
        ),
        (
            "tables:\n  a: {shadow: {ignore: {fingerprints: xyz}}}\n",
            2, 39, "tables.a.shadow.ignore.fingerprints", "is not a fingerprint", "sixteen",
        ),
    ],
)  # fmt: skip
def test_a_problem_says_where_what_and_what_would_be_right(
    text: str, line: int, column: int, key_path: str, message: str, hint: str
) -> None:
    found = problem(text)
    assert (found.file, found.line, found.column, found.key_path) == ("a.yaml", line, column, key_path)
    assert message in found.message
    assert hint in found.hint


def test_all_problems_of_all_files_are_told_at_once_in_the_order_of_the_text() -> None:
    found = problems(
        "defaults: {phase: darkread}\ntables: {a: {x: 1, force: si}, b: {durability: fsat}}\n",
        "tables: [\n",
        "gates: {window: 1}\n",
    )
    assert [(p.file, p.line, p.key_path) for p in found] == [
        ("a.yaml", 1, "defaults.phase"),
        ("a.yaml", 2, "tables.a.x"),
        ("a.yaml", 2, "tables.a.force"),
        ("a.yaml", 2, "tables.b.durability"),
        ("b.yaml", 2, ""),
        ("c.yaml", 1, "gates.window"),
    ]


def test_a_mistake_in_the_defaults_is_told_once() -> None:
    found = problem("defaults: {shadow: {sampel: 5%}}\ntables: {a: {}, b: {}, c: {shadow: 1%}}\n")
    assert (found.line, found.key_path) == (1, "defaults.shadow.sampel")


def test_a_conflict_that_comes_from_the_defaults_is_told_there() -> None:
    found = problem("defaults:\n  durability: fast\ntables:\n  a: {phase: decommission}\n  b: {}\n")
    assert (found.line, found.key_path) == (2, "defaults.durability")


def test_files_keep_their_defaults_and_gates_to_themselves() -> None:
    found = rules(
        "defaults: {phase: dual_write}\ngates: {max_lag: 1s}\ntables: {a: {}}\n",
        "tables: {b: {}}\n",
    )
    a, b = found.tables.values()
    assert (a.phase, a.gates.max_lag) == (Phase.DUAL_WRITE, 1.0)
    assert (b.phase, b.gates.max_lag) == (Phase.PASSTHROUGH, 10.0)


def test_one_table_may_have_rules_in_several_databases() -> None:
    found = rules(
        "database: [eu, us]\ntables: {a: {phase: dual_write}}\n", "database: asia\ntables: {a: {}}\n"
    )
    assert [str(name) for name in found.tables] == ["asia.public.a", "eu.public.a", "us.public.a"]


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (
            "database: eu",
            "database: [us, eu]",
            "public.a has rules twice for database eu, first at a.yaml:2:10",
        ),
        (
            "gates: {}",
            "database: eu",
            "for database eu, first at a.yaml:2:10 (keep one of them; a file without",
        ),
        (
            "database: eu",
            "gates: {}",
            "for database eu, first at a.yaml:2:10 (keep one of them; a file without",
        ),
        ("gates: {}", "gates: {}", "public.a has rules twice, first at a.yaml:2:10"),
    ],
)
def test_one_table_has_no_two_rules_in_one_database(first: str, second: str, words: str) -> None:
    found = problem(f"{first}\ntables: {{a: {{}}}}\n", f"{second}\ntables: {{a: {{}}}}\n")
    assert (found.file, found.line, found.column) == ("b.yaml", 2, 10)
    assert words in str(found)


def test_two_tables_have_no_common_collection() -> None:
    found = problem("tables: {a: {}, b: {collection: a}}\n")
    assert (found.column, found.key_path) == (17, "tables.b")
    assert "public.b and public.a (a.yaml:1:10) would go to one collection, a" in found.message
    problem("tables: {sales.a: {}}\n", "database: eu\ntables: {b: {collection: sales.a}}\n")
    rules("database: us\ntables: {a: {}}\n", "database: eu\ntables: {b: {collection: a}}\n")


def _mutate(data: bytes, source: random.Random) -> bytes:
    mutated = bytearray(data)
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(mutated) + 1)
        lines = bytes(mutated).split(b"\n")
        match source.randrange(7):
            case 0:
                mutated[at:at] = source.choice(
                    [
                        b"\t",
                        b" ",
                        b"\n",
                        b":",
                        b": ",
                        b"- ",
                        b"'",
                        b'"',
                        b"*",
                        b"&a ",
                        b"!x ",
                        b"{",
                        b"]",
                        b"\xff",
                        b"%",
                    ]
                )
            case 1:
                del mutated[at : at + source.randint(1, 8)]
            case 2:
                mutated[at : at + 1] = bytes([source.randrange(256)])
            case 3:
                line = source.randrange(len(lines))
                mutated = bytearray(b"\n".join([*lines[: line + 1], *lines[line:]]))
            case 4:
                line = source.randrange(len(lines))
                mutated = bytearray(b"\n".join(lines[:line] + lines[line + 1 :]))
            case 5:
                line = source.randrange(len(lines))
                lines[line] = b"  " * source.randint(0, 3) + lines[line].lstrip()
                mutated = bytearray(b"\n".join(lines))
            case _:
                line = source.randrange(len(lines))
                key, colon, _rest = lines[line].partition(b":")
                value = source.choice(
                    [b"", b" yes", b" []", b" {}", b" 1.0", b" null", b" -5s", b" {a: 1}", b" [1, x]"]
                )
                lines[line] = key + colon + value
                mutated = bytearray(b"\n".join(lines))
    return bytes(mutated)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
@settings(max_examples=80)
@given(source=st.randoms(use_true_random=False), pure=st.booleans())
def test_a_damaged_file_loads_or_is_refused_with_a_line(
    example: Path, source: random.Random, pure: bool
) -> None:
    data = _mutate(example.read_bytes(), source)
    problems: tuple[Problem, ...] = ()
    try:
        found = compile_rules([RuleText("f.yaml", data)], pure=pure)
    except RulesError as error:
        problems = error.problems
    else:
        assert all(rule.place.line > 0 for rule in found.tables.values())
        return
    lines = len(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"))
    assert any(p.line is not None and 1 <= p.line <= lines for p in problems), problems
    assert all(p.message for p in problems)
