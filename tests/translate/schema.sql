-- Tables and rows that reads are compared on: a small shop and blog, and one table of every kind of value.

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'Zen');
CREATE DOMAIN cents AS int CHECK (VALUE >= 0);
CREATE DOMAIN short AS varchar(12);

CREATE TABLE author (
  id serial PRIMARY KEY, name varchar(60) NOT NULL, email text UNIQUE, born date, rating numeric(6,2),
  active boolean NOT NULL DEFAULT true, mood mood, referrer int REFERENCES author(id)
);
INSERT INTO author (name, email, born, rating, active, mood, referrer)
SELECT CASE WHEN n % 7 = 0 THEN 'Ann ' || n WHEN n % 7 = 1 THEN 'ann ' || n WHEN n % 7 = 2 THEN 'Zoë_' || n
            WHEN n % 7 = 3 THEN '100%' || n WHEN n % 7 = 4 THEN E'O''Neil\\' || n WHEN n % 7 = 5 THEN '日本 ' || n
            ELSE '' END,
       CASE WHEN n % 5 <> 0 THEN 'a' || n || '@example.' || (ARRAY['com','org','net'])[n % 3 + 1] END,
       CASE WHEN n % 6 <> 0 THEN date '1950-01-01' + n * 397 END,
       CASE WHEN n % 4 <> 0 THEN (n * 37 % 1000) / 100.0 - 3 END,
       n % 3 <> 0, CASE WHEN n % 5 <> 1 THEN (ARRAY['sad','ok','happy','Zen'])[n % 4 + 1]::mood END,
       CASE WHEN n > 3 AND n % 4 <> 0 THEN n / 2 END
  FROM generate_series(1, 40) n;

CREATE TABLE book (
  id bigserial PRIMARY KEY, author_id int REFERENCES author(id), title text NOT NULL, price numeric(10,2),
  pages smallint, published timestamptz, updated timestamp, in_print boolean, isbn char(10), weight float8,
  uid uuid, tags text[], meta jsonb
);
INSERT INTO book (author_id, title, price, pages, published, updated, in_print, isbn, weight, uid, tags, meta)
SELECT CASE WHEN n % 9 <> 0 THEN n * 7 % 40 + 1 END, 'Book ' || (n % 50) || CASE WHEN n % 8 = 0 THEN ' (second)' ELSE '' END,
       CASE WHEN n % 10 <> 0 THEN (n * 313 % 5000) / 100.0 END, CASE WHEN n % 11 <> 0 THEN n * 17 % 900 END,
       CASE WHEN n % 7 <> 0 THEN timestamptz '2020-01-01 00:00:00+00' + n * interval '37 hours 13 minutes 0.000123 seconds' END,
       CASE WHEN n % 6 <> 0 THEN timestamp '2019-02-28 23:59:59.999999' + n * interval '11 days 1 hour' END,
       CASE WHEN n % 4 <> 0 THEN n % 2 = 0 END, CASE WHEN n % 5 <> 0 THEN 'I' || n END,
       CASE WHEN n % 8 <> 0 THEN n * 0.1 END,
       CASE WHEN n % 3 <> 0 THEN md5(n::text)::uuid END,
       CASE WHEN n % 4 = 0 THEN NULL WHEN n % 4 = 1 THEN ARRAY['x', 'y' || n % 3] WHEN n % 4 = 2 THEN '{}'::text[]
            ELSE ARRAY['a b', NULL, '"q"'] END,
       CASE WHEN n % 3 = 0 THEN NULL WHEN n % 3 = 1 THEN jsonb_build_object('n', n, 'a', 'x' || n)
            ELSE '[1, 2.50, null]'::jsonb END
  FROM generate_series(1, 120) n;

CREATE TABLE tag (id int PRIMARY KEY, label varchar(20) NOT NULL UNIQUE);
INSERT INTO tag SELECT n, 'tag' || n FROM generate_series(1, 8) n;
CREATE TABLE book_tag (book_id bigint REFERENCES book(id), tag_id int REFERENCES tag(id), PRIMARY KEY (book_id, tag_id));
INSERT INTO book_tag SELECT b, t FROM generate_series(1, 120) b, generate_series(1, 8) t WHERE (b * t) % 5 = 1;

CREATE TABLE customer (id uuid PRIMARY KEY, name text, city text, joined timestamptz NOT NULL, balance bigint);
INSERT INTO customer SELECT md5('c' || n)::uuid, 'Customer ' || n % 12, (ARRAY['Oslo','Rome','oslo',NULL])[n % 4 + 1],
       timestamptz '2021-03-28 00:30:00+00' + n * interval '5 hours', CASE WHEN n % 5 = 0 THEN NULL ELSE n::bigint * 1000000007 END
  FROM generate_series(1, 30) n;
CREATE TABLE sale (
  id int PRIMARY KEY, customer_id uuid REFERENCES customer(id), sold timestamptz NOT NULL, total numeric(12,2) NOT NULL,
  status varchar(10) NOT NULL, note text
);
INSERT INTO sale SELECT n, CASE WHEN n % 6 <> 0 THEN md5('c' || n % 30 + 1)::uuid END,
       timestamptz '2022-12-30 12:00:00+00' + n * interval '7 hours 1 millisecond', (n * 991 % 10000) / 100.0,
       (ARRAY['new','paid','sent'])[n % 3 + 1], CASE WHEN n % 4 = 0 THEN 'note ' || n END
  FROM generate_series(1, 90) n;
