-- 3 lists
SELECT id FROM book WHERE author_id IN (1,2,3) ORDER BY id DESC;
SELECT id FROM book WHERE author_id = ANY($1) ORDER BY id @@ ('{1,2,8}',);
SELECT id FROM book WHERE author_id NOT IN (1,2,NULL);
SELECT id FROM book WHERE author_id NOT IN (1,2);
