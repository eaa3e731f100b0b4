"""The tables the histories are written to: one for each way in which a row may be hard to mirror."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.names import quote_identifier

TYPES = """
create type mood as enum ('sad', 'ok', 'very happy');
create type pair as (a int, b text);
create domain percent as numeric(6, 2) check (value between 0 and 100);
create domain code as text check (value <> 'forbidden');
create schema "Ünï.code";
"""

BEFORE_14 = "create domain int4multirange as text"
"""In the place of a type that PostgreSQL 13 does not have."""

TABLES = """
create table items (id serial primary key, name text not null default 'none', qty int not null default 0, note text);
create table cells (x int, y smallint, value text, n bigint not null default 0, primary key (x, y));
create table words (word text primary key, count int not null default 1, seen timestamptz default clock_timestamp());
create table tokens (id uuid primary key default gen_random_uuid(), client int, body bytea);
create table events (id bigint, day date, kind text, primary key (day, id)) partition by range (day);
create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
create table events_2025 (kind text, day date not null, id bigint not null);
alter table events attach partition events_2025 for values from ('2025-01-01') to ('2026-01-01');
create table events_rest partition of events default;
create table parents (id int primary key, name text);
create table children (id int primary key, parent int references parents on delete cascade on update cascade,
  name text);
create table orphans (id int primary key, parent int references parents on delete set null on update set null);
create table stamped (id int primary key, body text, changed timestamptz, revision int not null default 0);
create function stamp() returns trigger language plpgsql as $$ begin
  if new.body = 'skip' then return null; end if;
  new.changed := clock_timestamp();
  new.revision := case when tg_op = 'INSERT' then 1 else old.revision + 1 end;
  new.body := upper(new.body);
  return new;
end $$;
create trigger stamp before insert or update on stamped for each row execute function stamp();
create table measures (id bigint generated always as identity primary key, w numeric not null, h numeric default 2.50,
  area numeric generated always as (w * h) stored);
create table moments (at timestamptz primary key, what text);
create table seats (id int primary key, holder text, dropped int, kind text default 'seat',
  constraint one_seat unique (holder) deferrable initially deferred);
alter table seats drop column dropped;
create table "Ünï.code"."Käse ""x"" 表" ("Schlüssel" int primary key, "größe.cm" text, "$pec" text, "select" int);
create table ledger (client int, seq int, note text, primary key (client, seq));
create table docs (id int primary key, data jsonb, raw json);
create table kinds (
  id int primary key,
  c_bool bool, c_int2 int2, c_int4 int4, c_int8 int8, c_float4 float4, c_float8 float8,
  c_numeric numeric, c_numeric2 numeric(20, 4), c_text text, c_varchar varchar(50), c_char char(8), c_name name,
  c_one "char", c_ts timestamp, c_ts3 timestamp(3), c_tstz timestamptz, c_date date, c_time time, c_timetz timetz,
  c_interval interval, c_uuid uuid, c_bytea bytea, c_json json, c_jsonb jsonb,
  c_ints int[], c_texts text[], c_numerics numeric[], c_stamps timestamptz[], c_moods mood[], c_pairs pair[],
  c_mood mood, c_pair pair, c_percent percent, c_code code, c_percents percent[],
  c_inet inet, c_cidr cidr, c_macaddr macaddr, c_point point, c_box box, c_bit bit(5), c_varbit varbit,
  c_money money, c_xml xml, c_tsvector tsvector, c_range int4range, c_tsrange tsrange, c_lsn pg_lsn, c_oid oid,
  c_path path, c_query tsquery, c_multirange int4multirange
);
"""

SEED = """
insert into items (name, qty) select 'item ' || n, n from generate_series(1, 20) n;
insert into parents select n, 'parent ' || n from generate_series(1, 8) n;
insert into seats (id, holder) select n, 'holder ' || n from generate_series(1, 8) n;
"""
"""Rows from the start: those tables are not empty when mirroring begins, so they are written before it."""


@dataclass(frozen=True)
class Table:
    """A table and what its rule says beside the phase."""

    schema: str
    name: str
    rule: Mapping[str, Any]

    @property
    def sql(self) -> str:
        """Quoted for a statement."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def in_rules(self) -> str:
        """As rule files write it."""
        return f"{quote_identifier(self.schema)}.{quote_identifier(self.name)}"

    @property
    def collection(self) -> str:
        given = self.rule.get("collection")
        return str(given) if given else self.name if self.schema == "public" else f"{self.schema}.{self.name}"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _public(name: str, **rule: Any) -> Table:
    return Table("public", name, rule)


CHEESE = Table(
    "Ünï.code",
    'Käse "x" 表',
    {"collection": "kaese", "rename": {"größe.cm": "groesse_cm", "$pec": "pec"}},
)

ALL: Sequence[Table] = (
    _public("items"),
    _public("cells"),
    _public("words"),
    _public("tokens"),
    _public("events"),
    _public("parents"),
    _public("children"),
    _public("orphans"),
    _public("stamped"),
    _public("measures", collection="Measured"),
    _public("moments"),
    _public("seats", rename={"holder": "who"}),
    CHEESE,
    _public("ledger"),
    _public("docs"),
    _public("kinds"),
)

NAMED: Mapping[str, Table] = {table.name: table for table in ALL}


def rules(database: str, tables: Iterable[Table] = ALL, **defaults: Any) -> str:
    """A rule file (YAML, of which JSON is a part) that asks for dual_write on every table."""
    return json.dumps(
        {
            "database": database,
            "defaults": {"phase": "dual_write", **defaults},
            "tables": {table.in_rules: dict(table.rule) or None for table in tables},
        },
        ensure_ascii=False,
        indent=1,
    )
