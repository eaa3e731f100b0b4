"""The schema of rule files: every key, its type, its default and what it does.

The descriptions are the reference documentation (`docs/rules.md`) and what editors show (`json_schema`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.functional_serializers import PlainSerializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from proxy.phases import Phase
from proxy.rulefiles.types import (
    AckMode,
    Collection,
    Column,
    Columns,
    Count,
    Databases,
    Durability,
    Fingerprints,
    OneOf,
    Redaction,
    Renames,
    Share,
    SomeColumns,
    duration,
    nothing,
    size,
)


class Section(BaseModel):
    """A mapping in a rule file. Unknown keys are errors; nothing is converted silently; values are fixed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    shorthand: ClassVar[str] = ""
    """The key that a bare value stands for: `ack: sync` is `ack: {mode: sync}`."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        whole = handler.resolve_ref_schema(handler(schema))
        whole.pop("title", None)
        defaults = cls().model_dump(mode="json")
        for name, key in whole.get("properties", {}).items():
            key.pop("title", None)
            key["default"] = defaults[name]
        if not cls.shorthand:
            return whole
        short = {
            name: value for name, value in whole["properties"][cls.shorthand].items() if name != "default"
        }
        return {"anyOf": [short, whole], "description": whole.pop("description")}


class Ack(Section):
    """Whether the reply to a write waits for the store."""

    shorthand: ClassVar[str] = "mode"

    mode: Annotated[AckMode, OneOf(AckMode)] | None = None
    """Not given: sync from `primary_switch` on, async before."""
    timeout: Annotated[float, duration("1ms", "1m")] = 1.0
    """With sync: how long a reply waits at most; then it goes on and the wait is counted."""

    def effective(self, phase: Phase) -> AckMode:
        """The mode in an effective phase that mirrors."""
        if self.mode is not None:
            return self.mode
        return AckMode.SYNC if phase >= Phase.PRIMARY_SWITCH else AckMode.ASYNC


class Ignore(Section):
    """Differences that are known and accepted. Each is still counted and shown."""

    table: bool = False
    """Every difference on this table."""
    columns: Columns = ()
    """Differences in these columns."""
    fingerprints: Fingerprints = ()
    """Differences of these statements."""


class Shadow(Section):
    """Dark reads: how many run, what they may cost, what is kept of a difference. Used in `dark_read`."""

    shorthand: ClassVar[str] = "sample"

    sample: Share = 0.05
    """Share of the reads that also run on the store."""
    concurrency: Annotated[int, Count(1, 1000)] = 4
    """Shadow reads of this table that run at once in one proxy process."""
    queue: Annotated[int, Count(0, 100_000)] = 100
    """Shadow reads that may wait; those beyond are dropped and counted."""
    timeout: Annotated[float, duration("1ms", "5m")] = 5.0
    """How long one may take on the store; then its outcome is `timeout`."""
    max_rows: Annotated[int, Count(1, 10_000_000)] = 10_000
    """Results with more rows are not compared."""
    max_bytes: Annotated[int, size("1KiB", "1GiB")] = 16 << 20
    """Results that are larger are not compared."""
    redaction: Annotated[Redaction, OneOf(Redaction)] = Redaction.REDACT
    """What the ledger of differences keeps of the values."""
    ignore: Ignore = Ignore()
    """Differences that do not count."""


class Reads(Section):
    """Served reads. Used in `primary_switch`."""

    shorthand: ClassVar[str] = "share"

    share: Share = 1.0
    """Share of the sessions whose reads are served by the store; a session keeps to one side."""
    timeout: Annotated[float, duration("1ms", "5m")] = 1.0
    """How long the store may take for a read; then Postgres is asked."""
    concurrency: Annotated[int, Count(1, 1000)] = 50
    """Served reads of this table that run at once in one proxy process; those beyond are left to Postgres."""
    max_rows: Annotated[int, Count(1, 1_000_000)] = 1000
    """Documents a read may fetch; one that needs more is left to Postgres."""
    max_bytes: Annotated[int, size("1KiB", "1GiB")] = 4 << 20
    """Bytes of documents a read may fetch, and of its result."""
    reverse_shadow: Share = 0.0
    """Share of the served reads that are run on Postgres too and compared."""


class AutoRollback(Section):
    """Limits past which a table in `primary_switch` falls back to `dark_read` by itself, in the whole fleet.

    It stays there, through restarts and whatever `force` says, until `causeway phase` or a rule file with another
    phase tells it otherwise. Counts are those of all live proxies together, since the table was let in.
    """

    window: Annotated[float, duration("1s", "30d")] = 300.0
    """The time over which the rates are taken."""
    min_reads: Annotated[int, Count(1, 1_000_000_000)] = 100
    """Rates over fewer reads than this count for nothing."""
    max_mismatch_rate: Share | None = None
    """Share of the compared reads that may differ, those of the reverse shadow among them; null: any."""
    max_error_rate: Share | None = None
    """Share of the reads meant for the store that it may fail, or answer too late; null: any."""
    max_lag: Annotated[float, duration("1ms", "30d")] | None = None
    """How far the mirror of any live proxy may be behind; null: any."""


class Verify(Section):
    """A comparison of table and collection that runs by itself."""

    shorthand: ClassVar[str] = "every"

    every: Annotated[float, duration("1m", "366d")] = 86400.0
    """Time from one start to the next."""
    sample: Share = 1.0
    """Share of the rows that is compared."""
    since: Annotated[float, duration("1s", "3660d")] | None = None
    """Only rows whose `last_modified` is younger than this; null: all rows."""
    repair: bool = False
    """Whether what differs is repaired from Postgres."""


class Defaults(Section):
    """What holds for every table of the file that does not say otherwise."""

    phase: Annotated[Phase, OneOf(Phase)] = Phase.PASSTHROUGH
    """The phase that is asked for. `causeway status` shows the one a table is in, and what holds it there."""
    ack: Ack = Ack()
    """Whether the reply to a write waits for the store: `async`, `sync`, or a section."""
    durability: Annotated[Durability, OneOf(Durability)] = Durability.STRICT
    """Where images wait until the store has them."""
    shadow: Shadow = Shadow()
    """Dark reads: a share such as `5%`, or a section."""
    reads: Reads = Reads()
    """Served reads: a share of the sessions such as `10%`, or a section."""
    auto_rollback: AutoRollback | None = None
    """Limits past which the table falls back one phase; null: it never does so by itself."""
    verify: Verify | None = None
    """A scheduled comparison: an interval such as `24h`, or a section; null: none."""


class Table(Defaults):
    """One table. Everything that `defaults` can say, and what concerns this table alone."""

    force: bool = False
    """Go through closed gates, which is logged, counted and shown. Never past what this version has built."""
    collection: Collection | None = None
    """The collection its documents go to; not given: `table`, or `schema.table` outside schema public."""
    key: SomeColumns | None = None
    """The unique NOT NULL columns that identify a row; not given: the primary key."""
    rename: Renames = Field(default_factory=nothing)
    """Column to field, where a field is not to have its column's name."""
    exclude: Columns = ()
    """Columns that are not mirrored. Reads that need them stay on Postgres."""
    last_modified: Column | None = None
    """A column that every change sets to the time; `backfill --since` and `verify --since` need one."""


