from __future__ import annotations

from collections.abc import Sequence

from proxy.catalog.model import ForeignKey, Reach, SideEffect, Snapshot
from proxy.mirror.cascades import behind, effects_of, followed_columns, following, gathered
from proxy.mirror.effects import Cause, Rows, TableId, Unseen
from proxy.sql.model import Verb
from tests.catalog.made import attribute, relation, snapshot

A, B, C, D, PART = 1, 2, 3, 4, 5


def key(
    name: str,
    parent: int,
    child: int,
    parent_columns: Sequence[str],
    child_columns: Sequence[str],
    *,
    delete: str = "c",
    update: str = "a",
) -> ForeignKey:
    return ForeignKey(name, parent, child, tuple(parent_columns), tuple(child_columns), delete, update)


def by_rows(foreign_key: ForeignKey) -> SideEffect:
    return SideEffect(foreign_key.child, Cause.CASCADE, Reach.ROWS, foreign_key, foreign_key.name)


AB = key("ab", A, B, ["id"], ["a_id"], update="c")
BC = key("bc", B, C, ["id"], ["b_id"], update="c")
BD = key("bd", B, D, ["a_id", "id"], ["a_id", "b_id"], update="c")


def catalogue() -> Snapshot:
    tables = [
        relation(A, "a", attribute(1, "id"), kind="p", children=(PART,)),
        relation(B, "b", attribute(1, "id"), attribute(2, "a_id")),
        relation(C, "c", attribute(1, "id"), attribute(2, "b_id")),
        relation(D, "d", attribute(1, "id"), attribute(2, "a_id"), attribute(3, "b_id")),
        relation(PART, "a_1", attribute(1, "id"), root=A),
    ]
    effects: dict[tuple[int, Verb], tuple[SideEffect, ...]] = {}
    for verb in (Verb.DELETE, Verb.UPDATE):
        effects[A, verb] = (by_rows(AB),)
        effects[B, verb] = (by_rows(BC), by_rows(BD))
    effects[A, Verb.DELETE] += (SideEffect(D, Cause.TRIGGER, Reach.TABLE, None, "trigger t"),)
    return snapshot(*tables, side_effects=effects)


def all_tables(table: TableId) -> bool:
    return True


def without(*names: str):  # type: ignore[no-untyped-def]
    return lambda table: table.name not in names


def unseen(name: str, columns: Sequence[str] | None, *values: Sequence[str | None], detail: str) -> Unseen:
    rows = None if columns is None else Rows(tuple(columns), tuple(tuple(value) for value in values))
    return Unseen(Cause.CASCADE, TableId("public", name), rows, detail)


def test_the_children_of_a_deleted_row_are_named_by_what_they_referred_to() -> None:
    found = following(catalogue(), A, Verb.DELETE, {"id": "5"}, None, all_tables)
    assert found == [unseen("b", ["a_id"], ["5"], detail="foreign key ab")]


def test_a_row_of_a_partition_has_the_children_of_the_whole() -> None:
    assert following(catalogue(), PART, Verb.DELETE, {"id": "5"}, None, all_tables) == following(
        catalogue(), A, Verb.DELETE, {"id": "5"}, None, all_tables
    )
    assert effects_of(catalogue(), PART, Verb.DELETE) == effects_of(catalogue(), A, Verb.DELETE)


def test_a_child_that_is_a_partition_is_its_table() -> None:
    loop = key("loop", B, PART, ["id"], ["b_id"])
    known = snapshot(*catalogue().relations.values(), side_effects={(B, Verb.DELETE): (by_rows(loop),)})
    (found,) = following(known, B, Verb.DELETE, {"id": "1"}, None, all_tables)
    assert found.table == TableId("public", "a")


def test_an_update_matters_only_where_it_changes_what_is_referred_to() -> None:
    changed = following(
        catalogue(), B, Verb.UPDATE, {"id": "1", "a_id": "5"}, {"id": "1", "a_id": "6"}, all_tables
    )
    assert changed == [unseen("d", ["a_id", "b_id"], ["5", "1"], detail="foreign key bd")]
    same = {"id": "1", "a_id": "5"}
    assert following(catalogue(), B, Verb.UPDATE, same, same, all_tables) == []


def test_an_update_whose_new_value_is_not_known_is_taken_for_a_change() -> None:
    found = following(catalogue(), A, Verb.UPDATE, {"id": "5"}, {}, all_tables)
    assert found == [unseen("b", ["a_id"], ["5"], detail="foreign key ab")]


