"""The queries that read a catalogue, PostgreSQL 13 to 18. Every name is qualified: a session's search_path is not ours.

Temporary relations are left out everywhere: they belong to one session and come and go.
"""

from __future__ import annotations

FACTS = """
SELECT pg_catalog.current_database()::text AS database,
       pg_catalog.current_setting('server_version_num')::int AS server_version,
       pg_catalog.current_setting('wal_level') AS wal_level,
       pg_catalog.pg_is_in_recovery() AS in_recovery,
       CASE WHEN pg_catalog.pg_is_in_recovery()
            THEN (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint())
            ELSE ('x' || pg_catalog.left(
                     pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8))::bit(32)::int
       END AS timeline,
       (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) AS system_identifier,
       (SELECT CASE WHEN source IN ('default', 'configuration file', 'command line', 'environment variable')
                    THEN setting ELSE boot_val END
          FROM pg_catalog.pg_settings WHERE name = 'search_path') AS search_path
"""

NODES = """
SELECT c.oid::int8, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
       c.relpersistence::text AS persistence, c.relrowsecurity AS row_security, c.relispartition AS partition
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't' AND n.nspname <> 'pg_toast'
"""

INHERITS = """
SELECT inhrelid::int8 AS child, pg_catalog.array_agg(inhparent::int8 ORDER BY inhseqno) AS parents
  FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
 WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
 GROUP BY inhrelid
"""

FOREIGN_KEYS = """
SELECT k.conname::text AS name, k.confrelid::int8 AS parent, k.conrelid::int8 AS child,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(number, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number
              ORDER BY u.place) AS parent_columns,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(number, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number
              ORDER BY u.place) AS child_columns,
       k.confdeltype::text AS on_delete, k.confupdtype::text AS on_update
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
 WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relpersistence <> 't'
 ORDER BY k.oid
"""

TRIGGERS = """
SELECT t.tgrelid::int8 AS relation, t.tgname::text AS name, t.tgtype::int AS bits, t.tgfoid::int8 AS function
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
 WHERE NOT t.tgisinternal AND t.tgparentid = 0 AND t.tgenabled IN ('O', 'A') AND c.relpersistence <> 't'
 ORDER BY t.oid
"""

_USER_OBJECT = 16384
"""FirstNormalObjectId: what initdb made has smaller oids."""


def functions(server_version: int) -> str:
    """Bodies in SQL that are kept parsed (`BEGIN ATOMIC`) exist from 14 on."""
    source = "p.prosrc"
    if server_version >= 140000:
        source = "coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)"
    return f"""
SELECT p.oid::int8, n.nspname::text AS schema, p.proname::text AS name, l.lanname::text AS language,
       p.provolatile = 'v' AS volatile, {source} AS source,
       p.prorettype NOT IN ('pg_catalog.trigger'::pg_catalog.regtype,
                            'pg_catalog.event_trigger'::pg_catalog.regtype) AS callable
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
 WHERE p.prokind IN ('f', 'p', 'w') AND l.lanname <> 'internal'
   AND (l.lanname <> 'c' OR p.prosrc = 'check_foreign_key')
   AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


RULES = f"""
SELECT r.ev_class::int8 AS relation, r.rulename::text AS name, r.ev_type::text AS event,
       ARRAY(SELECT DISTINCT d.refobjid::int8 FROM pg_catalog.pg_depend d
              WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
                AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                AND d.refobjid <> r.ev_class) AS relations,
       ARRAY(SELECT DISTINCT d.refobjid::int8 FROM pg_catalog.pg_depend d
              WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
                AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass) AS functions
  FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
 WHERE r.ev_class >= {_USER_OBJECT} AND r.ev_enabled IN ('O', 'A') AND c.relkind <> 'm' AND c.relpersistence <> 't'
 ORDER BY r.oid
