-- 4 conditions, order, limit
SELECT id, title FROM book WHERE author_id > 3 AND in_print AND NOT (price > 20) ORDER BY price DESC, id LIMIT 5 OFFSET 2;
SELECT id FROM book WHERE in_print IS NULL;
SELECT id FROM book WHERE in_print IS NOT TRUE ORDER BY id FETCH FIRST 3 ROWS ONLY;
SELECT * FROM vals ORDER BY id;