class Gates(Section):
    """What must hold before a table of this file is let into `primary_switch`.

    Beside these, always: no open gap, and every live proxy in front of the same server in `dark_read`. Before
    `dark_read`: the history in the store, and no open gap.
    """

    max_lag: Annotated[float, duration("1ms", "30d")] = 10.0
    """How far the mirror of any live proxy may be behind."""
    window: Annotated[float, duration("1s", "30d")] = 3600.0
    """The time over which comparisons are counted."""
    min_comparisons: Annotated[int, Count(0, 1_000_000_000)] = 1000
    """Reads that must have been compared in the window, by all live proxies together."""
    max_mismatch_rate: Share = 0.0001
    """Share of them that may differ."""


class RuleFile(Section):
    """Rules of Causeway: in which phase each table is, how it is mirrored, compared and served."""

    database: Databases | None = None
    """The database or databases whose tables are meant; not given: every database behind the proxy."""
    defaults: Defaults = Defaults()
    """What holds for every table of this file that does not say otherwise."""
    tables: Annotated[Mapping[str, Table | None], PlainSerializer(dict)] = Field(default_factory=nothing)
    """The tables: `table` (in schema public) or `schema.table`, with double quotes where SQL needs them."""
    gates: Gates = Gates()
    """What must hold before a table of this file is let into a phase."""


def json_schema() -> dict[str, Any]:
    """The schema of a rule file for editors and other tools (JSON Schema 2020-12)."""
    schema = RuleFile.model_json_schema(mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Causeway rules",
        **schema,
        "minProperties": 1,
    }
