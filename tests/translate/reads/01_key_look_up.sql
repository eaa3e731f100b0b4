-- 1 key look-up
SELECT id, name FROM author WHERE id = 1;
SELECT "author"."id", "author"."name", "author"."email" FROM "author" WHERE "author"."id" = 1 LIMIT 21;
SELECT id FROM author WHERE id = $1::INTEGER @@ (3,);
SELECT "public"."author"."id" FROM "public"."author" WHERE ("public"."author"."id" = $1 AND 1=1) LIMIT $2 OFFSET $3 @@ (3, 1, 0);
SELECT * FROM vals WHERE id = 4;
SELECT * FROM customer WHERE id = '2e3d0bc5-4c22-3e4e-0e2f-bfa4b5a9b2b0';
SELECT * FROM line WHERE sale_id = 3 AND number = 2;