CREATE TABLE line (
  sale_id int REFERENCES sale(id), number smallint, book_id bigint REFERENCES book(id), quantity int NOT NULL,
  price cents, PRIMARY KEY (sale_id, number)
);
INSERT INTO line SELECT s, n, (s * 13 + n) % 120 + 1, (s + n) % 5 + 1, (s * n * 37) % 4000
  FROM generate_series(1, 90) s, generate_series(1, 3) n WHERE (s + n) % 4 <> 0;

CREATE TABLE vals (
  id int PRIMARY KEY, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, n2 numeric(20,4), t text,
  v varchar(30), c char(6), d date, tm time, ts timestamp, tz timestamptz, ts3 timestamp(3), iv interval, u uuid,
  y bytea, j json, jb jsonb, e mood, dom short, ai int[], at text[], inet inet
);
INSERT INTO vals VALUES
 (1, true, 1, 1, 1, 1.5, 1.5, 1.0, 1.5, 'a', 'a', 'a', '2020-01-01', '00:00', '2020-01-01', '2020-01-01 00:00+00', '2020-01-01', '1 day', '00000000-0000-0000-0000-000000000001', '\x00', '{"a": 1}', '{"a": 1}', 'sad', 'x', '{1,2}', '{a}', '10.0.0.1'),
 (2, false, -1, -1, -1, -1.5, -1.5, 1.00, -1.5, 'A', 'A', 'A', '1999-12-31', '23:59:59.999999', '1999-12-31 23:59:59.999999', '1999-12-31 23:59:59.999999+00', '1999-12-31 23:59:59.999', '-1 mon 3 days -00:00:01', '00000000-0000-0000-0000-000000000002', '\xdeadbeef', '[1,  2]', '[1, 2]', 'ok', 'y', '{}', '{NULL,"a b"}', '10.0.0.0/8'),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (4, true, 32767, 2147483647, 9223372036854775807, 3.4e38, 1.7e308, 1234567890123456789012345678901234, 9999999999999999.9999, 'Ünïcödé', 'É', 'é', 'infinity', '12:00', 'infinity', 'infinity', '2020-02-29 12:34:56.789', '178000000 years', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '', 'null', 'null', 'happy', '', '{NULL}', '{}', '::1'),
 (5, false, -32768, -2147483648, -9223372036854775808, 1e-38, 5e-324, -0.000000000000000001, 0, '', '', '', '-infinity', '24:00', '-infinity', '-infinity', '0044-03-15 00:00:00 BC', '-00:00:00.000001', NULL, '\x5c', '""', '""', 'Zen', 'é', '{5}', '{"",NULL}', NULL),
 (6, true, 0, 0, 0, 0, 0, 0, 0.0000, 'a%b_c\d', 'a.b', 'a b', '0044-03-15 BC', '00:00:00.000001', '0044-03-15 BC', '0044-03-15 00:00:00+00 BC', NULL, '00:00', NULL, NULL, '1.0', '1.0', NULL, NULL, NULL, NULL, NULL),
 (7, false, 7, 7, 7, 'NaN', 'NaN', 'NaN', NULL, E'line\nbreak', E'tab\t', 'x', '2024-02-29', '07:07:07', '2024-02-29 07:07:07.5', '2024-02-29 07:07:07.5+00', NULL, '1 year 2 mons 3 days 04:05:06.789', NULL, NULL, NULL, '1.00', 'ok', NULL, '{1,2}', '{a}', NULL),
 (8, NULL, 7, 8, 7, '-0', '-0', 0.0, 7, 'a', 'ab ', 'a', '2024-02-29', '07:07:07', '2024-02-29 07:07:07.5001', '2024-02-29 07:07:07.500001+00', NULL, '24:00:00', NULL, NULL, NULL, '{"b": [true, false], "a": null}', 'ok', NULL, '{3,NULL}', NULL, NULL),
 (9, true, 100, 100000, 10000000000, 0.1, 0.1, 0.1, 100.1, 'b', 'b', 'b', '2024-03-01', '08:00', '2024-03-01', '2024-03-31 01:30:00+00', NULL, '1 day', NULL, '\x0102', '"x"', '{"a": "s"}', 'happy', 'zz', '{1}', '{b}', NULL),
 (10, false, 3, 3, 3, 2.5, 2.5, 2.50, 2.5, '日本', '日本', '日', '2024-12-31', '08:00', '2024-12-31 23:59:59', '2024-10-27 01:30:00+00', NULL, '23:59:59', NULL, '\x01', 'true', 'true', 'sad', 'ß', '{2,1}', '{a,b}', NULL);

CREATE TABLE "Odd Name" ("Id" int PRIMARY KEY, "select" text, "a$b" int);
INSERT INTO "Odd Name" VALUES (1, 'x', 1), (2, NULL, 2);
CREATE TABLE empty_one (id int PRIMARY KEY, x int, t text);
CREATE TABLE part (id int, day date NOT NULL, x int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE part_2 PARTITION OF part FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
INSERT INTO part SELECT n, date '2020-06-01' + n * 30, n % 3 FROM generate_series(1, 12) n;
CREATE TABLE folded (id int PRIMARY KEY, icu text COLLATE "en-x-icu", c text COLLATE "C", nd text);
INSERT INTO folded VALUES (1, 'b', 'b', 'x'), (2, 'A', 'A', 'Y'), (3, 'a', 'a', NULL), (4, 'É', 'É', 'é');
ANALYZE;
