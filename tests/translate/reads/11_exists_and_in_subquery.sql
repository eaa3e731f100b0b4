-- 11 exists and in (subquery)
SELECT id FROM author a WHERE EXISTS (SELECT 1 FROM book b WHERE b.author_id = a.id AND b.price > 40) ORDER BY id;
SELECT id FROM author a WHERE NOT EXISTS (SELECT 1 AS a FROM book b WHERE b.author_id = a.id) ORDER BY id;
SELECT id FROM author WHERE id IN (SELECT author_id FROM book WHERE price > 30) ORDER BY id;
SELECT id FROM author WHERE id NOT IN (SELECT author_id FROM book) ORDER BY id;
SELECT id FROM author WHERE id NOT IN (SELECT author_id FROM book WHERE author_id IS NOT NULL) ORDER BY id;
SELECT "book"."id" FROM "book" WHERE NOT ("book"."author_id" IN (SELECT U0."id" FROM "author" U0 WHERE U0."active") AND "book"."author_id" IS NOT NULL) ORDER BY 1;
SELECT EXISTS(SELECT 1 AS "a" FROM "book" WHERE "book"."price" > '100' LIMIT 1);
SELECT author.id FROM author WHERE EXISTS (SELECT 1 FROM book WHERE author.id = book.author_id) AND lower(author.name) LIKE lower($1::VARCHAR) ORDER BY 1 @@ ('%A%',);
SELECT "t0"."id", "aggr"."n" FROM "author" AS "t0" LEFT JOIN (SELECT "book"."author_id", COUNT(*) AS "n" FROM "book" WHERE 1=1 GROUP BY "book"."author_id") AS "aggr" ON ("t0"."id" = "aggr"."author_id") WHERE COALESCE("aggr"."n", $1) > $2 ORDER BY COALESCE("aggr"."n", $3) DESC, 1 @@ (0, 1, 0);
SELECT id FROM book WHERE (author_id, in_print) IN (SELECT id, active FROM author) ORDER BY 1;
SELECT id FROM book WHERE price > ALL (SELECT price FROM book WHERE author_id = 8 AND price IS NOT NULL) ORDER BY 1;
SELECT id FROM book WHERE price = ANY (SELECT price FROM book WHERE author_id = 8) ORDER BY 1;
SELECT id FROM tag WHERE EXISTS (SELECT 1 AS a FROM book WHERE price > 10 LIMIT 1) ORDER BY id;
SELECT id FROM author a WHERE EXISTS (SELECT 1 AS a FROM book b WHERE b.author_id = a.id LIMIT 1) ORDER BY id;
