-- 6 joins
SELECT b.id, a.name FROM book b INNER JOIN author a ON (b.author_id = a.id) WHERE a.active ORDER BY b.id;
SELECT b.id, a.name FROM book b LEFT OUTER JOIN author a ON b.author_id = a.id ORDER BY b.id;
SELECT b.id, a.name FROM book b RIGHT JOIN author a ON b.author_id = a.id ORDER BY b.id, a.id;
SELECT b.id, a.id FROM book b FULL JOIN author a ON b.author_id = a.id AND a.active ORDER BY b.id, a.id;
SELECT t.label, b.title FROM tag t JOIN book_tag bt ON bt.tag_id = t.id JOIN book b ON b.id = bt.book_id WHERE t.id IN (1,2) ORDER BY t.id, b.id;
SELECT a.id, r.name FROM author a JOIN author r ON a.referrer = r.id ORDER BY 1;
SELECT a.id, b.id FROM author a, book b WHERE a.id = b.author_id AND b.price > 20 AND a.active;
SELECT * FROM sale JOIN customer c ON c.id = customer_id ORDER BY sale.id;
