-- 3 lists
SELECT id FROM book WHERE author_id IN (1,2,3) ORDER BY id DESC;
SELECT id FROM book WHERE author_id = ANY($1) ORDER BY id @@ ('{1,2,8}',);
SELECT id FROM book WHERE author_id NOT IN (1,2,NULL);
SELECT id FROM book WHERE author_id NOT IN (1,2);
SELECT "public"."customer"."id" FROM "public"."customer" WHERE "public"."customer"."id" IN ($1,$2) OFFSET $3 @@ ('4a8a08f0-9d37-b737-9564-9038408b5f33','00000000-0000-0000-0000-000000000000',0);
SELECT id FROM book WHERE (author_id, pages) IN ((8, 51), (15, 34)) ORDER BY 1;
SELECT id FROM author WHERE mood IN ('ok', 'Zen') ORDER BY id;
SELECT id FROM book WHERE 'x' = ANY(tags) ORDER BY id;
