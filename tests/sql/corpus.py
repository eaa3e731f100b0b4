"""Write statements as applications and people write them, on the tables of SCHEMA."""

from __future__ import annotations

from dataclasses import dataclass

SCHEMA = '''
CREATE SCHEMA s;
CREATE TABLE t (id int PRIMARY KEY, a text, b int DEFAULT 5, c timestamptz DEFAULT now(),
    d int GENERATED ALWAYS AS (id * 2) STORED);
CREATE TABLE s.t (id int PRIMARY KEY, a text);
CREATE TABLE u (id int, a text, t int);
CREATE TABLE "T 1" (id int PRIMARY KEY, "Col ""x""" text, "select" int[] DEFAULT '{}', "é" jsonb DEFAULT '{}');
CREATE TABLE "é€" ("größe" int PRIMARY KEY, "ß" text);
CREATE TABLE "select" (id int PRIMARY KEY, "from" text);
CREATE TABLE old (id int PRIMARY KEY, a text);
CREATE TABLE new (id int PRIMARY KEY, a text);
CREATE TABLE p (id int, a text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
CREATE TABLE p2 (a text, gone int, id int NOT NULL);
ALTER TABLE p2 DROP COLUMN gone;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (100) TO (200);
CREATE TABLE parent (id int, a text);
CREATE TABLE child (extra text) INHERITS (parent);
CREATE TABLE i (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text);
CREATE TABLE g (id serial PRIMARY KEY, a text, dropped int, z interval DEFAULT '1 day');
ALTER TABLE g DROP COLUMN dropped;
CREATE TABLE nothing ();
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN short AS varchar(5);
CREATE TYPE pair AS (x int, y text);
CREATE TABLE w (id int PRIMARY KEY, m mood, sh short, pr pair, r int4range, bits bit(3), n numeric, x xml, ts tsvector);
CREATE TABLE trig (id int PRIMARY KEY, a text);
CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a := upper(NEW.a); RETURN NEW; END';
CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON trig FOR EACH ROW EXECUTE FUNCTION shout();
INSERT INTO t (id, a) VALUES (1, 'one'), (2, 'two'), (3, NULL);
INSERT INTO s.t VALUES (1, 's one'), (2, 's two');
INSERT INTO u VALUES (1, 'x', 1), (2, 'y', 2), (9, 'z', 9);
INSERT INTO "T 1" VALUES (1, 'one', '{1,2}', '{"a": 1}'), (2, NULL, NULL, NULL);
INSERT INTO "é€" VALUES (1, 'eins'), (2, 'zwei');
INSERT INTO "select" VALUES (1, 'x');
INSERT INTO old VALUES (1, 'x');
INSERT INTO new VALUES (1, 'x');
INSERT INTO p VALUES (1, 'x'), (2, 'y'), (150, 'z');
INSERT INTO parent VALUES (1, 'p');
INSERT INTO child VALUES (2, 'c', 'extra');
INSERT INTO g (a) VALUES ('x'), ('y');
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO w VALUES (1, 'ok', 'abc', (1, 'x'), '[1,5)', '101', 1.500, '<a/>', 'b c');
INSERT INTO trig VALUES (1, 'a'), (2, 'b');
'''

TABLES = (
    "t",
    "s.t",
    '"T 1"',
    '"é€"',
    '"select"',
    "old",
    "new",
    "p",
    "parent",
    "child",
    "i",
    "g",
    "nothing",
    "w",
    "trig",
)


@dataclass(frozen=True)
class Case:
    """One statement, and what it needs."""

    text: str
    arguments: tuple[object, ...] = ()
    before: str = ""
    """Run before it in the same transaction."""
    since: int = 13
    """PostgreSQL's major version that knows it."""


