"""Relations that are not mirrored themselves, but by whose foreign keys rows of mirrored tables change."""

from __future__ import annotations

from collections.abc import Callable

from proxy.catalog.model import Snapshot
from proxy.documents.codec import Unfit
from proxy.documents.records import Fields, ImageHeader, MalformedRecord, parse_record
from proxy.documents.types import NoCodec, codec_of
from proxy.mirror.cascades import Values, followed_columns, following
from proxy.mirror.effects import TableId, Unseen
from proxy.sql.model import Verb

ENCODING = "utf_8"
"""Sessions with another client_encoding are not captured."""


class Passing:
    """One such relation."""

    __slots__ = ("_oid", "_oids", "_readers", "_snapshot")

    def __init__(self, snapshot: Snapshot, oid: int) -> None:
        relation = snapshot.relations[oid]
        columns = {
            column for verb in (Verb.DELETE, Verb.UPDATE) for column in followed_columns(snapshot, oid, verb)
        }
        self._snapshot = snapshot
        self._oid = oid
        self._oids = tuple(attribute.type_oid for attribute in relation.attributes)
        self._readers: dict[str, tuple[int, Callable[[bytes], str]]] = {}
        for position, attribute in enumerate(relation.attributes):
            if attribute.name not in columns:
                continue
            try:
                codec = codec_of(attribute.type_oid, attribute.typmod, snapshot.types, ENCODING)
            except NoCodec:
                continue
            if codec.binary:
                self._readers[attribute.name] = (position, codec.out)

    def following(
        self,
        verb: Verb,
        header: ImageHeader,
        oids: tuple[int, ...],
        fields: Fields,
        mirrored: Callable[[TableId], bool],
    ) -> list[Unseen]:
        """What else happened with this row; of any row of the children where its values cannot be told."""
        new: Values | None = None
        try:
            if verb is Verb.DELETE:
                old: Values | None = self._values(oids, fields)
            elif header.old is None:
                return []  # the statement changes no column that is followed, or has told of it itself
            else:
                old = self._values(*parse_record(header.old))
                new = self._values(oids, fields)
        except (MalformedRecord, Unfit):
            old = {}
        return following(self._snapshot, self._oid, verb, old, new, mirrored)

    def _values(self, oids: tuple[int, ...], fields: Fields) -> Values:
        """Those of the columns that can be told; none of a row of another shape."""
        if tuple(oids) != self._oids:
            return {}
        return {
            name: None if (raw := fields[position]) is None else out(raw)
            for name, (position, out) in self._readers.items()
        }


def passing(snapshot: Snapshot, oid: int) -> Passing | None:
    """None where no foreign key leads from the relation to a mirrored table."""
    if oid not in snapshot.relations or not any(
        followed_columns(snapshot, oid, verb) for verb in (Verb.DELETE, Verb.UPDATE)
    ):
        return None
    return Passing(snapshot, oid)