"""

USES = f"""
SELECT DISTINCT coalesce(a.adrelid, k.conrelid)::int8 AS relation, d.refobjid::int8 AS function
  FROM pg_catalog.pg_depend d
  LEFT JOIN pg_catalog.pg_attrdef a
         ON d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass AND a.oid = d.objid
  LEFT JOIN pg_catalog.pg_constraint k
         ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND k.oid = d.objid AND k.conrelid <> 0
 WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refobjid >= {_USER_OBJECT}
   AND (a.oid IS NOT NULL OR k.oid IS NOT NULL)
"""

ATTRIBUTES = """
SELECT a.attrelid::int8 AS relation, a.attnum::int AS number, a.attname::text AS name, a.atttypid::int8 AS type,
       a.atttypmod AS typmod, a.attnotnull AS not_null, a.atthasdef AS has_default,
       a.attgenerated::text AS generated, a.attidentity::text AS identity,
       coalesce(c.collname::text, '') AS collation, c.collprovider::text AS provider,
       c.collisdeterministic AS deterministic,
       coalesce(pg_catalog.to_jsonb(c)->>'colllocale', c.collcollate)::text AS sorting,
       coalesce(pg_catalog.to_jsonb(c)->>'colllocale', c.collctype)::text AS ctype
  FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
 WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum
"""

KEYS = """
SELECT i.indrelid::int8 AS relation, i.indisprimary AS is_primary,
       ARRAY(SELECT a.attname::text FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY u(number, place)
               JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
              WHERE u.place <= i.indnkeyatts ORDER BY u.place) AS columns,
       i.indimmediate AND NOT EXISTS (
         SELECT FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY u(number, place)
           JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
          WHERE u.place <= i.indnkeyatts AND NOT a.attnotnull) AS identifies
  FROM pg_catalog.pg_index i
 WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indisvalid AND i.indislive
   AND i.indexprs IS NULL AND i.indpred IS NULL
 ORDER BY i.indrelid, i.indexrelid
"""


def types(server_version: int) -> str:
    """The types given and all they are made of. Multiranges exist from 14 on."""
    multirange = "SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid"
    if server_version < 140000:
        multirange = "SELECT NULL::pg_catalog.oid WHERE false"
    return f"""
WITH RECURSIVE parts(oid) AS (
  SELECT pg_catalog.unnest($1::oid[])
  UNION
  SELECT part FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.oid
   CROSS JOIN LATERAL (
     SELECT t.typbasetype AS part WHERE t.typtype = 'd'
     UNION ALL SELECT t.typelem WHERE t.typcategory = 'A'
     UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid
     UNION ALL {multirange}
     UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
                WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
   ) made WHERE part <> 0
)
SELECT t.oid::int8, n.nspname::text AS schema, t.typname::text AS name, t.typtype::text AS kind,
       t.typcategory::text AS category, t.typdelim::text AS delimiter,
       CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE 0 END::int8 AS base, t.typtypmod AS base_typmod,
       coalesce(CASE WHEN t.typcategory = 'A' THEN t.typelem END,
                (SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid),
                ({multirange}), 0)::int8 AS element,
       ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e
              WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
              WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
              ORDER BY a.attnum) AS field_names,
       ARRAY(SELECT a.atttypid::int8 FROM pg_catalog.pg_attribute a
              WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
              ORDER BY a.attnum) AS field_types,
       t.typsend <> 0 AS sendable
  FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.oid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
"""


ROLES = """
SELECT r.oid::int8, r.rolname::text AS name FROM pg_catalog.pg_roles r
 WHERE $1::text[] IS NULL OR r.rolname = ANY ($1::text[])
 ORDER BY r.oid
