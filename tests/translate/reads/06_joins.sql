-- 6 joins
SELECT b.id, a.name FROM book b INNER JOIN author a ON (b.author_id = a.id) WHERE a.active ORDER BY b.id;
SELECT b.id, a.name FROM book b LEFT OUTER JOIN author a ON b.author_id = a.id ORDER BY b.id;
SELECT b.id, a.name FROM book b RIGHT JOIN author a ON b.author_id = a.id ORDER BY b.id, a.id;
SELECT b.id, a.id FROM book b FULL JOIN author a ON b.author_id = a.id AND a.active ORDER BY b.id, a.id;
SELECT t.label, b.title FROM tag t JOIN book_tag bt ON bt.tag_id = t.id JOIN book b ON b.id = bt.book_id WHERE t.id IN (1,2) ORDER BY t.id, b.id;
SELECT a.id, r.name FROM author a JOIN author r ON a.referrer = r.id ORDER BY 1;
SELECT a.id, b.id FROM author a, book b WHERE a.id = b.author_id AND b.price > 20 AND a.active;
SELECT * FROM sale JOIN customer c ON c.id = customer_id ORDER BY sale.id;
SELECT "tag"."id", "tag"."label" FROM "tag" INNER JOIN "book_tag" ON ("tag"."id" = "book_tag"."tag_id") WHERE "book_tag"."book_id" = 7 ORDER BY "tag"."label" ASC;
SELECT ("book_tag"."book_id") AS "_prefetch_related_val_book_id", "tag"."id", "tag"."label" FROM "tag" INNER JOIN "book_tag" ON ("tag"."id" = "book_tag"."tag_id") WHERE "book_tag"."book_id" IN (1, 2, 3);
SELECT c_.name, s.total FROM customer c_, sale s WHERE c_.id = s.customer_id AND s.status = 'new' ORDER BY s.id;
SELECT * FROM author a NATURAL JOIN tag;
SELECT count(*) FROM author a JOIN tag t USING (id);
SELECT id FROM customer WHERE joined > now() - interval '7 days';
SELECT t.id, v.x FROM tag t JOIN (VALUES (1, 'one'), (3, 'three')) AS v(n, x) ON v.n = t.id ORDER BY 1;
SELECT b.id FROM book b JOIN author a ON a.id = b.author_id JOIN author r ON r.id = a.referrer WHERE r.active IS TRUE ORDER BY b.id DESC LIMIT 4;
