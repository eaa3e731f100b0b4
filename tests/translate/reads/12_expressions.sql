-- 12 expressions
SELECT COALESCE(email, 'none'), CASE WHEN rating > 0 THEN 'good' WHEN rating < 0 THEN 'bad' ELSE 'none' END, LOWER(name), rating * 2 + 1, rating / 3 FROM author ORDER BY id;
SELECT true, false, null, 'x', 1.50, 12345678901, 1e3;
VALUES (1, 'a'), (2, NULL);
SELECT UPPER("author"."email"::text) FROM author WHERE UPPER("author"."email"::text) = UPPER('A3@example.com');
SELECT (price * 2) + 1.5 AS x, price - pages, -price, price / 7, pages / 7, pages % 7, pages * 2, price::int, price::float8 FROM book ORDER BY id;
SELECT author.name, CAST(author.rating AS VARCHAR) FROM author WHERE author.id IN ($1::INTEGER, $2::INTEGER) @@ (1,2);
SELECT "public"."sale"."id", "public"."sale"."total"::text FROM "public"."sale" WHERE ("public"."sale"."status" = $1 AND "public"."sale"."total" >= $2) ORDER BY "public"."sale"."sold" DESC, "public"."sale"."id" ASC LIMIT $3 OFFSET $4 @@ ('paid', 10.5, 5, 0);
SELECT v::text, c::text, length(c), c || '|' FROM vals ORDER BY id;
SELECT price::numeric(6,1), round(price, 1), trunc(price), ceil(price), price::text FROM book ORDER BY id LIMIT 12;
SELECT nullif(author_id, 8), coalesce(nullif(title, ''), 'none') FROM book ORDER BY id LIMIT 9;
SELECT $1::int + $2, $3::text @@ (1, 2, 'x');
SELECT cast(1 as bigint) AS b, 1::smallint, 'abc'::varchar(2), 'abc'::char(5), '2020-01-01'::date + 1, '{1,2}'::int[], ARRAY[1,2], ARRAY['a',NULL];
