-- Variables, conditions, generated statements, formats: what deployment scripts are made of.
\set ON_ERROR_STOP 0
\set name 'O''Brien'
SELECT :'name' AS quoted, 1 AS ":name";
CREATE TABLE people (id serial PRIMARY KEY, name text, born date);
INSERT INTO people (name, born) VALUES (:'name', '1970-01-01'), ('Ada', '1815-12-10'), (NULL, NULL);
SELECT count(*) AS people_count, max(born) AS youngest FROM people \gset
\echo :people_count :youngest
\if :people_count
  \echo 'there are people'
\else
  \echo 'nobody'
\endif
SELECT format('CREATE TABLE made_%s (n int)', n) FROM generate_series(1, 3) n \gexec
SELECT format('DROP TABLE made_%s', n) FROM generate_series(1, 3) n \gexec
SELECT * FROM people ORDER BY id \gx
\x auto
\pset null '(null)'
\pset format csv
SELECT * FROM people ORDER BY id;
\pset format aligned
\pset border 2
SELECT * FROM people ORDER BY id;
SELECT name, born, id FROM people WHERE name IS NOT NULL \crosstabview name born id
\encoding
SET client_encoding = 'LATIN1';
\encoding
RESET client_encoding;
\echo errors
SELECT no_such_column FROM people;
SELCT 1;
SELECT 1 +;
SELECT * FROM people WHERE id = 'x';
INSERT INTO people (id, name) VALUES (1, 'twice');
\echo :SQLSTATE :ROW_COUNT :ERROR
DO $$ BEGIN RAISE NOTICE 'noticed %', 1; RAISE WARNING 'warned' USING HINT = 'a hint', DETAIL = 'a detail'; END $$;
DO $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = 'ZZ001', TABLE = 'people', COLUMN = 'name'; END $$;
\errverbose
BEGIN;
SAVEPOINT one;
SELECT 1 / 0;
SELECT 'refused';
ROLLBACK TO one;
SELECT 'accepted';
COMMIT;
BEGIN;
SELECT 1 / 0;
COMMIT;
\set AUTOCOMMIT off
INSERT INTO people (name) VALUES ('undone');
ROLLBACK;
\set AUTOCOMMIT on
\set ON_ERROR_ROLLBACK on
BEGIN;
INSERT INTO people (name) VALUES ('kept');
SELECT 1 / 0;
COMMIT;
SELECT count(*) FROM people;
PREPARE by_id (int) AS SELECT name FROM people WHERE id = $1;
EXECUTE by_id (1);
EXECUTE by_id (2);
DEALLOCATE by_id;
EXECUTE by_id (1);
BEGIN;
DECLARE every CURSOR FOR SELECT id FROM people ORDER BY id;
FETCH 2 FROM every;
MOVE 1 FROM every;
FETCH ALL FROM every;
CLOSE every;
END;
EXPLAIN (COSTS OFF) SELECT * FROM people WHERE id = 1;
;
SELECT 1 \; SELECT 2 \; SELECT 3;
SELECT;
\copy people (name) FROM stdin
one
two
\.
\copy (SELECT name FROM people ORDER BY id) TO stdout WITH CSV HEADER
COPY people (name) TO STDOUT;
COPY people (id) FROM STDIN;
not a number
\.
SHOW search_path;
DISCARD ALL;
DROP TABLE people;
-- end of script
