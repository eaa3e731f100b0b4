-- 11 exists and in (subquery)
SELECT id FROM author a WHERE EXISTS (SELECT 1 FROM book b WHERE b.author_id = a.id AND b.price > 40) ORDER BY id;
SELECT id FROM author a WHERE NOT EXISTS (SELECT 1 AS a FROM book b WHERE b.author_id = a.id) ORDER BY id;
SELECT id FROM author WHERE id IN (SELECT author_id FROM book WHERE price > 30) ORDER BY id;
SELECT id FROM author WHERE id NOT IN (SELECT author_id FROM book) ORDER BY id;
SELECT id FROM author WHERE id NOT IN (SELECT author_id FROM book WHERE author_id IS NOT NULL) ORDER BY id;