"""

ROLE_COUNT = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_roles"

UNREADABLE = """
SELECT r.rolname::text AS role, c.oid::int8 AS relation,
       CASE WHEN NOT pg_catalog.has_schema_privilege(r.oid, c.relnamespace, 'USAGE') THEN 'schema'
            WHEN c.relrowsecurity AND NOT r.rolbypassrls
                 AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(r.oid, c.relowner, 'USAGE'))
              THEN 'row security'
            WHEN pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT') THEN NULL
            WHEN (SELECT pg_catalog.bool_and(pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT'))
                    FROM pg_catalog.pg_attribute a
                   WHERE a.attrelid = c.oid AND NOT a.attisdropped
                     AND (a.attnum > 0 OR a.attname = 'tableoid')) THEN NULL
            ELSE 'select'
       END AS reason,
       pg_catalog.has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE')
         OR pg_catalog.has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE') AS writes
  FROM pg_catalog.pg_roles r CROSS JOIN pg_catalog.pg_class c
 WHERE NOT r.rolsuper AND r.oid = ANY ($1::oid[]) AND c.oid = ANY ($2::oid[])
"""
"""RETURNING is of no matter to roles that may not write: what they send fails with the same error.

RETURNING needs SELECT on every column it names, `tableoid` among them; only the table's privilege covers that one
unless it was granted by name."""

UNCALLABLE = """
SELECT r.rolname::text AS role, f.oid::pg_catalog.regprocedure::text AS function
  FROM pg_catalog.pg_roles r CROSS JOIN pg_catalog.unnest(ARRAY[
         'pg_catalog.record_send(record)', 'pg_catalog.pg_current_wal_insert_lsn()',
         'pg_catalog.pg_walfile_name(pg_lsn)', 'pg_catalog.pg_current_xact_id()']::pg_catalog.regprocedure[]) f(oid)
 WHERE NOT r.rolsuper AND r.oid = ANY ($1::oid[])
   AND NOT pg_catalog.has_function_privilege(r.oid, f.oid, 'EXECUTE')
"""
"""The functions of the splice, should PUBLIC have lost them."""

SEARCH_PATHS = """
SELECT s.setdatabase <> 0 AS of_database, coalesce(r.rolname::text, '') AS role,
       pg_catalog.substr(entry, pg_catalog.length('search_path=') + 1) AS value
  FROM pg_catalog.pg_db_role_setting s
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
  CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) entry
 WHERE entry LIKE 'search\\_path=%'
   AND (s.setdatabase = 0
        OR s.setdatabase = (SELECT d.oid FROM pg_catalog.pg_database d
                             WHERE d.datname = pg_catalog.current_database()))
   AND (s.setrole = 0 OR r.oid IS NOT NULL)
"""

UNUSABLE = """
SELECT r.rolname::text AS role, pg_catalog.array_agg(n.nspname::text) AS schemas
  FROM pg_catalog.pg_roles r CROSS JOIN pg_catalog.pg_namespace n
 WHERE NOT r.rolsuper AND r.oid = ANY ($1::oid[]) AND n.nspname = ANY ($2::name[])
   AND NOT pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
 GROUP BY r.rolname
