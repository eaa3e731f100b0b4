-- 5 existence and counts
SELECT 1 AS a FROM book WHERE id = 5 LIMIT 1;
SELECT (1) AS "a" FROM book LIMIT 1;
SELECT COUNT(*) FROM book;
SELECT COUNT(*) AS "__count" FROM book WHERE price > 10;
SELECT COUNT(*) FROM (SELECT id FROM book WHERE author_id = 8 OFFSET 0) AS sub;
SELECT COUNT(*) FROM empty_one;
SELECT count(*) AS count_1 FROM book WHERE book.title LIKE '%' || $1::VARCHAR || '%' @@ ('second',);
SELECT COUNT(*) FROM (SELECT "public"."sale"."id" FROM "public"."sale" WHERE "public"."sale"."note" IS NOT NULL OFFSET $1) AS "sub" @@ (0,);
SELECT count(name) AS namecnt FROM customer WHERE city = 'Oslo';
