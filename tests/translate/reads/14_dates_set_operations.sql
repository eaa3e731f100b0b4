-- 14 dates, set operations, WITH
SELECT id, email FROM author ORDER BY email DESC NULLS LAST, id;
SELECT date_trunc('month', published), COUNT(*) FROM book GROUP BY 1 ORDER BY 1;
SELECT id, published AT TIME ZONE 'UTC', (published AT TIME ZONE 'America/New_York')::date, EXTRACT(YEAR FROM published), date_trunc('day', updated) FROM book ORDER BY id;
SELECT id FROM author UNION SELECT id::bigint FROM book ORDER BY 1;
SELECT name FROM author UNION ALL SELECT title FROM book;
SELECT id FROM author EXCEPT SELECT author_id FROM book;
SELECT id FROM author INTERSECT SELECT author_id FROM book ORDER BY id DESC;
WITH big AS (SELECT * FROM book WHERE price > 30) SELECT a.name, big.title FROM big JOIN author a ON a.id = big.author_id ORDER BY big.id;
