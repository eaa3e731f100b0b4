-- Django 5.2.19
1| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" WHERE "author"."id" = 3 LIMIT 21
1| SELECT "book"."id", "book"."title" FROM "book" WHERE "book"."id" = 5 LIMIT 1
2| SELECT "book"."id", "book"."author_id", "book"."title", "book"."price", "book"."pages", "book"."published", "book"."in_print" FROM "book" WHERE "book"."author_id" = 8
2| SELECT "book"."id", "book"."author_id", "book"."title", "book"."price", "book"."pages", "book"."published", "book"."in_print" FROM "book" WHERE "book"."author_id" = 4 ORDER BY "book"."id" DESC LIMIT 10
3| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" WHERE "author"."id" IN (1, 2, 3) ORDER BY "author"."name" ASC
3| SELECT "book"."id", "book"."author_id", "book"."title", "book"."price", "book"."pages", "book"."published", "book"."in_print" FROM "book" WHERE NOT ("book"."author_id" IN (1, 2, 3) AND "book"."author_id" IS NOT NULL)
4| SELECT "book"."id", "book"."author_id", "book"."title", "book"."price", "book"."pages", "book"."published", "book"."in_print" FROM "book" WHERE ("book"."in_print" AND "book"."price" > 10.50) ORDER BY "book"."price" DESC, "book"."id" ASC LIMIT 10 OFFSET 5
4| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" WHERE (NOT "author"."active" AND "author"."email" IS NULL)
4| SELECT "book"."id", "book"."author_id", "book"."title", "book"."price", "book"."pages", "book"."published", "book"."in_print" FROM "book" WHERE "book"."published" >= '2020-03-01 12:00:00+00:00'::timestamptz ORDER BY "book"."published" ASC, "book"."id" ASC
4| SELECT "author"."id" AS "id", "author"."born" AS "born" FROM "author" WHERE "author"."born" < '1960-01-01'::date
4| SELECT "book"."id" AS "id" FROM "book" WHERE "book"."published" BETWEEN '2020-01-01 00:00:00-06:00'::timestamptz AND '2020-12-31 23:59:59.999999-06:00'::timestamptz
6| SELECT "book"."id", "book"."author_id", "book"."title", "book"."price", "book"."pages", "book"."published", "book"."in_print", "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "book" LEFT OUTER JOIN "author" ON ("book"."author_id" = "author"."id") WHERE "book"."pages" >= 100 ORDER BY "book"."id" ASC
6| SELECT "book"."id", "book"."author_id", "book"."title", "book"."price", "book"."pages", "book"."published", "book"."in_print" FROM "book" INNER JOIN "author" ON ("book"."author_id" = "author"."id") WHERE "author"."name" = 'Ann 7'
6| SELECT "tag"."id", "tag"."label" FROM "tag" INNER JOIN "book_tag" ON ("tag"."id" = "book_tag"."tag_id") WHERE "book_tag"."book_id" = 12
6| SELECT "book"."id", "book"."author_id", "book"."title", "book"."price", "book"."pages", "book"."published", "book"."in_print" FROM "book" INNER JOIN "book_tag" ON ("book"."id" = "book_tag"."book_id") INNER JOIN "tag" ON ("book_tag"."tag_id" = "tag"."id") WHERE "tag"."label" = 'tag3' ORDER BY "book"."id" ASC
6| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" INNER JOIN "author" T2 ON ("author"."referrer" = T2."id") INNER JOIN "author" T3 ON (T2."referrer" = T3."id") WHERE T3."name"::text LIKE 'Ann%' ORDER BY "author"."id" ASC
7| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" WHERE (UPPER("author"."name"::text) LIKE UPPER('%ann%') OR "author"."email"::text LIKE '%.org') ORDER BY "author"."id" ASC
7| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" WHERE (NOT ("author"."active") AND "author"."rating" BETWEEN  -1 AND 3)
7| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" WHERE ("author"."name"::text LIKE  E'100\\%%' AND NOT ("author"."email"::text LIKE  E'%\\_x%' AND "author"."email" IS NOT NULL))
7| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" WHERE UPPER("author"."name"::text) = UPPER('ANN 7')
8| SELECT "book"."author_id" AS "author_id", COUNT("book"."id") AS "n", AVG("book"."pages") AS "avg" FROM "book" GROUP BY 1 ORDER BY 2 DESC, 1 ASC
8| SELECT "book"."author_id" AS "author", SUM("book"."price") AS "total" FROM "book" GROUP BY 1 HAVING SUM("book"."price") > 20
8| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer", COUNT("book"."id") AS "n" FROM "author" LEFT OUTER JOIN "book" ON ("author"."id" = "book"."author_id") GROUP BY "author"."id" ORDER BY 8 DESC, "author"."id" ASC LIMIT 5
8| SELECT "author"."name" AS "author__name", MIN("book"."price") AS "low", MAX("book"."price") AS "high" FROM "book" LEFT OUTER JOIN "author" ON ("book"."author_id" = "author"."id") GROUP BY 1 ORDER BY 1 ASC
10| SELECT DISTINCT "book"."author_id" AS "author_id" FROM "book" ORDER BY 1 ASC
10| SELECT DISTINCT ON ("book"."author_id") "book"."id", "book"."author_id", "book"."title", "book"."price", "book"."pages", "book"."published", "book"."in_print" FROM "book" ORDER BY "book"."author_id" ASC, "book"."id" DESC
10| SELECT "book"."in_print" AS "in_print", COUNT(DISTINCT "book"."author_id") AS "n" FROM "book" GROUP BY 1 ORDER BY 1 ASC
10| SELECT "book"."in_print" AS "in_print", COUNT("book"."id") FILTER (WHERE "book"."price" > 20) AS "n" FROM "book" GROUP BY 1 ORDER BY 1 ASC
11| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" WHERE EXISTS(SELECT 1 AS "a" FROM "book" U0 WHERE (U0."author_id" = ("author"."id") AND U0."price" > 40) LIMIT 1) ORDER BY "author"."id" ASC
11| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" WHERE NOT EXISTS(SELECT 1 AS "a" FROM "book" U0 WHERE U0."author_id" = ("author"."id") LIMIT 1)
11| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" WHERE NOT (EXISTS(SELECT 1 AS "a" FROM "book" U1 WHERE (U1."title"::text LIKE '%second%' AND U1."author_id" = ("author"."id")) LIMIT 1)) ORDER BY "author"."id" ASC
11| SELECT "author"."id", "author"."name", "author"."email", "author"."born", "author"."rating", "author"."active", "author"."referrer" FROM "author" WHERE "author"."id" IN (SELECT U0."author_id" AS "author_id" FROM "book" U0 WHERE U0."in_print") ORDER BY "author"."id" ASC
12| SELECT "author"."id" AS "id", COALESCE("author"."email", 'none') AS "who" FROM "author" ORDER BY 1 ASC
12| SELECT "book"."id" AS "id", ("book"."price" * 1.19) AS "gross" FROM "book" ORDER BY 1 ASC
12| SELECT "author"."id" AS "id", CASE WHEN "author"."rating" >= 3 THEN 'good' ELSE 'bad' END AS "grade", LOWER("author"."name") AS "low" FROM "author" ORDER BY 1 ASC
13| SELECT "author"."id" AS "id", (SELECT U0."title" AS "title" FROM "book" U0 WHERE U0."author_id" = ("author"."id") ORDER BY U0."published" DESC, U0."id" ASC LIMIT 1) AS "last" FROM "author" ORDER BY 1 ASC
13| SELECT "book"."id", "book"."author_id", "book"."title", "book"."price", "book"."pages", "book"."published", "book"."in_print" FROM "book" WHERE "book"."author_id" IN (SELECT U0."id" AS "id" FROM "author" U0 ORDER BY 1 DESC LIMIT 5) ORDER BY "book"."id" ASC
14| SELECT "author"."id" AS "id" FROM "author" ORDER BY "author"."email" DESC NULLS LAST, 1 ASC
14| SELECT DATE_TRUNC('month', "book"."published" AT TIME ZONE 'America/Chicago') AS "m", COUNT("book"."id") AS "n" FROM "book" GROUP BY 1 ORDER BY 1 ASC
14| SELECT "book"."id" AS "id", EXTRACT(YEAR FROM "book"."published" AT TIME ZONE 'America/Chicago') AS "y" FROM "book" ORDER BY 1 ASC
14| (SELECT "author"."name" AS "name" FROM "author") UNION (SELECT "book"."title" AS "title" FROM "book") ORDER BY 1 ASC