"""

SCHEMAS = "SELECT nspname::text AS name FROM pg_catalog.pg_namespace"


def _sum(columns: str) -> str:
    """A number for the rows of a table in any order."""
    row = f"pg_catalog.concat_ws(',', {columns})"
    return f"coalesce(pg_catalog.sum(pg_catalog.hashtextextended({row}, 0)), 0)"


_RELATION = (
    "oid, relname, relnamespace, relkind, relpersistence, "
    "relowner, relrowsecurity, relforcerowsecurity, relispartition, relacl::text"
)
_ATTRIBUTE = (
    "attrelid, attnum, attname, atttypid, atttypmod, attnotnull, "
    "atthasdef, attgenerated, attidentity, attcollation, attisdropped, attacl::text"
)
_INDEX = (
    "indexrelid, indrelid, indisprimary, indisvalid, "
    "indislive, indisunique, indimmediate, indkey::text, indnkeyatts"
)

DIGEST = f"""
SELECT pg_catalog.md5(pg_catalog.concat_ws('|',
  pg_catalog.current_setting('server_version_num'), pg_catalog.current_setting('wal_level'),
  pg_catalog.pg_is_in_recovery(),
  (SELECT system_identifier FROM pg_catalog.pg_control_system()),
  CASE WHEN NOT pg_catalog.pg_is_in_recovery()
       THEN pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 8) END,
  (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'search_path'),
  (SELECT {_sum(_RELATION)}
    FROM pg_catalog.pg_class
    WHERE (relname = ANY ($1::name[]) OR oid = ANY ($2::oid[]))
      AND relkind IN ('r', 'p', 'v', 'm', 'f') AND relpersistence <> 't'),
  (SELECT {_sum(_ATTRIBUTE)}
    FROM pg_catalog.pg_attribute WHERE attrelid = ANY ($2::oid[]) AND (attnum > 0 OR attacl IS NOT NULL)),
  (SELECT {_sum(_INDEX)}
    FROM pg_catalog.pg_index WHERE indrelid = ANY ($2::oid[])),
  (SELECT {_sum("oid, xmin")}
    FROM pg_catalog.pg_attrdef WHERE adrelid = ANY ($2::oid[])),
  (SELECT {_sum("oid, xmin")}
    FROM pg_catalog.pg_type WHERE oid = ANY ($3::oid[])),
  (SELECT {_sum("o.oid, o.xmin")}
    FROM pg_catalog.pg_operator o WHERE o.oid >= {_USER_OBJECT}),
  (SELECT {_sum("c.oid, c.xmin")}
    FROM pg_catalog.pg_cast c WHERE c.oid >= {_USER_OBJECT}),
  (SELECT {_sum("oid, xmin")}
    FROM pg_catalog.pg_enum WHERE enumtypid = ANY ($3::oid[])),
  (SELECT {_sum("attrelid, a.xmin")}
    FROM pg_catalog.pg_attribute a
     JOIN pg_catalog.pg_type t ON t.typrelid = a.attrelid WHERE t.oid = ANY ($3::oid[]) AND t.typtype = 'c'),
  (SELECT {_sum("t.oid, t.xmin")}
    FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal),
  (SELECT {_sum("k.oid, k.xmin")}
    FROM pg_catalog.pg_constraint k
    WHERE k.contype = 'f' OR k.conrelid = ANY ($2::oid[])),
  (SELECT {_sum("p.oid, p.xmin")}
    FROM pg_catalog.pg_proc p
    WHERE p.oid >= {_USER_OBJECT}),
  (SELECT {_sum("p.oid, p.proacl::text")}
    FROM pg_catalog.pg_proc p
    WHERE p.proacl IS NOT NULL AND p.oid < {_USER_OBJECT}),
  (SELECT {_sum("r.oid, r.xmin")}
    FROM pg_catalog.pg_rewrite r
    WHERE r.ev_class >= {_USER_OBJECT}),
  (SELECT {_sum("inhrelid, inhparent")}
    FROM pg_catalog.pg_inherits
    WHERE inhrelid = ANY ($2::oid[]) OR inhparent = ANY ($2::oid[])),
  (SELECT {_sum("oid, nspname, nspacl::text")}
    FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_(toast_)?temp_'),
  (SELECT {_sum("oid, rolname, rolsuper, rolinherit, rolbypassrls")}
    FROM pg_catalog.pg_roles),
  (SELECT {_sum("roleid, member, m.xmin")}
    FROM pg_catalog.pg_auth_members m),
  (SELECT {_sum("setdatabase, setrole, setconfig::text")}
    FROM pg_catalog.pg_db_role_setting WHERE setconfig::text LIKE '%search\\_path=%')
)) AS digest
"""
"""Differs whenever a snapshot may. $1 names, $2 oids of relations, $3 oids of types.

Of pg_class and pg_attribute it takes columns, not xmin: TRUNCATE and VACUUM FULL rewrite those rows. New triggers,
foreign keys, functions and rules are looked for in the whole database, for they may reach a ruled table from anywhere.
"""
