-- 5 existence and counts
SELECT 1 AS a FROM book WHERE id = 5 LIMIT 1;
SELECT (1) AS "a" FROM book LIMIT 1;
SELECT COUNT(*) FROM book;
SELECT COUNT(*) AS "__count" FROM book WHERE price > 10;
SELECT COUNT(*) FROM (SELECT id FROM book WHERE author_id = 8 OFFSET 0) AS sub;
SELECT COUNT(*) FROM empty_one;
