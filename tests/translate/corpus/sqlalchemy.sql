-- SQLAlchemy 2.1.9 with asyncpg
1| SELECT author.id, author.name, author.email, author.rating, author.active FROM author WHERE author.id = $1::INTEGER @@ (3,)
1| SELECT book.id, book.title FROM book WHERE book.id = $1::BIGINT LIMIT $2::INTEGER @@ (7, 1)
2| SELECT book.id, book.author_id, book.title, book.price, book.pages, book.published, book.in_print FROM book WHERE book.author_id = $1::INTEGER @@ (8,)
3| SELECT author.id FROM author WHERE author.id IN ($1::INTEGER, $2::INTEGER, $3::INTEGER) ORDER BY author.id @@ (1, 2, 3)
3| SELECT book.id FROM book WHERE (book.author_id NOT IN ($1::INTEGER, $2::INTEGER)) ORDER BY book.id @@ (1, 2)
4| SELECT book.id, book.author_id, book.title, book.price, book.pages, book.published, book.in_print FROM book WHERE book.in_print AND book.price > $1::NUMERIC(10, 2) ORDER BY book.price DESC, book.id LIMIT $2::INTEGER OFFSET $3::INTEGER @@ ('10.50', 5, 2)
4| SELECT book.id FROM book WHERE book.published >= $1::TIMESTAMP WITH TIME ZONE AND book.in_print IS NULL @@ ('2020-03-01 00:00:00+00:00',)
4| SELECT author.id FROM author WHERE NOT author.active ORDER BY author.id FETCH FIRST ($1::INTEGER) ROWS ONLY @@ (3,)
5| SELECT count(*) AS count_1 FROM book WHERE book.price > $1::INTEGER @@ (10,)
5| SELECT count(*) AS count_1 FROM (SELECT book.id AS id FROM book WHERE book.pages > $1::SMALLINT) AS anon_1 @@ (100,)
6| SELECT author.id, author.name, author.email, author.rating, author.active, book.id AS id_1, book.author_id, book.title, book.price, book.pages, book.published, book.in_print FROM author JOIN book ON book.author_id = author.id ORDER BY book.id
6| SELECT author.id, book.title FROM author LEFT OUTER JOIN book ON book.author_id = author.id AND book.price > $1::INTEGER ORDER BY author.id, book.id @@ (20,)
6| SELECT author.id, author_1.name FROM author JOIN author AS author_1 ON author_1.id = author.id + $1::INTEGER ORDER BY author.id @@ (1,)
7| SELECT author.id FROM author WHERE author.name ILIKE $1::VARCHAR OR (author.email LIKE '%' || $2::VARCHAR) ORDER BY author.id @@ ('%ANN%', '.org')
7| SELECT book.id FROM book WHERE book.price BETWEEN $1::INTEGER AND $2::INTEGER AND (book.title NOT LIKE '%' || $3::VARCHAR || '%') ORDER BY book.id @@ (5, 20, 'second')
7| SELECT book.id FROM book WHERE (book.author_id, book.id) > ($1::INTEGER, $2::BIGINT) ORDER BY book.author_id, book.id LIMIT $3::INTEGER @@ (4, 20, 5)
7| SELECT author.id FROM author WHERE (author.name LIKE $1::VARCHAR || '%' ESCAPE '/') @@ ('100/%',)
8| SELECT book.author_id, count(book.id) AS count_1, avg(book.pages) AS avg_1 FROM book GROUP BY book.author_id ORDER BY book.author_id
8| SELECT min(book.price) AS min_1, max(book.price) AS max_1, sum(book.price) AS sum_1 FROM book
8| SELECT book.author_id FROM book GROUP BY book.author_id HAVING sum(book.pages) > $1::SMALLINT ORDER BY sum(book.pages) @@ (900,)
10| SELECT DISTINCT book.author_id FROM book ORDER BY book.author_id
10| SELECT DISTINCT ON (book.author_id) book.author_id, book.id FROM book ORDER BY book.author_id, book.id DESC
10| SELECT count(DISTINCT book.author_id) AS count_1, count(*) FILTER (WHERE book.in_print) AS anon_1 FROM book
11| SELECT author.id FROM author WHERE EXISTS (SELECT * FROM book WHERE book.author_id = author.id AND book.price > $1::INTEGER) ORDER BY author.id @@ (40,)
11| SELECT author.id FROM author WHERE (author.id NOT IN (SELECT book.author_id FROM book WHERE book.author_id IS NOT NULL))
12| SELECT author.id, coalesce(author.email, $1::VARCHAR) AS coalesce_1, lower(author.name) AS lower_1, author.rating * $2::INTEGER AS anon_1 FROM author ORDER BY author.id @@ ('none', 2)
12| SELECT author.id, CASE WHEN (author.rating > $1::INTEGER) THEN $2::VARCHAR WHEN (author.rating > $3::INTEGER) THEN $4::VARCHAR ELSE $5::VARCHAR END AS anon_1 FROM author ORDER BY author.id @@ (3, 'good', 0, 'fair', 'bad')
12| SELECT book.id, CAST(book.price AS INTEGER) AS price, book.title || $1::VARCHAR AS anon_1 FROM book ORDER BY book.id @@ ('!',)
13| SELECT author.id, (SELECT count(*) AS count_1 FROM book WHERE book.author_id = author.id) AS anon_1 FROM author ORDER BY author.id
13| SELECT anon_1.id, book.id AS id_1 FROM (SELECT author.id AS id, author.name AS name, author.email AS email, author.rating AS rating, author.active AS active FROM author ORDER BY author.id LIMIT $1::INTEGER) AS anon_1 LEFT OUTER JOIN book ON book.author_id = anon_1.id ORDER BY anon_1.id, book.id @@ (5,)
14| SELECT author.id FROM author ORDER BY author.email DESC NULLS LAST, author.id
14| SELECT date_trunc($1::VARCHAR, book.published) AS date_trunc_1, count(*) AS count_1 FROM book GROUP BY 1 ORDER BY 1 @@ ('month',)
14| SELECT EXTRACT(year FROM book.published) AS anon_1, book.id FROM book ORDER BY book.id
14| SELECT author.id FROM author UNION SELECT book.author_id FROM book ORDER BY id
14| WITH big AS (SELECT book.id AS id, book.author_id AS author_id, book.title AS title, book.price AS price, book.pages AS pages, book.published AS published, book.in_print AS in_print FROM book WHERE book.price > $1::INTEGER) SELECT author.name, big.title FROM author JOIN big ON big.author_id = author.id ORDER BY big.id @@ (30,)
15| SELECT book.id, row_number() OVER (PARTITION BY book.author_id ORDER BY book.id) AS anon_1, lag(book.id) OVER (ORDER BY book.id) AS anon_2 FROM book ORDER BY book.id
