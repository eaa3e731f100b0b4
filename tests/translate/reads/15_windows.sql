-- 15 windows
SELECT id, row_number() OVER (PARTITION BY author_id ORDER BY id), rank() OVER (ORDER BY pages), lag(id) OVER (ORDER BY id), sum(pages) OVER (PARTITION BY author_id ORDER BY id) FROM book ORDER BY id;
SELECT id, ROW_NUMBER() OVER (PARTITION BY author_id ORDER BY price DESC NULLS LAST, id) AS rn FROM book WHERE author_id IS NOT NULL ORDER BY author_id, rn;
SELECT * FROM (SELECT id, author_id, ROW_NUMBER() OVER (PARTITION BY author_id ORDER BY id) AS rn FROM book) q WHERE rn <= 2 ORDER BY id;
SELECT lag(total) OVER w, lead(total, 2, 0) OVER w, first_value(total) OVER w, last_value(total) OVER w, ntile(4) OVER w, sum(total) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW), avg(total) OVER (PARTITION BY status), percent_rank() OVER w, cume_dist() OVER w, dense_rank() OVER (ORDER BY status) FROM sale WINDOW w AS (PARTITION BY status ORDER BY id);
SELECT customer_id, sum(total), rank() OVER (ORDER BY sum(total) DESC) FROM sale GROUP BY customer_id;
