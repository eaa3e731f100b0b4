-- 7 boolean logic, ranges, patterns
SELECT id FROM book WHERE price < 5 OR NOT in_print AND pages BETWEEN 10 AND 100 ORDER BY id;
SELECT id FROM book WHERE (published, id) > ('2020-03-01 00:00:00+00', 10) ORDER BY published, id LIMIT 10;
SELECT id, name FROM author WHERE name LIKE 'A%' ORDER BY id;
SELECT id, name FROM author WHERE name ILIKE '%' || $1 || '%' ORDER BY id @@ ('aNN',);
SELECT id FROM author WHERE UPPER(name::text) LIKE UPPER($1) @@ ('ann%',);
SELECT "author"."id" FROM "author" WHERE "author"."name"::text LIKE '%nn%' AND "author"."email"::text ~~ 'a%' ORDER BY 1;
SELECT id FROM author WHERE name LIKE $1 || '%' ORDER BY id @@ ('100%',);
SELECT id FROM book WHERE NOT in_print OR in_print ORDER BY id;
SELECT ''::text || NULL, 'a' || 1, 1 || 'b', 'x' LIKE 'x', 5 BETWEEN 1 AND 10, NULL = NULL, 1 IN (1, NULL), 2 NOT IN (1, NULL);
SELECT label FROM tag WHERE label BETWEEN 'tag2' AND 'tag5' ORDER BY label DESC;
SELECT id FROM folded WHERE icu LIKE 'a%';
SELECT id FROM book WHERE title = $1 OR $1 IS NULL @@ ('Book 1',);
