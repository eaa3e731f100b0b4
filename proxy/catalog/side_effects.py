"""What a write to one relation does to ruled tables beside the rows RETURNING shows: the closure over foreign keys,
triggers, rules, views, inheritance and functions. Pure.

Not followed: functions behind operators, casts, aggregates and views that are only read; triggers that fire for
`session_replication_role = replica`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from proxy.catalog.model import ForeignKey, Reach, SideEffect, Snapshot
from proxy.catalog.topology import Family, Function, Topology, Trigger
from proxy.mirror.effects import Cause
from proxy.sql.model import Verb

_Item = TypeVar("_Item")

VERBS = (Verb.INSERT, Verb.UPDATE, Verb.DELETE)
_FOLLOWS = frozenset("cnd")
"""Actions of a foreign key that change rows: cascade, set null, set default."""
_CROSS_PARTITION_UPDATES = 150000
"""Servers before this carry out ON DELETE when an UPDATE moves a referenced row to another partition. It changes a
column of the key then, for every unique key of a partitioned table holds the columns it is partitioned by."""


@dataclass(frozen=True, slots=True)
class _Write:
    """Something written to a relation."""

    oid: int
    verb: Verb
    columns: frozenset[str] | None = None
    """Of an UPDATE by a foreign key: all it changes. None: any."""


@dataclass(frozen=True, slots=True)
class _Edge:
    """A write that another write brings about."""

    write: _Write
    cause: Cause
    detail: str
    foreign_key: ForeignKey | None = None
    by_rows: bool = True
    """Whether the rows that follow are those that refer to the row as the key says."""


@dataclass(frozen=True, slots=True)
class Effects:
    """All that `Snapshot` holds of side effects."""

    writes: dict[tuple[int, Verb], tuple[SideEffect, ...]]
    truncates: dict[int, tuple[int, ...]]
    truncate_triggers: dict[int, tuple[SideEffect, ...]]
    functions: dict[str, tuple[SideEffect, ...]]

    def relations(self) -> set[int]:
        return {oid for oid, _ in self.writes} | set(self.truncates) | set(self.truncate_triggers)


def side_effects(topology: Topology, ruled: Iterable[int]) -> Effects:
    """For the ruled tables given by oid."""
    graph = _Graph(topology, frozenset(ruled))
    near = graph.leading()
    writes = {}
    for oid in sorted(near):
        for verb in VERBS:
            if found := graph.effects(_Write(oid, verb)):
                writes[oid, verb] = found
    emptied = graph.truncates()
    triggers = {}
    for oid in sorted({*emptied, *near, *(one.relation for one in topology.triggers if one.truncate)}):
        if found := graph.truncate_effects(oid, emptied.get(oid, ())):
            triggers[oid] = found
    return Effects(writes, emptied, triggers, graph.callable_functions())


def reached(snapshot: Snapshot, oid: int, verb: Verb) -> dict[int, SideEffect]:
    """Every ruled table that a write may change beside its own, with the first step that leads there.

    For writes without an image, where nobody can follow a foreign key row by row.
    """
    found: dict[int, SideEffect] = {}
    seen: set[tuple[int, Verb]] = set()

    def follow(oid: int, verb: Verb, first: SideEffect | None) -> None:
        if (oid, verb) in seen:
            return
        seen.add((oid, verb))
        for effect in snapshot.side_effects.get((oid, verb), ()):
            found.setdefault(effect.table, first or effect)
            key = effect.foreign_key
            if (
                effect.reach is Reach.ROWS
                and key is not None
                and verb is Verb.DELETE
                and key.on_delete == "c"
            ):
                follow(effect.table, Verb.DELETE, first or effect)

    follow(oid, verb, None)
    return found


class _Graph:
    """Edges between writes, made when asked for. Targets that lead to no ruled table are left out."""

    def __init__(self, topology: Topology, ruled: frozenset[int]) -> None:
        self._topology = topology
        self._ruled = ruled
        self._family = Family(topology)
        self._keys = _grouped(topology.foreign_keys, lambda key: key.parent)
        self._triggers = _grouped(topology.triggers, lambda trigger: trigger.relation)
        self._rules = _grouped(topology.rules, lambda rule: rule.relation)
        self._uses = _grouped(topology.uses, lambda use: use[0])
        self._names: dict[str, list[int]] = {}
        for node in topology.nodes.values():
            self._names.setdefault(node.name, []).append(node.oid)
        self._functions_by_name: dict[str, list[int]] = {}
        for function in topology.functions.values():
            self._functions_by_name.setdefault(function.name, []).append(function.oid)
        self._written = lru_cache(None)(self._find_written)
        self._own = lru_cache(None)(self._find_own)
        self._reach = lru_cache(None)(self._find_reach)
        self._near: frozenset[int] | None = None

    def leading(self) -> frozenset[int]:
        """Relations whose writes lead to a ruled table, by the relations alone; a superset of those that count."""
        if self._near is None:
            sources = {
                *self._keys,
                *self._triggers,
                *self._rules,
                *(use[0] for use in self._topology.uses),
            }
            sources |= {parent for parents in self._topology.inherits.values() for parent in parents}
            sources |= {oid for oid in self._topology.inherits if self._family.partitioned_ancestors(oid)}
            backwards: dict[int, set[int]] = {}
            for oid in sources & self._topology.nodes.keys():
                for verb in VERBS:
                    for edge in self._edges(_Write(oid, verb)):
                        backwards.setdefault(edge.write.oid, set()).add(oid)
            near: set[int] = set()
            waiting = [*self._ruled, *(d for oid in self._ruled for d in self._family.descendants(oid))]
            targets = set(waiting)
            while waiting:
                for source in backwards.get(waiting.pop(), ()):
                    if source not in near:
                        near.add(source)
                        waiting.append(source)
            self._near = frozenset(near | targets)
        return self._near

    def effects(self, write: _Write) -> tuple[SideEffect, ...]:
        found: dict[tuple[object, ...], SideEffect] = {}

        def add(effect: SideEffect) -> None:
            key = effect.foreign_key
            found.setdefault((effect.table, effect.cause, effect.reach, key), effect)

        for edge in self._edges(write):
            table = self._rule_of(edge.write.oid)
            needed = edge.foreign_key if write.verb is Verb.UPDATE else None
            if edge.foreign_key is not None and edge.by_rows and table:
                add(SideEffect(table, edge.cause, Reach.ROWS, edge.foreign_key, edge.detail))
                for further, cause, detail in self._beyond(edge.write, set()):
                    add(SideEffect(further, cause, Reach.TABLE, needed, detail))
            else:
                for one in self._all(edge):
                    add(SideEffect(one, edge.cause, Reach.TABLE, needed, edge.detail))
        return tuple(found.values())

    def _beyond(self, write: _Write, seen: set[_Write]) -> Iterator[tuple[int, Cause, str]]:
        """What follows from a row that a foreign key has changed in a ruled table, and does not show in its document.

        Rows that a cascade deleted are found gone, and what their own foreign keys do is followed from there.
        """
        if write in seen:
            return
        seen.add(write)
        for edge in self._edges(write):
            if edge.foreign_key is not None and write.verb is Verb.DELETE and self._rule_of(edge.write.oid):
                yield from self._beyond(edge.write, seen)
            else:
                for table in self._all(edge):
                    yield table, edge.cause, edge.detail

    def _all(self, edge: _Edge) -> tuple[int, ...]:
        table = self._rule_of(edge.write.oid)
        return tuple(dict.fromkeys([*([table] if table else []), *self._reach(edge.write)]))

    def _find_reach(self, start: _Write) -> tuple[int, ...]:
        """The ruled tables that follow from a write, its own relation's part in it left out."""
        near = self.leading()
        found: dict[int, None] = {}
        seen = {start}
        waiting = [start]
        while waiting:
            for edge in self._edges(waiting.pop()):
                if table := self._rule_of(edge.write.oid):
                    found[table] = None
                if edge.write not in seen and edge.write.oid in near:
                    seen.add(edge.write)
                    waiting.append(edge.write)
        return tuple(found)

    def _rule_of(self, oid: int) -> int:
        """The ruled table whose documents the rows of `oid` are; 0 for none."""
        if oid in self._ruled:
            return oid
        root = self._family.root(oid)
        return root if root in self._ruled else 0

    def _edges(self, write: _Write) -> Iterator[_Edge]:
        node = self._topology.nodes.get(write.oid)
        if node is None:
            return
        yield from self._own(write)
        if node.kind != "p" and write.verb is Verb.INSERT:
            return  # rows put into an inheritance parent stay there
        for child in self._family.descendants(write.oid):
            below = self._rule_of(child)
            if below and below != self._rule_of(write.oid):
                yield _Edge(
                    _Write(child, write.verb), Cause.INHERITANCE, f"written through its parent {node}"
                )
            yield from self._own(_Write(child, write.verb, write.columns))

    def _find_own(self, write: _Write) -> tuple[_Edge, ...]:
        """Edges of the relation alone, without those of its children."""
        edges = [
            *self._by_foreign_keys(write),
            *self._by_triggers(write),
            *self._by_rules(write),
            *self._by_uses(write),
        ]
        return tuple(dict.fromkeys(edges))

    def _by_foreign_keys(self, write: _Write) -> Iterator[_Edge]:
        above = self._family.partitioned_ancestors(write.oid)
        partitioned = self._partitioned(write.oid)
        for key in (key for oid in (write.oid, *above) for key in self._keys.get(oid, ())):
            child = self._topology.nodes.get(key.child)
            detail = f"foreign key {key.name} of {child}"
            if write.verb is Verb.DELETE and key.on_delete in _FOLLOWS:
                yield _Edge(_followed(key, key.on_delete), Cause.CASCADE, detail, key)
            if write.verb is not Verb.UPDATE:
                continue
            touched = write.columns is None or not write.columns.isdisjoint(key.parent_columns)
            if key.on_update in _FOLLOWS and touched:
                columns = frozenset(key.child_columns)
                yield _Edge(_Write(key.child, Verb.UPDATE, columns), Cause.CASCADE, detail, key)
            old = self._topology.server_version < _CROSS_PARTITION_UPDATES
            if partitioned and old and touched and key.on_delete in _FOLLOWS:
                detail = f"{detail}, where the row moves to another partition"
                yield _Edge(_followed(key, key.on_delete), Cause.CASCADE, detail, key, by_rows=False)

    def _by_triggers(self, write: _Write) -> Iterator[_Edge]:
        partitioned = self._partitioned(write.oid)
        for trigger in self._triggers_of(write.oid):
            moves = partitioned and trigger.row and write.verb is Verb.UPDATE
            if write.verb in trigger.verbs or (moves and trigger.verbs):
                yield from self._by_trigger(trigger)

    def _partitioned(self, oid: int) -> bool:
        """Whether an UPDATE may delete the row here and insert it in another partition."""
        node = self._topology.nodes[oid]
        return node.kind == "p" or node.partition

    def _triggers_of(self, oid: int) -> Iterator[Trigger]:
        yield from self._triggers.get(oid, ())
        for one in self._family.partitioned_ancestors(oid):
            yield from (trigger for trigger in self._triggers.get(one, ()) if trigger.row)

    def _by_trigger(self, trigger: Trigger) -> Iterator[_Edge]:
        where = self._topology.nodes[trigger.relation]
        for oid, verb in self._written(trigger.function):
            yield _Edge(_Write(oid, verb), Cause.TRIGGER, f"trigger {trigger.name} of {where}")

    def _by_rules(self, write: _Write) -> Iterator[_Edge]:
        for rule in self._rules.get(write.oid, ()):
            where = self._topology.nodes[rule.relation]
            if rule.verb is None:
                for oid in rule.relations:
                    yield _Edge(_Write(oid, write.verb), Cause.RULE, f"view {where}")
            elif rule.verb is write.verb:
                detail = f"rule {rule.name} of {where}"
                for oid in (*rule.relations, *([write.oid] if self._rule_of(write.oid) else [])):
                    yield from (_Edge(_Write(oid, verb), Cause.RULE, detail) for verb in VERBS)
                for function in rule.functions:
                    for oid, verb in self._written(function):
                        yield _Edge(_Write(oid, verb), Cause.RULE, detail)

    def _by_uses(self, write: _Write) -> Iterator[_Edge]:
        if write.verb is Verb.DELETE:
            return
        for relation, function in self._uses.get(write.oid, ()):
            where, called = self._topology.nodes[relation], self._topology.functions.get(function)
            for oid, verb in self._written(function):
                detail = f"function {called} in a default or constraint of {where}"
                yield _Edge(_Write(oid, verb), Cause.FUNCTION, detail)

    def _find_written(self, function: int) -> tuple[tuple[int, Verb], ...]:
        """What a function writes, by itself and by the functions it calls."""
        found: dict[tuple[int, Verb], None] = {}
        seen: set[int] = set()
        waiting = [function]
        while waiting:
            one = self._topology.functions.get(waiting.pop())
            if one is None or one.oid in seen:
                continue
            seen.add(one.oid)
            if one.text.dynamic:
                found |= {(oid, verb): None for oid in sorted(self._ruled) for verb in VERBS}
            for name, verb in sorted(one.text.targets, key=lambda target: (target[0], target[1].value)):
                found |= {(oid, verb): None for oid in self._names.get(name, ())}
            for name in one.text.calls:
                waiting += self._functions_by_name.get(name, ())
        return tuple(found)

    def callable_functions(self) -> dict[str, tuple[SideEffect, ...]]:
        found: dict[str, dict[int, SideEffect]] = {}
        for function in self._topology.functions.values():
            if not function.callable:
                continue
            for table in self._tables_written(function):
                effect = SideEffect(table, Cause.FUNCTION, Reach.TABLE, None, f"function {function}")
                found.setdefault(function.name, {}).setdefault(table, effect)
        return {name: tuple(effects.values()) for name, effects in found.items()}

    def _tables_written(self, function: Function) -> tuple[int, ...]:
        tables: dict[int, None] = {}
        for oid, verb in self._written(function.oid):
            if table := self._rule_of(oid):
                tables[table] = None
            if oid in self.leading():
                tables |= dict.fromkeys(self._reach(_Write(oid, verb)))
        return tuple(tables)

    def truncates(self) -> dict[int, tuple[int, ...]]:
        """Tables whose TRUNCATE ... CASCADE empties a ruled table or part of one, and all it empties."""
        parents = {key.parent for key in self._topology.foreign_keys}
        starts = {oid for parent in parents for oid in (parent, *self._family.descendants(parent))}
        starts |= {above for oid in starts for above in self._family.ancestors(oid)}
        found = {}
        for start in sorted(starts):
            emptied = self._emptied(start)
            if any(self._rule_of(oid) for oid in emptied):
                found[start] = emptied
        return found

    def _emptied(self, start: int) -> tuple[int, ...]:
        seen = {start, *self._family.descendants(start)}
        waiting = list(seen)
        while waiting:
            oid = waiting.pop()
            for one in (oid, *self._family.partitioned_ancestors(oid)):
                for key in self._keys.get(one, ()):
                    fresh = {key.child, *self._family.descendants(key.child)} - seen
                    seen |= fresh
                    waiting += fresh
        return tuple(sorted(seen - {start}))

    def truncate_effects(self, oid: int, emptied: tuple[int, ...]) -> tuple[SideEffect, ...]:
        """What TRUNCATE triggers do, those of tables emptied by CASCADE among them."""
        found: dict[int, SideEffect] = {}
        for one in (oid, *self._family.descendants(oid), *emptied):
            for trigger in self._triggers.get(one, ()):
                if trigger.truncate:
                    for edge in self._by_trigger(trigger):
                        for table in self._all(edge):
                            effect = SideEffect(table, edge.cause, Reach.TABLE, None, edge.detail)
                            found.setdefault(table, effect)
        return tuple(found.values())


def _followed(key: ForeignKey, action: str) -> _Write:
    if action == "c":
        return _Write(key.child, Verb.DELETE)
    return _Write(key.child, Verb.UPDATE, frozenset(key.child_columns))


def _grouped(items: Iterable[_Item], of: Callable[[_Item], int]) -> dict[int, list[_Item]]:
    groups: dict[int, list[_Item]] = {}
    for item in items:
        groups.setdefault(of(item), []).append(item)
    return groups