def test_nothing_refers_to_null() -> None:
    assert following(catalogue(), A, Verb.DELETE, {"id": None}, None, all_tables) == []


def test_without_the_old_value_any_row_of_the_child_may_be_meant() -> None:
    assert following(catalogue(), A, Verb.DELETE, {}, None, all_tables) == [
        unseen("b", None, detail="foreign key ab")
    ]


def test_no_action_changes_nothing() -> None:
    kept = key("kept", A, B, ["id"], ["a_id"], delete="a", update="r")
    known = snapshot(
        *catalogue().relations.values(),
        side_effects={(A, verb): (by_rows(kept),) for verb in (Verb.DELETE, Verb.UPDATE)},
    )
    assert following(known, A, Verb.DELETE, {"id": "1"}, None, all_tables) == []
    assert following(known, A, Verb.UPDATE, {"id": "1"}, {"id": "2"}, all_tables) == []


def test_effects_on_whole_tables_are_told_when_asked_for() -> None:
    found = following(catalogue(), A, Verb.DELETE, {"id": "5"}, None, all_tables, wide=True)
    assert Unseen(Cause.TRIGGER, TableId("public", "d"), None, "trigger t") in found
    assert len(found) == 2


def test_behind_a_table_without_documents_rows_are_named_as_far_as_its_key_tells() -> None:
    """b is not mirrored: of c any row may be gone; d refers to b by the very column one came by."""
    found = following(catalogue(), A, Verb.DELETE, {"id": "5"}, None, without("b"))
    assert found == [
        unseen("c", None, detail="foreign key bc"),
        unseen("d", ["a_id"], ["5"], detail="foreign key bd"),
    ]


def test_behind_rows_that_only_changed_the_changed_columns_count() -> None:
    found = following(catalogue(), A, Verb.UPDATE, {"id": "5"}, {"id": "6"}, without("b"))
    assert found == [unseen("d", ["a_id"], ["5"], detail="foreign key bd")]


def test_a_circle_of_tables_without_documents_ends() -> None:
    back = key("back", C, B, ["id"], ["c_id"])
    known = snapshot(
        *catalogue().relations.values(),
        side_effects={
            (A, Verb.DELETE): (by_rows(AB),),
            (B, Verb.DELETE): (by_rows(BC), by_rows(BD)),
            (C, Verb.DELETE): (by_rows(back),),
        },
    )
    found = following(known, A, Verb.DELETE, {"id": "5"}, None, without("b", "c"))
    assert found == [unseen("d", ["a_id"], ["5"], detail="foreign key bd")]


def test_a_table_that_refers_to_itself_is_followed_row_by_row() -> None:
    tree = key("tree", C, C, ["id"], ["b_id"])
    known = snapshot(*catalogue().relations.values(), side_effects={(C, Verb.DELETE): (by_rows(tree),)})
    assert following(known, C, Verb.DELETE, {"id": "1"}, None, all_tables) == [
        unseen("c", ["b_id"], ["1"], detail="foreign key tree")
    ]


def test_behind_looks_at_deleted_and_at_changed_rows() -> None:
    gone = unseen("b", ["a_id"], ["5"], ["6"], detail="foreign key ab")
    found = behind(catalogue(), gone, without("b"))
    assert unseen("c", None, detail="foreign key bc") in found
    assert unseen("d", ["a_id"], ["5"], ["6"], detail="foreign key bd") in found
    assert len(found) == 2
    assert behind(catalogue(), unseen("elsewhere", None, detail=""), all_tables) == []


def test_the_columns_needed_are_those_referred_to() -> None:
    assert followed_columns(catalogue(), B, Verb.DELETE) == ("id", "a_id")
    assert followed_columns(catalogue(), A, Verb.DELETE) == ("id",)
    assert followed_columns(catalogue(), C, Verb.DELETE) == ()


def test_gathered_puts_the_rows_of_one_table_together() -> None:
    one, two = (unseen("b", ["a_id"], [value], detail="x") for value in "12")
    whole = unseen("b", None, detail="y")
    other = unseen("b", ["id"], ["9"], detail="z")
    assert gathered([one, two, one, whole, other, whole]) == [
        unseen("b", ["a_id"], ["1"], ["2"], detail="x"),
        whole,
        other,
    ]
