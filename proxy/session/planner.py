"""What is to be done with each statement: its text against the catalogue, the rules and the session's roles. Pure.

A statement is spliced only where RETURNING cannot fail for it; whatever else it may write is known beforehand as
`Unseen`. One plan holds for one text, one picture of the catalogue and one set of roles.
"""

from __future__ import annotations

from dataclasses import replace

from proxy.catalog.model import Reach, Relation, SideEffect
from proxy.mirror.effects import Cause, TableId, Unseen
from proxy.session.names import meant
from proxy.session.plan import CopyPlan, Ground, Identity, KeyPins, MirroredAs, Plan, Step
from proxy.sql import splice
from proxy.sql.model import Analysis, CopyFrom, Kind, RelationRef, Statement, Verb, Write

_PINNABLE = frozenset({16, 20, 21, 23, 25, 26, 1043, 1082, 1114, 1184, 2950})
"""oids of types whose equal values are the same value: bool, integers, text, varchar, date, timestamps, uuid."""

_DETERMINISTIC = frozenset({"", "default", "C", "POSIX", "C.UTF-8", "C.utf8", "ucs_basic", "en_US.utf8"})
"""Collations under which only equal bytes are equal, among others."""

_CUT_FROM = 60
"""Bytes from which on a name may be what PostgreSQL has left of a longer one."""

SETTING_FUNCTIONS = frozenset({"set_config"})
"""Functions that change a setting of the session, its role and search_path among them."""

MERGE_RETURNS_SINCE = 170000
"""server_version_num from which MERGE can return rows."""

OLD_SINCE = 180000
"""server_version_num from which RETURNING can give the old row."""


def plan(text: str, analysis: Analysis, ground: Ground, identity: Identity) -> Plan:
    """The plan of a text whose statements are known."""
    planner = _Planner(text, ground, identity)
    steps: list[Step] = []
    for statement in analysis.statements:
        step = planner.step(statement)
        steps.append(step)
        if step.stateful:
            planner.identity = _after(step, planner.identity)
    return Plan(text, tuple(steps))


def _after(step: Step, identity: Identity) -> Identity:
    """Who runs the statements of a text that follow, as far as it is known before anything has run."""
    statement = step.statement
    if step.kind is Kind.SET and statement.name in ("role", "session_authorization"):
        new = {value for value in statement.value or () if value.lower() != "none"}
        identity = replace(identity, roles=identity.roles | new)
    if (step.kind is Kind.SET and statement.name in ("search_path", "")) or "search_path" in step.configures:
        identity = replace(identity, path=None)
    if "role" in step.configures:
        identity = replace(identity, roles_known=False)
    return identity


def unparsed(text: str, ground: Ground) -> tuple[Unseen, ...]:
    """What a text that cannot be looked at may have written: any mirrored table it could name."""
    lowered = text.lower()
    return tuple(Unseen(Cause.UNPARSED, table) for table in ground.mirrored if _named(table.name, lowered))


