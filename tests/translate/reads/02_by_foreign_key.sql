-- 2 by foreign key
SELECT * FROM book WHERE author_id = 8;
SELECT * FROM book WHERE 8 = author_id ORDER BY id;
