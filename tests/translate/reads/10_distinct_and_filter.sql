-- 10 distinct and filter
SELECT DISTINCT author_id FROM book ORDER BY author_id;
SELECT DISTINCT ON (author_id) author_id, id, title FROM book ORDER BY author_id, id DESC;
SELECT COUNT(DISTINCT author_id), COUNT(*) FILTER (WHERE in_print) FROM book;
SELECT COUNT(*) FROM (SELECT DISTINCT "book"."author_id" AS "col1" FROM "book") subquery;
SELECT SUM(CASE WHEN in_print THEN 1 ELSE 0 END) AS a, AVG(price) FILTER (WHERE in_print) AS b, COUNT(*) FILTER (WHERE NOT in_print) FROM book;
SELECT COUNT(DISTINCT (line.book_id)) FROM line, sale WHERE sale.id = 5 AND line.sale_id = sale.id AND line.sale_id < 10 AND line.quantity < 4;
SELECT DISTINCT title, price FROM book ORDER BY title, price DESC LIMIT 7;
SELECT DISTINCT ON (author_id) author_id, title FROM book WHERE price IS NOT NULL ORDER BY author_id, price DESC, id;
SELECT DISTINCT status, count(*) FROM sale GROUP BY status, note;