def _named(name: str, lowered: str) -> bool:
    """Whether a text in lower case may name it: plain, quoted, in escapes, or longer than PostgreSQL keeps names."""
    wanted = name.lower()
    if len(wanted.encode()) >= _CUT_FROM:
        wanted = wanted[: _CUT_FROM // 4]
    return wanted in lowered or wanted.replace('"', '""') in lowered or 'u&"' in lowered


class _Planner:
    def __init__(self, text: str, ground: Ground, identity: Identity) -> None:
        self.text = text
        self.ground = ground
        self.snapshot = ground.snapshot
        self.identity = identity
        self.unseen: dict[Unseen, None] = {}
        self.touched: list[MirroredAs] = []

    def step(self, statement: Statement) -> Step:
        self.unseen = {}
        self.touched = []
        inner = statement.inner or statement
        suffix = ""
        pins: tuple[KeyPins, ...] = ()
        truncates: tuple[TableId, ...] = ()
        copy: CopyPlan | None = None
        if inner.write is not None:
            suffix, pins = self._write(inner.write)
        for reference, verb in inner.hidden:
            for relation in self._candidates(reference):
                self._opaque(relation, (verb,), Cause.CTE)
        for function in inner.functions:
            for effect in self.snapshot.functions.get(function.name, ()):
                self._effect(effect)
        match inner.kind:
            case Kind.TRUNCATE:
                truncates = self._truncate(inner)
            case Kind.COPY_FROM:
                copy = self._copy(inner)
            case Kind.CALL if not inner.functions:
                self._block(inner)
            case _:
                pass
        step = Step(
            inner,
            suffix,
            bool(suffix),
            inner.write.verb if inner.write else Verb.INSERT,
            bool(inner.write and inner.write.returning),
            tuple(self.unseen),
            truncates,
            copy,
            pins,
            tuple(dict.fromkeys(table.table for table in self.touched)),
            any(table.strict for table in self.touched),
            max((table.ack_timeout for table in self.touched if table.ack_timeout is not None), default=None),
            self._configures(inner),
        )
        if statement.kind is Kind.PREPARE:
            return Step(statement, suffix, prepares=step)
        return step

    def _configures(self, statement: Statement) -> frozenset[str]:
        if not any(function.name in SETTING_FUNCTIONS for function in statement.functions) and not any(
            reference.name == "pg_settings" for reference in statement.relations
        ):
            return frozenset()
        text = self.text[statement.start : statement.end].lower()
        if "'" not in text:  # the setting is a parameter
            return frozenset({"role", "search_path"})
        found = {name for name in ("role", "search_path") if name in text}
        return frozenset(found | ({"role"} if "session_authorization" in text else set()))

    # Names.

    def _candidates(self, reference: RelationRef) -> list[Relation]:
        return meant(self.snapshot, self.identity, reference)

    def _unsafe(self, relation: Relation, write: Write) -> tuple[Cause, str] | None:
        """Why RETURNING cannot be added to a write on it; None if it can."""
        if write.verb is Verb.MERGE and self.snapshot.server_version < MERGE_RETURNS_SINCE:
            return Cause.UNRESOLVED, "MERGE returns no rows before PostgreSQL 17"
        if relation.kind == "v":
            return Cause.RULE, f"{relation.schema}.{relation.name} is a view"
        if relation.kind not in ("r", "p"):
            return Cause.UNRESOLVED, f"{relation.schema}.{relation.name} is not a table"
        if relation.has_rules:
            return Cause.RULE, f"{relation.schema}.{relation.name} has rewrite rules"
        if not self.identity.utf8:
            return Cause.UNRESOLVED, "client_encoding is not UTF8"
        if not self.identity.roles_known:
            return Cause.PRIVILEGE, "the session's role is not known"
        for role in sorted(self.identity.roles):
            reasons = self.snapshot.unreadable.get(role)
            if reasons is None:
                return Cause.PRIVILEGE, f"the privileges of role {role} are not known"
            if reason := reasons.get(relation.oid):
                return Cause.PRIVILEGE, f"role {role}: {reason}"
        return None

    # Writes.

    def _write(self, write: Write) -> tuple[str, tuple[KeyPins, ...]]:
        candidates = self._candidates(write.target)
        verbs = _verbs(write)
        concerned = [relation for relation in candidates if self._concerned(relation, verbs)]
        if not concerned:
            return "", ()
        for relation in candidates:
            if unsafe := self._unsafe(relation, write):
                for hit in concerned:
                    self._opaque(hit, verbs, *unsafe)
                return "", ()
        pins: list[KeyPins] = []
        text = old = capture = False
        for relation in concerned:
            mirrored = self.ground.tables.get(relation.oid)
            followed = self._followed(relation)
            changed = write.sets & ((mirrored.key if mirrored else frozenset()) | followed)
            wants_old = bool(changed) and write.may_update
            has_old = (
                wants_old
                and self.snapshot.server_version >= OLD_SINCE
                and not (write.old_hidden and write.returning)
            )
            if mirrored is not None:
                if relation.oid != mirrored.relation.oid and not _same_columns(relation, mirrored.relation):
                    self._touch(mirrored)
                    self._say(Cause.INHERITANCE, mirrored.table, "a partition with columns in another order")
                    continue
                self._touch(mirrored)
                text = text or mirrored.needs_text
                if wants_old and not has_old and write.sets & mirrored.key:
                    pin = _pins(write, mirrored)
                    if pin is None:
                        self._say(Cause.KEY_CHANGE, mirrored.table, "the old key is not known")
                    else:
                        pins.append(pin)
            if mirrored is not None or self._leads_to_rows(relation, verbs):
                capture = True
                old = old or has_old
            self._side_effects(relation, write, seen=True, has_old=has_old)
            if write.verb is not Verb.INSERT and not write.only:
                for child in relation.children:
                    other = self.ground.tables.get(child)
                    if other is not None and other is not mirrored:
                        self._touch(other)
                        self._say(Cause.INHERITANCE, other.table, "written through its parent")
        if not capture:
            return "", tuple(pins)
        return splice.insertion(write, text=text, old=old), tuple(pins)

    def _concerned(self, relation: Relation, verbs: tuple[Verb, ...]) -> bool:
        if relation.oid in self.ground.tables:
            return True
        if any(child in self.ground.tables for child in relation.children):
            return True
        return any(self.snapshot.side_effects.get((relation.oid, verb)) for verb in verbs)

    def _leads_to_rows(self, relation: Relation, verbs: tuple[Verb, ...]) -> bool:
        """Whether images of its rows tell which rows of mirrored tables follow."""
        return any(
            effect.reach is Reach.ROWS
            for verb in verbs
            for effect in self.snapshot.side_effects.get((relation.oid, verb), ())
        )

    def _followed(self, relation: Relation) -> frozenset[str]:
        """Columns that a foreign key with an ON UPDATE action follows."""
        return frozenset(
            column
            for effect in self.snapshot.side_effects.get((relation.oid, Verb.UPDATE), ())
            if effect.foreign_key is not None
            for column in effect.foreign_key.parent_columns
        )

    def _side_effects(self, relation: Relation, write: Write, *, seen: bool, has_old: bool) -> None:
        for verb in _verbs(write):
            for effect in self.snapshot.side_effects.get((relation.oid, verb), ()):
                key = effect.foreign_key
                if write.only and effect.cause is Cause.INHERITANCE:
                    continue
                if key is not None and verb is Verb.UPDATE and not write.sets & set(key.parent_columns):
                    continue
                if (
                    key is not None
                    and effect.reach is Reach.ROWS
                    and seen
                    and (verb is Verb.DELETE or has_old)
                ):
                    # The mirror follows the key from the image.
                    self._touch_oid(effect.table)
                    continue
                self._effect(effect)

    def _opaque(self, relation: Relation, verbs: tuple[Verb, ...], cause: Cause, detail: str = "") -> None:
        """A write to `relation` of which no image comes."""
        for oid in (relation.oid, *relation.children):
            mirrored = self.ground.tables.get(oid)
            if mirrored is not None:
                self._touch(mirrored)
                self._say(cause, mirrored.table, detail)
        for verb in verbs:
            for effect in self.snapshot.side_effects.get((relation.oid, verb), ()):
                self._effect(effect)

    def _effect(self, effect: SideEffect) -> None:
        """A side effect of which nothing more is known: the tables it reaches, and what follows from them."""
        waiting, done = [effect], set[int]()
        while waiting:
            current = waiting.pop()
            mirrored = self.ground.tables.get(current.table)
            if mirrored is not None:
                self._touch(mirrored)
                self._say(current.cause, mirrored.table, current.detail)
            if current.table in done or current.foreign_key is None:
                continue
            done.add(current.table)
            for verb in (Verb.UPDATE, Verb.DELETE):
                waiting += self.snapshot.side_effects.get((current.table, verb), ())

    def _touch(self, mirrored: MirroredAs) -> None:
        self.touched.append(mirrored)

    def _touch_oid(self, oid: int) -> None:
        if mirrored := self.ground.tables.get(oid):
            self._touch(mirrored)

    def _say(self, cause: Cause, table: TableId, detail: str = "") -> None:
        self.unseen[Unseen(cause, table, None, detail)] = None

    # The rest.

    def _truncate(self, statement: Statement) -> tuple[TableId, ...]:
        emptied: dict[TableId, None] = {}
        for reference in statement.relations:
            for relation in self._candidates(reference):
                for effect in self.snapshot.truncate_effects.get(relation.oid, ()):
                    self._effect(effect)
                oids = [relation.oid] if statement.only else [relation.oid, *relation.children]
                if statement.cascade:
                    oids += self.snapshot.truncates.get(relation.oid, ())
                for oid in oids:
                    mirrored = self.ground.tables.get(oid)
                    if mirrored is None:
                        continue
                    self._touch(mirrored)
                    if oid == mirrored.relation.oid:
                        emptied[mirrored.table] = None
                    elif mirrored.relation.oid not in oids:
                        self._say(Cause.TRUNCATE, mirrored.table, "one of its partitions was emptied")
        ambiguous = len({c.oid for r in statement.relations for c in self._candidates(r)}) > len(
            statement.relations
        )
        if ambiguous:
            for table in emptied:
                self._say(Cause.TRUNCATE, table, "the name may mean tables of several schemas")
            return ()
        return tuple(emptied)

    def _copy(self, statement: Statement) -> CopyPlan | None:
        layout = statement.copy
        found: CopyPlan | None = None
        for reference in statement.relations:
            candidates = self._candidates(reference)
            for relation in candidates:
                for effect in self.snapshot.side_effects.get((relation.oid, Verb.INSERT), ()):
                    self._effect(effect)
                mirrored = self.ground.tables.get(relation.oid)
                if mirrored is None:
                    if relation.kind not in ("r", "p"):
                        self._opaque(relation, (Verb.INSERT,), Cause.RULE)
                    continue
                self._touch(mirrored)
                plan = None
                if layout is not None and layout.from_client and len(candidates) == 1:
                    plan = _copy_plan(mirrored, relation, layout)
                if plan is None:
                    self._say(Cause.COPY, mirrored.table, "the keys are not in the data")
                found = plan or found
        return found

    def _block(self, statement: Statement) -> None:
        """A DO block: the tables and functions its text names, or all where it builds statements itself."""
        text = self.text[statement.start : statement.end].lower()
        dynamic = "execute" in text
        for table, mirrored in self.ground.mirrored.items():
            if dynamic or _named(table.name, text):
                self._touch(mirrored)
                self._say(Cause.FUNCTION, table, "a DO block")
        for name, effects in self.snapshot.functions.items():
            if _named(name, text):
                for effect in effects:
                    self._effect(effect)
        for name, oids in self.snapshot.by_name.items():
            if _named(name, text):
                for oid in oids:
                    if (relation := self.snapshot.relations.get(oid)) and oid not in self.ground.tables:
                        self._opaque(
                            relation, (Verb.INSERT, Verb.UPDATE, Verb.DELETE), Cause.FUNCTION, "a DO block"
                        )


def _verbs(write: Write) -> tuple[Verb, ...]:
    """What it may do to rows."""
    found: list[Verb] = []
    if write.verb in (Verb.INSERT, Verb.MERGE):
        found.append(Verb.INSERT)
    if write.verb is Verb.UPDATE or write.may_update:
        found.append(Verb.UPDATE)
    if write.verb is Verb.DELETE or write.may_delete:
        found.append(Verb.DELETE)
    return tuple(found)


def _pins(write: Write, mirrored: MirroredAs) -> KeyPins | None:
    columns = tuple(sorted(mirrored.key))
    if write.verb is not Verb.UPDATE or any(column not in write.pinned for column in columns):
        return None
    attributes = {attribute.name: attribute for attribute in mirrored.relation.attributes}
    if any(
        attributes[column].type_oid not in _PINNABLE or attributes[column].collation not in _DETERMINISTIC
        for column in columns
        if column in attributes
    ):
        return None
    oids = {name: attribute.type_oid for name, attribute in attributes.items()}
    return KeyPins(
        mirrored.table,
        columns,
        tuple(write.pinned[column] for column in columns),
        tuple(oids.get(column, 0) for column in columns),
        tuple(mirrored.texts.get(column) for column in columns),
    )


def _same_columns(one: Relation, other: Relation) -> bool:
    return [(a.name, a.type_oid) for a in one.attributes] == [(a.name, a.type_oid) for a in other.attributes]


def _copy_plan(mirrored: MirroredAs, relation: Relation, layout: CopyFrom) -> CopyPlan | None:
    columns = layout.columns
    if columns is None:
        columns = tuple(attribute.name for attribute in relation.attributes if not attribute.generated)
    key = tuple(sorted(mirrored.key))
    if any(column not in columns for column in key):
        return None
    positions = tuple(columns.index(column) for column in key)
    oids = {attribute.name: attribute.type_oid for attribute in relation.attributes}
    types = tuple(oids.get(column, 0) for column in key)
    return CopyPlan(mirrored.table, layout, key, positions, types)