CASES = (
    Case("INSERT INTO t (id, a) VALUES (10, 'ten')"),
    Case("INSERT INTO t (id, a) VALUES ($1, $2)", (10, "ten")),
    Case("INSERT INTO t VALUES (10), (11), (12);"),
    Case("INSERT INTO t (id) VALUES (10) RETURNING d, t.id"),
    Case(
        "INSERT INTO t (id) VALUES (10) RETURNING id AS x, a || 'y' z, (SELECT count(*) FROM u) -- RETURNING"
    ),
    Case("INSERT INTO t AS x (id) VALUES (10) RETURNING x.id;"),
    Case("INSERT INTO public.t AS public (id) VALUES (10)"),
    Case("INSERT INTO t SELECT id + 20, a FROM u"),
    Case("INSERT INTO t (SELECT id + 20, a FROM u ORDER BY id LIMIT 1)"),
    Case("INSERT INTO t TABLE s.t ON CONFLICT DO NOTHING"),
    Case("INSERT INTO t SELECT id + 20 FROM u x -- x"),
    Case("INSERT INTO t SELECT x.id + 20 FROM t AS x FOR UPDATE"),
    Case("INSERT INTO t SELECT 20 UNION SELECT 21 UNION ALL SELECT 22"),
    Case("INSERT INTO t SELECT id + 20 FROM u ORDER BY id OFFSET 1 ROWS FETCH NEXT ROW ONLY"),
    Case("INSERT INTO t SELECT max(id) + 20 FROM u GROUP BY a HAVING true WINDOW w AS ()"),
    Case("INSERT INTO t SELECT x.id + 20 FROM u x LEFT JOIN s.t ON t.id = x.t"),
    Case("INSERT INTO t SELECT x.id + 20 FROM t AS x FOR UPDATE OF x SKIP LOCKED"),
    Case("INSERT INTO t (id, c) SELECT 20, now() + INTERVAL '1' HOUR"),
    Case("INSERT INTO t (id, c) VALUES (20, TIMESTAMP WITH TIME ZONE '2020-01-01 00:00:00+00')"),
    Case("INSERT INTO t (id, a) SELECT 20, 'x' WHERE 'a' IS NOT DISTINCT FROM 'a'"),
    Case("INSERT INTO t WITH v AS (SELECT 20 AS id) SELECT id FROM v"),
    Case("WITH v AS (SELECT 20 AS id), t AS (SELECT 1) INSERT INTO t SELECT id FROM v"),
    Case("INSERT INTO t VALUES (1, 'again') ON CONFLICT DO NOTHING"),
    Case("INSERT INTO t VALUES (1, 'again'), (20, 'new') ON CONFLICT (id) DO UPDATE SET a = excluded.a"),
    Case(
        "INSERT INTO t AS x VALUES (1, 'n') ON CONFLICT (id) DO UPDATE SET a = x.a WHERE x.id = 1 /* end */"
    ),
    Case(
        "INSERT INTO t VALUES (1, 'n') ON CONFLICT ON CONSTRAINT t_pkey DO UPDATE SET (a, b) = ROW ('m', 6) RETURNING a"
    ),
    Case("INSERT INTO s.t VALUES (10)"),
    Case("INSERT INTO s.t AS t VALUES (10) RETURNING t.*"),
    Case('INSERT INTO "T 1" (id, "Col ""x""") VALUES (10, $q$a; -- "$q$)'),
    Case("INSERT INTO \"é€\" VALUES (10, 'größer€') -- é"),
    Case('INSERT INTO é€ ("größe") VALUES (10)'),
    Case("INSERT INTO \"select\" VALUES (10, 'x')"),
    Case('INSERT INTO "select" AS "from" VALUES (10, \'x\') RETURNING "from"."from" "returning"'),
    Case("INSERT INTO old VALUES (10)"),
    Case("INSERT INTO new AS old VALUES (10) RETURNING old.id"),
    Case("INSERT INTO p VALUES (10, 'x'), (110, 'y')"),
    Case("INSERT INTO p2 (id, a) VALUES (110, 'x')"),
    Case("INSERT INTO parent VALUES (10, 'x')"),
    Case("INSERT INTO child VALUES (10, 'x', 'y')"),
    Case("INSERT INTO i DEFAULT VALUES"),
    Case("INSERT INTO i (id, a) OVERRIDING SYSTEM VALUE VALUES (77, 'x') RETURNING id;"),
    Case("INSERT INTO g (a) VALUES ('x'), (DEFAULT)"),
    Case("INSERT INTO nothing DEFAULT VALUES"),
    Case("INSERT INTO w (id, m) VALUES (10, 'sad'), (11, NULL)"),
    Case("INSERT INTO trig VALUES (10, 'quiet') RETURNING a"),
    Case("  \n\t INSERT INTO t (id) VALUES (10)\n\t ; "),
    Case("/* lead */ -- more\nINSERT INTO t (id) VALUES (10) /* a /* b */ c */ ; -- end"),
    Case("INSERT INTO t (id, a) VALUES (10, 'it''s -- not /* a comment')"),
    Case("INSERT INTO t (id, a) VALUES (10, E'\\'; -- ')"),
    Case("INSERT INTO t (id, a) VALUES (10, 'one'\n 'more')"),
    Case("INSERT INTO t (id, a) VALUES (10, U&'d!0061t' UESCAPE '!')"),
    Case("INSERT INTO U&\"!0074\" UESCAPE '!' (id) VALUES (10)"),
    Case("UPDATE t SET a = 'x'"),
    Case("UPDATE t SET a = $1 WHERE id = $2", ("x", 1)),
    Case("UPDATE t SET a = 'x' WHERE id = 99"),
    Case("UPDATE t SET a = DEFAULT, b = b + 1 WHERE id IN (1, 2) RETURNING b"),
    Case("UPDATE t AS x SET a = x.a || '!' WHERE x.id = 1;"),
    Case("UPDATE t x SET a = 'y' WHERE x.a IS NOT NULL"),
    Case("UPDATE t SET a = 'x' WHERE a IS NULL"),
    Case("UPDATE t SET a = 'x' WHERE NOT a LIKE 'o%' ESCAPE '\\'"),
    Case("UPDATE t SET id = id + 100 WHERE id = 1"),
    Case("UPDATE t SET (a, b) = (SELECT u.a, u.id FROM u WHERE u.t = t.id)"),
    Case("UPDATE t SET a = u.a FROM u WHERE u.t = t.id"),
    Case("UPDATE t SET a = x.a FROM s.t AS x WHERE x.id = t.id RETURNING t.id, x.*"),
    Case("UPDATE t AS u SET a = 'x' FROM u AS x WHERE x.t = u.id"),
    Case("UPDATE t SET a = v.y FROM (VALUES (1, 'p'), (2, 'q')) AS v (x, y) WHERE v.x = t.id"),
    Case("UPDATE t SET a = f::text FROM generate_series(1, 2) f WHERE f = id"),
    Case("UPDATE t SET a = x.a FROM u AS x JOIN s.t AS y ON y.id = x.t WHERE t.id = x.t"),
    Case("WITH v AS (SELECT 1 AS id) UPDATE t SET a = 'v' FROM v WHERE v.id = t.id"),
    Case(
        "WITH v AS (INSERT INTO u VALUES (50, 'x', 1) RETURNING *) UPDATE t SET a = v.a FROM v WHERE v.t = t.id"
    ),
    Case("WITH v AS (DELETE FROM t WHERE id = 2 RETURNING *) UPDATE t SET a = v.a FROM v WHERE t.id = 1"),
    Case(
        "UPDATE t SET a = 'here' WHERE CURRENT OF c",
        before="DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE; FETCH 2 FROM c",
    ),
    Case(
        "DELETE FROM t WHERE CURRENT OF c",
        before="DECLARE c CURSOR FOR SELECT * FROM t FOR UPDATE; FETCH 1 FROM c",
    ),
    Case("UPDATE ONLY parent SET a = 'only'"),
    Case("UPDATE parent SET a = 'all'"),
    Case("UPDATE parent * SET a = 'all'"),
    Case("UPDATE p SET id = id + 100 WHERE id = 1"),
    Case("UPDATE p SET a = a || 'x' RETURNING id"),
    Case("UPDATE p2 SET a = 'x'"),
    Case('UPDATE "T 1" SET "Col ""x""" = $1, "select"[1] = 9, "é" = NULL', ("x",)),
    Case('UPDATE "é€" AS ü SET ß = \'neu\' WHERE ü."größe" = 1 /* € */'),
    Case('UPDATE "select" SET "from" = \'y\''),
    Case("UPDATE old SET a = 'y' RETURNING old.a"),
    Case("UPDATE t AS old SET a = 'y' FROM u AS new WHERE new.t = old.id"),
    Case("UPDATE w SET m = 'sad', sh = 'x', pr.x = 7, r = NULL, bits = B'111', n = 'NaN', x = NULL"),
    Case("UPDATE trig SET a = 'x' || id"),
    Case("UPDATE g SET z = z * 2"),
    Case("UPDATE t SET a = ('x')"),
    Case("UPDATE t SET a = 'x' COLLATE \"C\" WHERE a BETWEEN 'a' AND 'z'"),
    Case("UPDATE t SET a = CASE WHEN id = 1 THEN 'x' ELSE 'y' END"),
    Case("UPDATE t SET c = c AT TIME ZONE 'UTC' AT TIME ZONE 'UTC', b = 1::int8"),
    Case("DELETE FROM t"),
    Case("DELETE FROM t WHERE id = $1", (2,)),
    Case("DELETE FROM t AS x WHERE x.id = 1 RETURNING *;"),
    Case("DELETE FROM t x"),
    Case("DELETE FROM t WHERE id = ANY ($1::int[])", ([1, 2],)),
    Case("DELETE FROM t WHERE a IS NULL"),
    Case("DELETE FROM t WHERE (id, b) IN ((1, 5), (2, 5))"),
    Case("DELETE FROM t WHERE id = 1 OR a = 'two' AND NOT b <> 5"),
    Case("DELETE FROM t USING u WHERE u.t = t.id"),
    Case("DELETE FROM t AS a USING t AS b WHERE a.id > b.id RETURNING a.id"),
    Case("DELETE FROM t USING u x, s.t y WHERE x.t = t.id AND y.id = x.t"),
    Case("DELETE FROM ONLY parent"),
    Case("DELETE FROM parent RETURNING tableoid::regclass"),
    Case("DELETE FROM p"),
    Case("DELETE FROM nothing"),
    Case('DELETE FROM "é€" -- €'),
    Case("DELETE FROM new USING old WHERE old.id = new.id"),
    Case(
        "WITH RECURSIVE n AS (SELECT 1 x UNION ALL SELECT x + 1 FROM n WHERE x < 2) DELETE FROM t USING n WHERE x = id"
    ),
    Case("DELETE FROM t WHERE EXISTS (SELECT FROM u WHERE u.t = t.id) AND a IN ('one')"),
    Case("DELETE FROM w"),
    Case(
        "MERGE INTO t USING u ON u.t = t.id WHEN MATCHED AND t.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET a = u.a "
        "WHEN NOT MATCHED THEN INSERT (id, a) VALUES (u.id, u.a)",
        since=17,
    ),
    Case(
        "MERGE INTO ONLY s.t AS x USING (SELECT 1 AS id) y ON y.id = x.id WHEN MATCHED THEN UPDATE SET a = 'm' "
        "WHEN NOT MATCHED BY SOURCE THEN DELETE RETURNING merge_action(), x.* -- end",
        since=17,
    ),
    Case("MERGE INTO t USING u ON u.t = t.id WHEN MATCHED THEN DO NOTHING", since=17),
    Case(
        "MERGE INTO p USING u ON u.id = p.id WHEN MATCHED AND p.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET "
        "id = p.id + 110 WHEN NOT MATCHED THEN INSERT VALUES (u.id + 150, u.a)",
        since=17,
    ),
    Case("UPDATE t SET a = 'x' RETURNING old.a, new.a", since=18),
    Case("UPDATE t SET a = 'x' RETURNING WITH (OLD AS o, NEW AS n) o.a, n.a, t.a", since=18),
    Case("DELETE FROM t RETURNING WITH (OLD AS new) new.id", since=18),
    Case(
        "INSERT INTO t VALUES (1, 'x'), (30, 'y') ON CONFLICT (id) DO UPDATE SET a = 'z' RETURNING old.id, new.id",
        since=18,
    ),
    Case("UPDATE old SET a = 'x' RETURNING WITH (OLD AS o) o.a", since=18),
)
