-- 8 aggregates and groups
SELECT MIN(price), MAX(price), SUM(price), AVG(price) FROM book;
SELECT author_id, COUNT(*), AVG(pages), SUM(pages), MIN(title) FROM book GROUP BY author_id HAVING COUNT(*) > 2 ORDER BY author_id;
SELECT author_id, COUNT(*) FROM book GROUP BY 1 ORDER BY 2 DESC, 1;
SELECT a.id, a.name, COUNT(b.id) AS n FROM author a LEFT JOIN book b ON b.author_id = a.id GROUP BY a.id ORDER BY n DESC, a.id;
