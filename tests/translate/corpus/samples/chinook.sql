-- Chinook: questions people ask of it, as they write them
1| SELECT * FROM track WHERE track_id = 42
1| SELECT title FROM album WHERE album_id = $1 @@ (7,)
2| SELECT * FROM album WHERE artist_id = 5
2| SELECT track_id, name, milliseconds FROM track WHERE album_id = $1 ORDER BY track_id @@ (3,)
3| SELECT * FROM customer WHERE country IN ('Brazil', 'Norway') ORDER BY customer_id
3| SELECT name FROM track WHERE track_id = ANY($1) @@ ('{3,9,27,81,160,999}',)
4| SELECT first_name, last_name, email FROM customer WHERE country = 'Brazil' AND company IS NULL ORDER BY last_name, first_name, customer_id
4| SELECT * FROM invoice WHERE total > 15 AND invoice_date >= '2021-06-01' AND invoice_date < '2022-06-01' ORDER BY total DESC, invoice_id LIMIT 10
4| SELECT name, milliseconds / 1000 AS seconds FROM track WHERE milliseconds > 300000 ORDER BY milliseconds DESC FETCH FIRST 5 ROWS ONLY
4| SELECT employee_id, last_name FROM employee WHERE reports_to IS NULL
5| SELECT COUNT(*) FROM track
5| SELECT COUNT(*) AS tracks_without_composer FROM track WHERE composer IS NULL
5| SELECT COUNT(composer), COUNT(*), COUNT(DISTINCT composer) FROM track
6| SELECT al.title, ar.name FROM album al JOIN artist ar ON al.artist_id = ar.artist_id ORDER BY al.album_id
6| SELECT ar.name, al.title FROM artist ar LEFT JOIN album al ON al.artist_id = ar.artist_id WHERE al.album_id IS NULL ORDER BY ar.artist_id
6| SELECT t.name AS track, g.name AS genre, m.name AS media FROM track t INNER JOIN genre g ON t.genre_id = g.genre_id INNER JOIN media_type m ON t.media_type_id = m.media_type_id WHERE g.name = 'Rock' ORDER BY t.track_id
6| SELECT e.first_name || ' ' || e.last_name AS employee, m.first_name || ' ' || m.last_name AS manager FROM employee e LEFT JOIN employee m ON e.reports_to = m.employee_id ORDER BY e.employee_id
6| SELECT p.name, t.name FROM playlist p JOIN playlist_track pt USING (playlist_id) JOIN track t USING (track_id) WHERE p.playlist_id = 3 ORDER BY t.track_id
6| SELECT c.first_name, c.last_name, i.invoice_id, il.quantity FROM customer c, invoice i, invoice_line il WHERE c.customer_id = i.customer_id AND i.invoice_id = il.invoice_id AND c.country = 'France' ORDER BY il.invoice_line_id
7| SELECT name FROM track WHERE name LIKE '%Love%' ORDER BY track_id
7| SELECT name FROM track WHERE name ILIKE $1 ORDER BY track_id @@ ('%the%',)
7| SELECT * FROM customer WHERE country <> 'USA' AND (state IS NULL OR state = 'QC') ORDER BY customer_id
7| SELECT * FROM invoice WHERE invoice_date BETWEEN '2021-03-01' AND '2021-03-31' ORDER BY invoice_id
7| SELECT track_id, name FROM track WHERE name NOT LIKE '%100\%%' AND (album_id, track_id) > (10, 20) ORDER BY album_id, track_id LIMIT 10
7| SELECT * FROM customer WHERE email ~ '^c1' ORDER BY customer_id
7| SELECT first_name, last_name FROM customer WHERE last_name ~* 'h' ORDER BY customer_id
8| SELECT billing_country, COUNT(*) AS invoices FROM invoice GROUP BY billing_country ORDER BY invoices DESC, billing_country
8| SELECT billing_city, SUM(total) AS invoice_totals FROM invoice GROUP BY billing_city ORDER BY invoice_totals DESC LIMIT 1
8| SELECT c.customer_id, c.first_name, c.last_name, SUM(i.total) AS total_spent FROM customer c JOIN invoice i ON c.customer_id = i.customer_id GROUP BY c.customer_id ORDER BY total_spent DESC, c.customer_id LIMIT 1
8| SELECT g.name, COUNT(*), AVG(t.milliseconds) FROM track t JOIN genre g ON g.genre_id = t.genre_id GROUP BY g.genre_id, g.name HAVING COUNT(*) > 10 ORDER BY 2 DESC, 1
8| SELECT MIN(milliseconds), MAX(milliseconds), AVG(milliseconds), SUM(bytes) FROM track
8| SELECT EXTRACT(YEAR FROM invoice_date) AS year, COUNT(*), SUM(total) FROM invoice GROUP BY year ORDER BY year
8| SELECT ar.name, COUNT(t.track_id) AS songs FROM track t JOIN album al ON al.album_id = t.album_id JOIN artist ar ON ar.artist_id = al.artist_id JOIN genre g ON g.genre_id = t.genre_id WHERE g.name LIKE 'Rock' GROUP BY ar.artist_id ORDER BY songs DESC, ar.artist_id LIMIT 10
8| SELECT e.employee_id, e.last_name, SUM(i.total) AS sales FROM employee e JOIN customer c ON c.support_rep_id = e.employee_id JOIN invoice i ON i.customer_id = c.customer_id WHERE EXTRACT(YEAR FROM i.invoice_date) = 2022 GROUP BY e.employee_id, e.last_name ORDER BY sales DESC
8| SELECT string_agg(name, ', ' ORDER BY genre_id) FROM genre
8| SELECT support_rep_id, array_agg(customer_id ORDER BY customer_id) FROM customer GROUP BY support_rep_id ORDER BY 1
10| SELECT DISTINCT billing_country FROM invoice ORDER BY billing_country
10| SELECT DISTINCT c.email, c.first_name, c.last_name, g.name FROM customer c JOIN invoice i ON i.customer_id = c.customer_id JOIN invoice_line il ON il.invoice_id = i.invoice_id JOIN track t ON t.track_id = il.track_id JOIN genre g ON g.genre_id = t.genre_id WHERE g.name = 'Rock' ORDER BY c.email
10| SELECT DISTINCT ON (customer_id) customer_id, invoice_id, invoice_date, total FROM invoice ORDER BY customer_id, invoice_date DESC, invoice_id
10| SELECT COUNT(*) FILTER (WHERE total > 10) AS large, COUNT(*) FILTER (WHERE total <= 10) AS small FROM invoice
10| SELECT COUNT(DISTINCT customer_id) FROM invoice WHERE billing_country = 'Norway'
11| SELECT name, milliseconds FROM track WHERE milliseconds > (SELECT AVG(milliseconds) FROM track) ORDER BY milliseconds DESC, track_id
11| SELECT * FROM customer c WHERE NOT EXISTS (SELECT 1 FROM invoice i WHERE i.customer_id = c.customer_id) ORDER BY 1
11| SELECT name FROM artist WHERE artist_id NOT IN (SELECT artist_id FROM album) ORDER BY artist_id
11| SELECT name FROM track t WHERE EXISTS (SELECT * FROM playlist_track pt WHERE pt.track_id = t.track_id AND pt.playlist_id = 2) ORDER BY name, track_id
11| SELECT * FROM track WHERE track_id IN (SELECT track_id FROM invoice_line GROUP BY track_id HAVING SUM(quantity) > 3) ORDER BY track_id
11| SELECT name FROM track WHERE milliseconds >= ALL (SELECT milliseconds FROM track)
12| SELECT UPPER(first_name), LOWER(last_name), LENGTH(email), SUBSTR(phone, 1, 3) FROM customer ORDER BY customer_id
12| SELECT name, CASE WHEN milliseconds < 120000 THEN 'short' WHEN milliseconds BETWEEN 120000 AND 300000 THEN 'medium' ELSE 'long' END AS length FROM track ORDER BY track_id
12| SELECT COALESCE(company, 'n/a') AS company, NULLIF(state, 'QC') FROM customer ORDER BY customer_id
12| SELECT invoice_id, ROUND(total * 1.19, 2) AS gross, total % 3 AS rest, ABS(total - 10) FROM invoice ORDER BY invoice_id
12| SELECT name, ROUND(milliseconds / 60000.0, 1) AS minutes, bytes / 1024 / 1024 AS mb FROM track ORDER BY track_id
12| SELECT concat(first_name, ' ', last_name, ' <', email, '>'), left(city, 3), right(city, 2), replace(email, '@example.com', ''), strpos(email, '@'), split_part(email, '@', 1) FROM customer ORDER BY customer_id
13| SELECT ar.name, (SELECT COUNT(*) FROM album al WHERE al.artist_id = ar.artist_id) AS albums FROM artist ar ORDER BY albums DESC, ar.artist_id
13| SELECT x.country, MAX(x.spent) FROM (SELECT c.country, c.customer_id, SUM(i.total) AS spent FROM customer c JOIN invoice i USING (customer_id) GROUP BY c.country, c.customer_id) x GROUP BY x.country ORDER BY x.country
13| SELECT t.name, t.unit_price FROM (SELECT * FROM track ORDER BY milliseconds DESC, track_id LIMIT 10) t JOIN genre g ON g.genre_id = t.genre_id ORDER BY t.track_id
14| WITH spent AS (SELECT customer_id, SUM(total) AS total FROM invoice GROUP BY customer_id) SELECT c.country, c.first_name, s.total FROM spent s JOIN customer c ON c.customer_id = s.customer_id WHERE s.total = (SELECT MAX(s2.total) FROM spent s2 JOIN customer c2 ON c2.customer_id = s2.customer_id WHERE c2.country = c.country) ORDER BY c.country, c.customer_id
14| SELECT date_trunc('month', invoice_date) AS month, SUM(total) FROM invoice GROUP BY 1 ORDER BY 1
14| SELECT to_char(invoice_date, 'YYYY-MM') AS month, COUNT(*) FROM invoice GROUP BY to_char(invoice_date, 'YYYY-MM') ORDER BY month
14| SELECT first_name, last_name FROM customer UNION SELECT first_name, last_name FROM employee ORDER BY last_name, first_name
14| SELECT city FROM customer EXCEPT SELECT billing_city FROM invoice ORDER BY 1
14| SELECT city FROM customer INTERSECT SELECT billing_city FROM invoice ORDER BY 1
14| SELECT composer, COUNT(*) FROM track GROUP BY composer ORDER BY composer NULLS FIRST
14| SELECT employee_id, hire_date - birth_date AS age_at_hire, EXTRACT(DOW FROM hire_date), hire_date + interval '90 days' FROM employee ORDER BY 1
14| SELECT age(hire_date, birth_date) FROM employee ORDER BY employee_id
15| SELECT customer_id, invoice_id, total, SUM(total) OVER (PARTITION BY customer_id ORDER BY invoice_date) AS running FROM invoice ORDER BY customer_id, invoice_date
15| SELECT name, genre_id, milliseconds, RANK() OVER (PARTITION BY genre_id ORDER BY milliseconds DESC) FROM track ORDER BY genre_id, 4, track_id
15| SELECT * FROM (SELECT t.*, ROW_NUMBER() OVER (PARTITION BY album_id ORDER BY milliseconds DESC, track_id) AS rn FROM track t) ranked WHERE rn = 1 ORDER BY track_id
15| SELECT invoice_id, total, LAG(total) OVER (ORDER BY invoice_id) AS previous, total - LAG(total) OVER (ORDER BY invoice_id) AS change FROM invoice ORDER BY invoice_id
15| SELECT NTILE(4) OVER (ORDER BY total, invoice_id), invoice_id FROM invoice ORDER BY invoice_id
15| WITH RECURSIVE boss AS (SELECT employee_id, last_name, 1 AS level FROM employee WHERE reports_to IS NULL UNION ALL SELECT e.employee_id, e.last_name, b.level + 1 FROM employee e JOIN boss b ON e.reports_to = b.employee_id) SELECT * FROM boss ORDER BY level, employee_id
