"""What a table's mapping does: from the values of a row to its document, and back.

A document has one field per mirrored column. A key of one column is the `_id` itself, and has no field beside it; a
key of several is a sub-document of them in `_id`, and its columns are fields as well. What a field's value does not
tell stands in `_cw`: `us.<field>` the microseconds (0-999) of a timestamp, `flags.<field>` what is special about a
value (nan, inf, -inf, JSON's null, the shape of an array), `key` the value of a single-column key whose `_id` is its
normal form (1.50 is kept as 1.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from struct import error as struct_error
from typing import Any

from proxy.documents.codec import Codec, Foreign, Unfit, Unrepresentable, plain_key
from proxy.documents.records import Fields, parse_row_text
from proxy.documents.strings import reader
from proxy.stores.protocol import Key, Namespace

US = "us"
FLAGS = "flags"
KEY = "key"
"""Fields of `_cw` that belong to the mapping."""

FAULTS = (ValueError, TypeError, LookupError, OverflowError, AttributeError, RecursionError, struct_error)
"""What a codec may raise on bytes or values that are not of its type; Unfit and Foreign are among them."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a table, or a column of it, cannot be mirrored as the rules say."""

    table: str
    column: str
    """Empty where the table as a whole is meant."""
    reason: str
    """With what to do about it."""

    def __str__(self) -> str:
        return f"{self.table}, column {self.column}: {self.reason}" if self.column else self.reason


class NotMirrored(KeyError):
    """A column that documents do not have: excluded, or not a column of the table."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column that documents have."""

    name: str
    field: str
    """`_id` for a key of one column."""
    position: int
    """In the row, from 0: dropped attributes do not count."""
    codec: Codec


