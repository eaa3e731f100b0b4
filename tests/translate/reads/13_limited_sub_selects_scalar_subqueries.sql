-- 13 limited sub-selects, scalar subqueries
SELECT id, (SELECT COUNT(*) FROM book b WHERE b.author_id = a.id) AS books, (SELECT MAX(title) FROM book b WHERE b.author_id = a.id) FROM author a ORDER BY id;
SELECT x.id, b.id FROM (SELECT id FROM author ORDER BY id LIMIT 5) x JOIN book b ON b.author_id = x.id ORDER BY 1, 2;
SELECT "author"."id", "author"."name", (SELECT U0."title" FROM "book" U0 WHERE U0."author_id" = ("author"."id") ORDER BY U0."published" DESC, U0.id LIMIT 1) AS "latest" FROM "author" ORDER BY 1;
SELECT author.id AS author_id, author.name AS author_name, anon_1.n FROM author LEFT OUTER JOIN (SELECT book.author_id AS author_id, count(*) AS n FROM book GROUP BY book.author_id) AS anon_1 ON author.id = anon_1.author_id ORDER BY author.id;
SELECT anon_1.author_id AS anon_1_author_id, book_1.id AS book_1_id FROM (SELECT author.id AS author_id FROM author ORDER BY author.id LIMIT $1::INTEGER OFFSET $2::INTEGER) AS anon_1 LEFT OUTER JOIN book AS book_1 ON anon_1.author_id = book_1.author_id ORDER BY anon_1.author_id, 2 @@ (3,2);
SELECT a.name, b.title FROM author a CROSS JOIN LATERAL (SELECT title, id FROM book WHERE author_id = a.id ORDER BY id LIMIT 2) b ORDER BY a.id, b.id;
SELECT a.id, x.n FROM author a LEFT JOIN LATERAL (SELECT count(*) AS n FROM book WHERE author_id = a.id) x ON true ORDER BY 1;
SELECT id, name FROM author WHERE id = (SELECT max(author_id) FROM book);
SELECT b.id FROM book b WHERE EXISTS (SELECT 1 FROM author a WHERE a.id = b.author_id AND a.rating > (SELECT avg(rating) FROM author)) ORDER BY b.id;
SELECT a.id, (SELECT count(*) FROM book b WHERE b.author_id = a.id AND EXISTS (SELECT 1 FROM book_tag bt WHERE bt.book_id = b.id AND bt.tag_id = a.id)) FROM author a ORDER BY a.id;
SELECT g.author_id, g.n FROM (SELECT author_id, count(*) AS n FROM book GROUP BY author_id) g WHERE g.n > (SELECT avg(n) FROM (SELECT count(*) AS n FROM book GROUP BY author_id) h) ORDER BY 1;
