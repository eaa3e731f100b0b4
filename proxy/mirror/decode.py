"""From the raw effects of a committed transaction to writes in lanes and gaps in the keeper's hands."""

from __future__ import annotations

from collections.abc import Callable

from proxy.documents.codec import Foreign, Unrepresentable
from proxy.documents.records import Fields, ImageHeader, MalformedRecord, parse_image, parse_record
from proxy.documents.table_mapping import NotMirrored, TableMapping
from proxy.logs import get_logger
from proxy.mirror.cascades import following, gathered
from proxy.mirror.effects import Cause, Effect, Image, Rows, TableId, Truncation, Unseen
from proxy.mirror.held import Held
from proxy.mirror.lane import Lane
from proxy.mirror.lanes import Lanes
from proxy.mirror.port import GapSink
from proxy.mirror.securing import tables_of
from proxy.mirror.targets import Target, Targets
from proxy.mirror.transaction import table_of
from proxy.mirror.versions import VersionOverflow
from proxy.sql.model import Verb
from proxy.stores.protocol import Key, Write

log = get_logger(__name__)


class Puzzle(Exception):
    """The catalogue as it is known does not fit the image."""


class Decoder:
    def __init__(self, targets: Targets, lanes: Lanes, gaps: GapSink, latest: Callable[[str], int]) -> None:
        """`latest`: the newest version known of a database."""
        self._targets = targets
        self._lanes = lanes
        self._gaps = gaps
        self._latest = latest

    def decode(self, held: Held, *, final: bool = False) -> list[Effect]:
        """Puts everything where it belongs; returns images that need a newer catalogue, none of them if `final`."""
        database = held.database
        puzzling: list[Effect] = []
        derived: list[Unseen] = []
        for effect in held.effects:
            if type(effect) is Image:
                target = self._targets.by_oid(database, table_of(effect.record))
                try:
                    self._image(held, effect, target, derived)
                except Puzzle:
                    if not final:
                        puzzling.append(effect)
                    elif target is not None:
                        self._given_up(
                            held, target, Cause.UNDECODABLE, "a row fits no known shape of the table"
                        )
                    else:
                        for suspect in self._targets.all(database):
                            self._given_up(
                                held, suspect, Cause.UNDECODABLE, "the catalogue could not be read"
                            )
            elif isinstance(effect, Truncation):
                self._truncation(held, effect)
            elif isinstance(effect, Unseen):
                self._gaps.record(database, effect, self._latest(database))
        if derived:
            for unseen in gathered(derived):
                self._gaps.record(database, unseen, self._latest(database))
        return puzzling

    def fail(self, held: Held, detail: str) -> None:
        """A gap for every table of what could not be decoded."""
        database = held.database
        tables: set[TableId] = set()
        for effect in held.effects:
            target = (
                self._targets.by_oid(database, table_of(effect.record)) if type(effect) is Image else None
            )
            tables.update(tables_of(effect) if target is None else (target.table,))
        for table in tables:
            self._gaps.record(
                database, Unseen(Cause.UNDECODABLE, table, None, detail), self._latest(database)
            )

    def _image(self, held: Held, image: Image, target: Target | None, derived: list[Unseen]) -> None:
        if target is None:
            oid = table_of(image.record)
            if not self._targets.settled(held.database, oid):
                raise Puzzle
            self._pass(held, image, oid, derived)
            return
        lane = target.lane
        if lane is None:
            self._given_up(held, target, Cause.UNDECODABLE, f"the table is not mirrored: {target.held_back}")
            return
        try:
            header, oids, fields = parse_image(image.record)
            version = header.version
        except (MalformedRecord, VersionOverflow) as error:
            self._given_up(held, target, Cause.UNDECODABLE, str(error))
            return
        mapping = target.mapping(oids)
        if mapping is None:
            raise Puzzle
        if version is None:
            self._given_up(held, target, Cause.UNDECODABLE, "an image without a WAL position")
            return
        meter = target.meter
        meter.captured += 1
        meter.last_captured_version = max(meter.last_captured_version, version)
        verb = image.verb if image.verb is not Verb.MERGE else Verb[header.action or "UPDATE"]
        key: Key | None = None
        try:
            key = mapping.key(fields)
            rows_of = _rows_of(mapping)
            if verb is Verb.DELETE:
                self._lanes.put(lane, Write(key, None, version), held, rows_of)
            else:
                document, extra = mapping.document(fields, header.text)
                self._lanes.put(lane, Write(key, document, version, extra), held, rows_of)
        except Unrepresentable as error:
            meter.poisoned += 1
            rows = None if key is None else _rows(mapping, key)
            self._gaps.record(held.database, Unseen(Cause.POISON, target.table, rows, str(error)), version)
        if held.urgent and meter not in held.meters:
            held.meters.append(meter)
        old: Fields | None = None
        if header.old is not None:
            old = self._moved(held, target, lane, mapping, header, key, version)
        elif verb is Verb.DELETE:
            old = fields
        if old is not None:
            self._follow(held, target, mapping, header, verb, old, fields, derived)

    def _pass(self, held: Held, image: Image, oid: bytes, derived: list[Unseen]) -> None:
        """A row that becomes no document, and may take rows with it that have some."""
        passing = self._targets.passing(held.database, oid)
        if passing is None:
            return
        header, oids, fields = parse_image(image.record)
        verb = image.verb if image.verb is not Verb.MERGE else Verb[header.action or "UPDATE"]
        if verb is not Verb.INSERT:
            derived += passing.following(verb, header, oids, fields, self._targets.mirrored(held.database))

    def _moved(
        self,
        held: Held,
        target: Target,
        lane: Lane,
        mapping: TableMapping,
        header: ImageHeader,
        key: Key | None,
        version: int,
    ) -> Fields | None:
        """An UPDATE that gave the row another key leaves nothing under the old one. The values of the old row."""
        assert header.old is not None
        try:
            oids, old = parse_record(header.old)
            if not mapping.fits(oids):
                raise MalformedRecord("the old row has another shape than the new one")
            before = mapping.key(old)
        except (MalformedRecord, Unrepresentable) as error:
            self._gaps.record(
                held.database, Unseen(Cause.KEY_CHANGE, target.table, None, str(error)), version
            )
            return None
        if key is None or before.token != key.token:
            self._lanes.put(lane, Write(before, None, version), held, _rows_of(mapping))
            if len(held.effects) > 1 and (rows := _rows(mapping, before)) is not None:
                # Where the key is DEFERRABLE, another row may have taken the old key before this one left it.
                unseen = Unseen(
                    Cause.KEY_CHANGE, target.table, rows, "one of several rows that may share keys"
                )
                self._gaps.record(held.database, unseen, version)
        return old

    def _follow(
        self,
        held: Held,
        target: Target,
        mapping: TableMapping,
        header: ImageHeader,
        verb: Verb,
        old: Fields,
        new: Fields,
        derived: list[Unseen],
    ) -> None:
        """Rows of other tables that PostgreSQL changed with this one."""
        columns = target.followed(verb)
        if not columns or target.snapshot is None:
            return
        text = header.text if verb is Verb.DELETE else None
        derived += following(
            target.snapshot,
            target.oid,
            verb,
            _values(mapping, columns, old, text),
            _values(mapping, columns, new, header.text) if verb is Verb.UPDATE else None,
            self._targets.mirrored(held.database),
        )

    def _truncation(self, held: Held, truncation: Truncation) -> None:
        for table in truncation.tables:
            target = self._targets.by_id(held.database, table)
            if target is None:
                continue
            if target.lane is None:
                unseen = Unseen(Cause.TRUNCATE, table, None, f"the table is not mirrored: {target.held_back}")
                self._gaps.record(held.database, unseen, truncation.version)
            else:
                self._lanes.truncate(target.lane, truncation.version, held)

    def _given_up(self, held: Held, target: Target, cause: Cause, detail: str) -> None:
        target.meter.captured += 1
        target.meter.dropped += 1
        self._gaps.record(
            held.database, Unseen(cause, target.table, None, detail), self._latest(held.database)
        )


def _values(
    mapping: TableMapping, columns: tuple[str, ...], fields: Fields, text: bytes | None
) -> dict[str, str | None]:
    """Those of the columns that can be told."""
    values: dict[str, str | None] = {}
    for column in columns:
        try:
            values[column] = mapping.values_text((column,), fields, text)[0]
        except (NotMirrored, ValueError):
            continue
    return values


def _rows_of(mapping: TableMapping) -> Callable[[Write], Rows | None]:
    return lambda write: _rows(mapping, write.key)


def _rows(mapping: TableMapping, key: Key) -> Rows | None:
    try:
        return Rows(mapping.key_columns, (mapping.key_text(key.value),))
    except (Foreign, ValueError):
        return None
