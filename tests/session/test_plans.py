"""Plans are found again, and never for a session or a catalogue they do not hold for."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from proxy.mirror.effects import Cause
from proxy.session.plan import Ground, Plan
from proxy.session.plans import Plans, SessionPlans
from proxy.sql.analysis import analyse
from proxy.sql.model import Kind, Statement
from tests.support.capture import SHOP, ground, relation, snapshot


class Shared:
    def __init__(self, base: Ground | None = None, max_statement: int = 10_000) -> None:
        self.base = base
        self.plans = Plans(
            lambda database: self.base if database == "shop" else None,
            cache_size=50,
            max_statement=max_statement,
            max_message=1 << 20,
            max_copy_keys=10,
        )

    def session(
        self, user: str = "ann", options: str = "", parameters: Mapping[str, str] | None = None
    ) -> SessionPlans:
        return self.plans.session("shop", user, options, parameters or {})


def causes(plan: Plan | None) -> list[Cause]:
    return [] if plan is None else [unseen.cause for step in plan.steps for unseen in step.unseen]


UPDATE = "UPDATE orders SET total = {} WHERE id = {} AND note = '{}'"
CONSTANT = st.integers(0, 10**9)
NOTE = st.text("abc' é;-/*", max_size=8).map(lambda text: text.replace("'", "''"))


@given(st.lists(st.tuples(CONSTANT, CONSTANT, NOTE), min_size=1, max_size=5))
def test_a_plan_from_the_cache_is_the_plan_made_anew(rows: list[tuple[int, int, str]]) -> None:
    cached = Shared(ground()).session()
    for row in rows:
        text = UPDATE.format(*row)
        plan = cached.plan(text.encode())
        fresh = Shared(ground()).session().plan(text.encode())
        assert plan is not None
        assert fresh is not None
        assert plan.whole() == fresh.whole()
        assert plan.single(plan.steps[0]) == fresh.single(fresh.steps[0])
        assert analyse(plan.whole()).statements[0].write is not None


def test_texts_of_one_shape_are_parsed_once() -> None:
    shared = Shared(ground())
    session = shared.session()
    for number in range(5):
        assert session.plan(UPDATE.format(number, number, "x").encode()) is not None
    assert (shared.plans.hits, shared.plans.misses) == (4, 1)


def test_what_names_nothing_of_interest_is_not_parsed() -> None:
    shared = Shared(ground())
    session = shared.session()
    for number in range(3):
        assert session.plan(b"SELECT * FROM other WHERE id = %d" % number) is None
    assert shared.plans.misses == 0


def test_without_a_mirrored_table_nothing_is_looked_at() -> None:
    assert Shared(None).session().plan(b"UPDATE orders SET total = 1") is None


def test_a_new_ground_makes_new_plans() -> None:
    shared = Shared(ground())
    session = shared.session()
    text = b"UPDATE orders SET total = 1"
    first = session.plan(text)
    assert first is not None
    assert first.spliced
    shared.base = ground(snapshot([relation(SHOP, "orders", kind="v")]), generation=2)
    second = session.plan(text)
    assert second is not None
    assert not second.spliced
    assert session.generation == 2


def test_encodings() -> None:
    latin = Shared(ground()).session(parameters={"client_encoding": "LATIN1"})
    assert causes(latin.plan("UPDATE orders SET note = 'é'".encode("latin-1"))) == [Cause.UNRESOLVED]
    ascii_ = Shared(ground()).session(parameters={"client_encoding": "SQL_ASCII", "server_encoding": "UTF8"})
    plan = ascii_.plan("UPDATE orders SET note = 'é'".encode())
    assert plan is not None
    assert plan.spliced
    assert ascii_.encode(plan.text) == "UPDATE orders SET note = 'é'".encode()
    unknown = Shared(ground()).session(parameters={"client_encoding": "MULE_INTERNAL"})
    assert causes(unknown.plan(b"UPDATE orders SET total = 1")) == [Cause.UNPARSED]
    session = Shared(ground()).session()
    assert causes(session.plan(b"UPDATE orders SET note = '\xff'")) == [Cause.UNPARSED]
    session.reported(b"client_encoding", b"LATIN1")
    assert causes(session.plan(b"UPDATE orders SET note = '\xff'")) == [Cause.UNRESOLVED]


def test_long_and_broken_texts_concern_the_tables_they_name() -> None:
    session = Shared(ground(), max_statement=100).session()
    assert causes(session.plan(b"UPDATE orders SET note = '" + b"x" * 200 + b"'")) == [Cause.UNPARSED]
    assert causes(session.plan(b"UPSERT orders")) == [Cause.UNPARSED]
    assert session.plan(b"UPSERT other") is None


def put(name: str, *values: str, local: bool = False) -> Statement:
    return Statement(Kind.SET, 0, 1, name=name, value=values, local=local)


def test_a_session_has_every_role_it_ever_had() -> None:
    base = ground(snapshot([relation(SHOP, "orders")], unreadable={"ann": {}, "bob": {SHOP: "no SELECT"}}))
    session = Shared(base).session()
    assert causes(session.plan(b"DELETE FROM orders")) == []
    session.set(put("role", "none"))
    assert causes(session.plan(b"DELETE FROM orders")) == []
    session.set(put("role", "bob"))
    assert causes(session.plan(b"DELETE FROM orders")) == [Cause.PRIVILEGE]
    session.set(Statement(Kind.SET, 0, 1, name="role", value=None))
    assert causes(session.plan(b"DELETE FROM orders")) == [Cause.PRIVILEGE]


def test_a_role_that_cannot_be_known() -> None:
    assert causes(Shared(ground()).session(options="-c role=x").plan(b"DELETE FROM orders")) == [
        Cause.PRIVILEGE
    ]
    session = Shared(ground()).session()
    session.configured(frozenset({"role"}))
    assert causes(session.plan(b"DELETE FROM orders")) == [Cause.PRIVILEGE]


VIEW = relation(16999, "orders", schema="reports", kind="v")
TWO = ground(snapshot([relation(SHOP, "orders"), VIEW], search_paths={"ann": ("public",)}))


def test_search_path() -> None:
    session = Shared(TWO).session()
    assert causes(session.plan(b"DELETE FROM orders")) == []
    session.set(put("search_path", "reports", "public"))
    session.transaction_ended(committed=False)
    assert causes(session.plan(b"DELETE FROM orders")) == []
    session.set(put("search_path", "reports", "public"))
    session.transaction_ended(committed=True)
    assert session.plan(b"DELETE FROM orders") is None
    session.set(put("search_path", "public"))
    session.transaction_ended(committed=True)
    assert causes(session.plan(b"DELETE FROM orders")) == []


def test_a_local_search_path_is_not_known_any_more_when_its_transaction_ends() -> None:
    session = Shared(TWO).session()
    session.set(put("search_path", "public", local=True))
    assert causes(session.plan(b"DELETE FROM orders")) == []
    session.transaction_ended(committed=True)
    assert causes(session.plan(b"DELETE FROM orders")) == [Cause.RULE]


def test_a_search_path_in_the_startup_options_is_not_known() -> None:
    session = Shared(TWO).session(options="-c search_path=reports")
    assert causes(session.plan(b"DELETE FROM orders")) == [Cause.RULE]


def test_caches_are_bounded() -> None:
    shared = Shared(ground())
    session = shared.session()
    for number in range(200):
        session.plan(b"UPDATE orders SET total = total + 1 WHERE n%d = 1" % number)
        session.plan(b"SAVEPOINT s%d" % number)
    shelf = shared.plans.shelf("shop", "utf-8", session._identity, ground())
    assert len(shelf.plans) <= 50
    assert len(shelf.shapes) <= 50


def test_a_text_in_use_is_planned_once_however_many_others_come() -> None:
    shared = Shared(ground())
    session = shared.session()
    for number in range(200):
        assert session.plan(UPDATE.format(number, number, "x").encode()) is not None
        assert session.plan(b"UPDATE orders SET total = total + 1 WHERE n%d = 1" % number) is not None
    assert shared.plans.misses == 201


def test_ddl_concerns_watched_names_only() -> None:
    session = Shared(ground()).session()
    about = analyse("ALTER TABLE orders ADD COLUMN x int").statements[0]
    assert session.concerns(about)
    assert not session.concerns(analyse("CREATE TABLE elsewhere (x int)").statements[0])


def test_backslashes_where_they_may_escape() -> None:
    session = Shared(ground()).session(parameters={"standard_conforming_strings": "off"})
    assert causes(session.plan(rb"UPDATE orders SET note = '\'', total = 1")) == [Cause.UNPARSED]
    assert causes(session.plan(b"UPDATE orders SET note = 'plain'")) == []
    session.reported(b"standard_conforming_strings", b"on")
    assert causes(session.plan(rb"UPDATE orders SET note = 'a\b', total = 1")) == []


def test_a_search_path_that_was_not_known_is_learned_from_the_server() -> None:
    shared = Shared(ground())
    session = shared.session(options="-c search_path=a,b")
    assert session.identity.path is None
    session.learned(("a", "b"))
    assert [*(session.identity.path or ())] == ["a", "b"]
    session.discarded()
    session.learned(("public",))
    assert [*(session.identity.path or ())] == ["public"]


def test_one_that_was_right_stays_as_it_is() -> None:
    picture = snapshot([relation(SHOP, "orders")], search_paths={"ann": ("later", "public")})
    session = Shared(ground(picture)).session()
    session.learned(("public",))
    assert [*(session.identity.path or ())] == ["later", "public"]
    session.learned(("other",))
    assert [*(session.identity.path or ())] == ["other"]
