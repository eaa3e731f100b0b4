-- 14 dates, set operations, WITH
SELECT id, email FROM author ORDER BY email DESC NULLS LAST, id;
SELECT date_trunc('month', published), COUNT(*) FROM book GROUP BY 1 ORDER BY 1;
SELECT id, published AT TIME ZONE 'UTC', (published AT TIME ZONE 'America/New_York')::date, EXTRACT(YEAR FROM published), date_trunc('day', updated) FROM book ORDER BY id;
SELECT id FROM author UNION SELECT id::bigint FROM book ORDER BY 1;
SELECT name FROM author UNION ALL SELECT title FROM book;
SELECT id FROM author EXCEPT SELECT author_id FROM book;
SELECT id FROM author INTERSECT SELECT author_id FROM book ORDER BY id DESC;
WITH big AS (SELECT * FROM book WHERE price > 30) SELECT a.name, big.title FROM big JOIN author a ON a.id = big.author_id ORDER BY big.id;
SELECT "book"."published"::date, COUNT(*) FROM book GROUP BY 1 ORDER BY 1 DESC NULLS LAST LIMIT 3;
SELECT DATE_TRUNC('month', "book"."published" AT TIME ZONE 'UTC') AS "m", SUM("book"."price") AS "s" FROM "book" WHERE "book"."published" BETWEEN '2020-02-01T00:00:00+00:00'::timestamptz AND '2020-04-30 23:59:59.999999+00:00'::timestamptz GROUP BY 1 ORDER BY 1 ASC;
SELECT EXTRACT('year' FROM "book"."published" AT TIME ZONE 'UTC'), EXTRACT(MONTH FROM published) FROM book ORDER BY id LIMIT 4;
SELECT "book"."id", CASE WHEN "book"."price" > 30 THEN 'high' WHEN "book"."price" IS NULL THEN NULL ELSE 'low' END AS "band" FROM "book" ORDER BY "band" ASC NULLS FIRST, id;
WITH a AS (SELECT id FROM author WHERE active), b AS (SELECT author_id, count(*) n FROM book WHERE author_id IN (SELECT id FROM a) GROUP BY 1) SELECT a.id, COALESCE(b.n, 0) FROM a LEFT JOIN b ON b.author_id = a.id ORDER BY 1;
(SELECT id FROM tag ORDER BY id LIMIT 2) UNION ALL (SELECT id FROM author ORDER BY id DESC LIMIT 2) ORDER BY 1;
SELECT id, 'a' AS kind FROM tag UNION SELECT id, 'b' FROM author WHERE id < 3 ORDER BY kind, id;
SELECT 'x' AS k, NULL AS v UNION ALL SELECT 'y', 1 ORDER BY 1;
SELECT to_char(sold, 'YYYY-MM'), count(*), sum(total) FROM sale GROUP BY to_char(sold, 'YYYY-MM') ORDER BY 1;