@dataclass(frozen=True, eq=False)
class TableMapping:
    """How rows of one shape of a table become documents. Made by `proxy.documents.mapping.build_mapping`."""

    namespace: Namespace
    table: str
    """schema.table, quoted where SQL needs it."""
    columns: tuple[Column, ...]
    """In the order of the table's attributes, excluded ones left out."""
    key_columns: tuple[str, ...]
    oids: tuple[int, ...]
    """The types of all attributes of the row, excluded columns too."""
    attributes: tuple[str, ...]
    """Their names."""
    warnings: tuple[Problem, ...] = ()
    """What the rules say of columns that the table does not have."""
    hidden: Mapping[str, Column] = field(default_factory=dict)
    """Excluded columns that have a codec: foreign keys may be made of them."""
    encoding: str = "utf-8"
    """Of the text in images, as Python names it."""

    @cached_property
    def needs_text(self) -> bool:
        """Whether images must carry the text output of the row: some column's type has no decoder."""
        return any(not column.codec.binary for column in self.columns)

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def key_parts(self) -> tuple[Column, ...]:
        return tuple(self.by_name[name] for name in self.key_columns)

    @cached_property
    def _plain(self) -> tuple[tuple[str, int, Any], ...]:
        return tuple(
            (column.field, column.position, column.codec.decode)
            for column in self.columns
            if column.codec.binary and not column.codec.marked and not self._is_id(column)
        )

    @cached_property
    def _marked(self) -> tuple[tuple[str, int, Any], ...]:
        return tuple(
            (column.field, column.position, column.codec.decode)
            for column in self.columns
            if column.codec.binary and column.codec.marked and not self._is_id(column)
        )

    @cached_property
    def _texts(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if not column.codec.binary)

    @cached_property
    def _timed(self) -> tuple[str, ...]:
        """Fields of single timestamps: `_cw.us` always has them."""
        return tuple(
            column.field for column in self.columns if column.codec.timed and not self._is_id(column)
        )

    @cached_property
    def _single(self) -> tuple[int, Any, Any] | None:
        if len(self.key_columns) != 1:
            return None
        column = self.key_parts[0]
        key = column.codec.key
        return column.position, column.codec.decode, None if key is plain_key else key

    def _is_id(self, column: Column) -> bool:
        return len(self.key_columns) == 1 and column.name == self.key_columns[0]

    def fits(self, oids: Sequence[int]) -> bool:
        """Whether a row with these types has the shape of this mapping."""
        return oids == self.oids

    def field_of(self, column: str) -> str:
        """The field of a column. NotMirrored for one that is excluded."""
        try:
            return self.by_name[column].field
        except KeyError:
            raise NotMirrored(column) from None

    def key(self, fields: Fields) -> Key:
        """Of a row's values. Unrepresentable where no `_id` can hold them."""
        try:
            if self._single is None:
                return self._composite(
                    [part.codec.decode(_given(fields[part.position])) for part in self.key_parts]
                )
            position, decode, key = self._single
            raw = fields[position]
            if raw is None:
                raise Unfit("the key is NULL")
            value = decode(raw)
            if key is None:
                return Key(value, value)
            identifier, token, _ = key(value)
            return Key(identifier, token)
        except FAULTS as error:
            raise self._unfit(fields, self.key_parts, error) from None

    def _composite(self, values: Sequence[Any]) -> Key:
        identifier = {}
        tokens = []
        for part, value in zip(self.key_parts, values, strict=True):
            assert part.codec.key is not None
            identifier[part.field], token, _ = part.codec.key(value)
            tokens.append(token)
        return Key(identifier, tuple(tokens))

    def key_of_text(self, values: Sequence[str]) -> Key:
        """Of the text output of the key columns, in their order. ValueError for text that is not such output."""
        parsed = [part.codec.parse(value) for part, value in zip(self.key_parts, values, strict=True)]
        if self._single is None:
            return self._composite(parsed)
        key = self.key_parts[0].codec.key
        assert key is not None
        identifier, token, _ = key(parsed[0])
        return Key(identifier, token)

    def key_text(self, identifier: Any) -> tuple[str, ...]:
        """The text of the key columns of an `_id`, good to find the row in PostgreSQL. Foreign for what is none."""
        parts = self.key_parts
        if len(parts) == 1:
            values = [identifier]
        elif isinstance(identifier, Mapping) and set(identifier) == {part.field for part in parts}:
            values = [identifier[part.field] for part in parts]
        else:
            raise Foreign("the _id is not a key of this table")
        return tuple(
            part.codec.text(part.codec.from_id(value)) for part, value in zip(parts, values, strict=True)
        )

    def key_of_id(self, identifier: Any) -> Key:
        """The key of an `_id` as the store gives it. Foreign for what is none."""
        try:
            return self.key_of_text(self.key_text(identifier))
        except Foreign:
            raise
        except FAULTS:
            raise Foreign("the _id is not a key of this table") from None

    def document(self, fields: Fields, text: bytes | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """The document with its `_id`, and what `_cw` must hold beside v and r.

        `text` is the row's text output, where `needs_text`. Unrepresentable where the row cannot be a document.
        """
        document: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        try:
            if self._single is None:
                document["_id"] = self.key(fields).value
            else:
                position, decode, key = self._single
                raw = fields[position]
                if raw is None:
                    raise Unfit("the key is NULL")
                value = decode(raw)
                if key is not None:
                    value, _, rest = key(value)
                    if rest is not None:
                        extra[KEY] = rest
                document["_id"] = value
            for name, position, decode in self._plain:
                raw = fields[position]
                document[name] = None if raw is None else decode(raw)
            if self._marked:
                self._put_marked(fields, document, extra)
        except FAULTS as error:
            raise self._unfit(fields, self.columns, error) from None
        if self.needs_text:
            self._put_texts(text, document, extra)
        return document, extra

    def _put_marked(self, fields: Fields, document: dict[str, Any], extra: dict[str, Any]) -> None:
        beside: dict[str, Any] = dict.fromkeys(self._timed, 0)
        flags: dict[str, Any] = {}
        for name, position, decode in self._marked:
            raw = fields[position]
            if raw is None:
                document[name] = None
                continue
            document[name], us, flag = decode(raw)
            if us is not None:
                beside[name] = us
            if flag is not None:
                flags[name] = flag
        if beside:
            extra[US] = beside
        if flags:
            extra[FLAGS] = flags

    def _put_texts(self, text: bytes | None, document: dict[str, Any], extra: dict[str, Any]) -> None:
        """The columns that only the text of the row has."""
        first = self._texts[0].name
        if text is None:
            raise Unrepresentable(
                first, "its type has no binary form here, and the row came without its text"
            )
        try:
            values = parse_row_text(reader(self.encoding)(text))
        except FAULTS:
            raise Unrepresentable(first, "the text of the row cannot be read") from None
        if len(values) != len(self.oids):
            raise Unrepresentable(first, "the text of the row has another number of columns")
        for column in self._texts:
            value = values[column.position]
            if value is None:
                document[column.field] = None
                continue
            try:
                parsed = column.codec.parse(value)
            except FAULTS:
                raise Unrepresentable(column.name, "its text cannot be read") from None
            if not column.codec.marked:
                document[column.field] = parsed
                continue
            document[column.field], us, flag = parsed
            if us is not None:
                extra.setdefault(US, {})[column.field] = us
            if flag is not None:
                extra.setdefault(FLAGS, {})[column.field] = flag

    def _unfit(self, fields: Fields, columns: Sequence[Column], error: Exception) -> Unrepresentable:
        """Which column it was."""
        for column in columns:
            if not column.codec.binary:
                continue
            raw = fields[column.position] if column.position < len(fields) else None
            if raw is None:
                if column.name in self.key_columns:
                    return Unrepresentable(column.name, "the key is NULL")
                continue
            try:
                column.codec.decode(raw)
            except Unfit as unfit:
                return Unrepresentable(column.name, str(unfit))
            except FAULTS as other:
                return Unrepresentable(
                    column.name, f"its binary form cannot be read ({type(other).__name__})"
                )
        return Unrepresentable("", f"the row cannot be read ({type(error).__name__})")

    def values_text(
        self, columns: Sequence[str], fields: Fields, text: bytes | None = None
    ) -> tuple[str | None, ...]:
        """The text output of columns of a row, excluded ones too. NotMirrored where it cannot be told, Unrepresentable
        where the row cannot be read."""
        try:
            return tuple(self._value_text(name, fields, text) for name in columns)
        except NotMirrored:
            raise
        except FAULTS as error:
            known = [column for column in (*self.columns, *self.hidden.values()) if column.name in columns]
            raise self._unfit(fields, known, error) from None

    def _value_text(self, name: str, fields: Fields, text: bytes | None) -> str | None:
        column = self.by_name.get(name) or self.hidden.get(name)
        if column is None:
            raise NotMirrored(name)
        raw = fields[column.position]
        if raw is None:
            return None
        if column.codec.binary:
            return column.codec.out(raw)
        if text is None:
            raise NotMirrored(name)
        return parse_row_text(reader(self.encoding)(text))[column.position]

    def bson_filter(self, columns: Sequence[str], values: Sequence[str | None]) -> dict[str, Any]:
        """A filter for the documents whose columns have these values, given as text output.

        It may find others beside them (a timestamp is compared to the millisecond). NotMirrored for excluded columns;
        ValueError for text that is not such output.
        """
        found: dict[str, Any] = {}
        for name, value in zip(columns, values, strict=True):
            target = self.field_of(name)
            codec = self.by_name[name].codec
            if value is None:
                found[target] = None
                continue
            parsed = codec.parse(value)
            if target == "_id" and codec.key is not None:
                found[target] = codec.key(parsed)[0]
            else:
                found[target] = parsed[0] if codec.marked else parsed
        return found

    def decode(self, document: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, str | None]:
        """The way back: the text output of every mirrored column; a missing field reads as NULL.

        Raises ForeignField where a field holds what the mapping never writes.
        """
        beside = extra.get(US) or {}
        flags = extra.get(FLAGS) or {}
        values: dict[str, str | None] = {}
        for column in self.columns:
            codec = column.codec
            name = column.field
            try:
                if self._is_id(column):
                    values[column.name] = codec.text(self._key_value(codec, document.get("_id"), extra))
                    continue
                value = document.get(name)
                if codec.marked:
                    flag = flags.get(name)
                    values[column.name] = (
                        None
                        if value is None and flag is None
                        else codec.text((value, beside.get(name), flag))
                    )
                else:
                    values[column.name] = None if value is None else codec.text(value)
            except FAULTS as error:
                raise ForeignField(column.name, str(error) if isinstance(error, Foreign) else "") from None
        return values

    @staticmethod
    def _key_value(codec: Codec, identifier: Any, extra: Mapping[str, Any]) -> Any:
        if KEY not in extra:
            return codec.from_id(identifier)
        return (extra[KEY], None, None) if codec.marked else extra[KEY]


def _given(raw: bytes | None) -> bytes:
    if raw is None:
        raise Unfit("the key is NULL")
    return raw


class ForeignField(Exception):
    """A document's field holds what its column never becomes: somebody else wrote it."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"column {column}: {reason or 'not a value of its type'}")
        self.column = column
        self.reason = reason
