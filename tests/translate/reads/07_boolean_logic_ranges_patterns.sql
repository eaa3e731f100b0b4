-- 7 boolean logic, ranges, patterns
SELECT id FROM book WHERE price < 5 OR NOT in_print AND pages BETWEEN 10 AND 100 ORDER BY id;
SELECT id FROM book WHERE (published, id) > ('2020-03-01 00:00:00+00', 10) ORDER BY published, id LIMIT 10;
SELECT id, name FROM author WHERE name LIKE 'A%' ORDER BY id;
SELECT id, name FROM author WHERE name ILIKE '%' || $1 || '%' ORDER BY id @@ ('aNN',);
SELECT id FROM author WHERE UPPER(name::text) LIKE UPPER($1) @@ ('ann%',);
