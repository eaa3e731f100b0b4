-- 13 limited sub-selects, scalar subqueries
SELECT id, (SELECT COUNT(*) FROM book b WHERE b.author_id = a.id) AS books, (SELECT MAX(title) FROM book b WHERE b.author_id = a.id) FROM author a ORDER BY id;
SELECT x.id, b.id FROM (SELECT id FROM author ORDER BY id LIMIT 5) x JOIN book b ON b.author_id = x.id ORDER BY 1, 2;
