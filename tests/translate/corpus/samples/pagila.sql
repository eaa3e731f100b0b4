-- DVD rental: questions people ask of it, as they write them
1| SELECT * FROM film WHERE film_id = 17
1| SELECT first_name, last_name FROM actor WHERE actor_id = $1 @@ (3,)
1| SELECT * FROM film_actor WHERE actor_id = 1 AND film_id = 3
2| SELECT * FROM inventory WHERE film_id = $1 ORDER BY inventory_id @@ (6,)
2| SELECT rental_id, rental_date, return_date FROM rental WHERE customer_id = 5 ORDER BY rental_date
3| SELECT title FROM film WHERE rating IN ('G', 'PG') ORDER BY film_id
3| SELECT * FROM customer WHERE customer_id IN (1, 2, 3, 500) ORDER BY customer_id DESC
4| SELECT title, length FROM film WHERE rating = 'PG-13' AND length > 100 ORDER BY length DESC, film_id LIMIT 5
4| SELECT first_name, last_name, email FROM customer WHERE activebool AND email IS NOT NULL AND store_id = 1 ORDER BY last_name, first_name, customer_id
4| SELECT customer_id, amount, payment_date FROM payment WHERE amount > 4 AND payment_date >= '2022-02-01' ORDER BY amount DESC, payment_id LIMIT 10
4| SELECT * FROM rental WHERE return_date IS NULL ORDER BY rental_id
4| SELECT title FROM film WHERE NOT (rental_rate = 0.99) AND release_year = 2006 ORDER BY title
5| SELECT COUNT(*) FROM rental WHERE staff_id = 1
5| SELECT 1 FROM payment WHERE amount = 0 LIMIT 1
5| SELECT COUNT(address2), COUNT(*) FROM address
6| SELECT f.title, l.name FROM film f JOIN language l ON l.language_id = f.language_id ORDER BY f.film_id
6| SELECT a.first_name, a.last_name, f.title FROM actor a JOIN film_actor fa ON fa.actor_id = a.actor_id JOIN film f ON f.film_id = fa.film_id WHERE f.title = 'ALIEN CENTER 2' ORDER BY a.actor_id
6| SELECT f.film_id, f.title, i.inventory_id FROM film f LEFT JOIN inventory i ON i.film_id = f.film_id WHERE i.film_id IS NULL ORDER BY f.title
6| SELECT c.first_name, c.last_name, a.address, ci.city, co.country FROM customer c INNER JOIN address a USING (address_id) INNER JOIN city ci USING (city_id) INNER JOIN country co USING (country_id) WHERE co.country = 'Canada' ORDER BY c.customer_id
6| SELECT f1.title, f2.title, f1.length FROM film f1 INNER JOIN film f2 ON f1.film_id <> f2.film_id AND f1.length = f2.length ORDER BY f1.film_id, f2.film_id
6| SELECT * FROM category NATURAL JOIN film_category ORDER BY film_id LIMIT 5
7| SELECT first_name, last_name FROM customer WHERE first_name LIKE 'MAR%' AND first_name <> 'MARIA' ORDER BY customer_id
7| SELECT title FROM film WHERE title ILIKE '%élys%' OR description ILIKE '%robot' ORDER BY film_id
7| SELECT customer_id, payment_id, amount FROM payment WHERE amount NOT BETWEEN 1 AND 9 ORDER BY payment_id
7| SELECT payment_id, payment_date FROM payment WHERE payment_date BETWEEN '2022-01-15' AND '2022-02-02 12:00' ORDER BY payment_id
7| SELECT film_id, title FROM film WHERE (title, film_id) > ('ALIEN CENTER 30', 1) ORDER BY title, film_id LIMIT 7
7| SELECT film_id FROM film WHERE rating <> 'R' OR rating IS NULL ORDER BY film_id
7| SELECT film_id FROM film WHERE rating > 'PG' ORDER BY film_id
8| SELECT customer_id, SUM(amount) FROM payment GROUP BY customer_id HAVING SUM(amount) > 25 ORDER BY SUM(amount) DESC, customer_id
8| SELECT staff_id, COUNT(payment_id), AVG(amount)::numeric(10,2) FROM payment GROUP BY staff_id ORDER BY staff_id
8| SELECT rating, COUNT(*), ROUND(AVG(replacement_cost), 2) FROM film GROUP BY rating ORDER BY rating
8| SELECT c.name, COUNT(*) FROM category c JOIN film_category fc ON fc.category_id = c.category_id JOIN inventory i ON i.film_id = fc.film_id JOIN rental r ON r.inventory_id = i.inventory_id GROUP BY c.name ORDER BY COUNT(*) DESC, c.name LIMIT 5
8| SELECT MAX(amount), MIN(amount), SUM(amount), AVG(amount), STDDEV(amount) FROM payment
8| SELECT DATE(payment_date) AS paid, SUM(amount) FROM payment GROUP BY DATE(payment_date) ORDER BY paid
8| SELECT last_name, COUNT(*) AS n FROM actor GROUP BY last_name HAVING COUNT(*) >= 2 ORDER BY n DESC, last_name
8| SELECT EXTRACT(HOUR FROM rental_date) AS hour, COUNT(*) FROM rental GROUP BY 1 ORDER BY 2 DESC, 1
8| SELECT film_id, string_agg(a.first_name || ' ' || a.last_name, ', ' ORDER BY a.actor_id) AS actors FROM film_actor fa JOIN actor a USING (actor_id) GROUP BY film_id ORDER BY film_id
15| SELECT rating, rental_rate, COUNT(*) FROM film GROUP BY ROLLUP (rating, rental_rate) ORDER BY rating, rental_rate
15| SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount), mode() WITHIN GROUP (ORDER BY amount) FROM payment
10| SELECT DISTINCT rental_rate FROM film ORDER BY rental_rate
10| SELECT DISTINCT ON (customer_id) customer_id, rental_id, rental_date FROM rental ORDER BY customer_id, rental_date DESC
10| SELECT COUNT(DISTINCT last_name) FROM actor
10| SELECT store_id, COUNT(*) FILTER (WHERE active = 1) AS active, COUNT(*) FILTER (WHERE active = 0) AS inactive FROM customer GROUP BY store_id ORDER BY 1
10| SELECT SUM(CASE WHEN rating = 'G' THEN 1 ELSE 0 END) AS g, SUM(CASE WHEN rating = 'R' THEN 1 ELSE 0 END) AS r FROM film
11| SELECT film_id, title FROM film WHERE film_id IN (SELECT i.film_id FROM rental r JOIN inventory i ON i.inventory_id = r.inventory_id WHERE r.return_date BETWEEN '2022-02-01' AND '2022-02-05') ORDER BY title
11| SELECT first_name, last_name FROM customer c WHERE EXISTS (SELECT 1 FROM payment p WHERE p.customer_id = c.customer_id AND amount > 10) ORDER BY first_name, last_name, customer_id
11| SELECT title, rental_rate FROM film WHERE rental_rate > (SELECT AVG(rental_rate) FROM film) ORDER BY film_id
11| SELECT title, length FROM film WHERE length >= ANY (SELECT MAX(length) FROM film INNER JOIN film_category USING (film_id) GROUP BY category_id) ORDER BY length, film_id
11| SELECT film_id, title, length FROM film WHERE length > ALL (SELECT ROUND(AVG(length), 2) FROM film GROUP BY rating) ORDER BY length, film_id
11| SELECT film_id, title FROM film f WHERE length > (SELECT AVG(length) FROM film WHERE rating = f.rating) ORDER BY film_id
12| SELECT first_name || ' ' || last_name AS full_name, LENGTH(first_name), LOWER(email) FROM customer ORDER BY customer_id
12| SELECT title, length, CASE WHEN length > 0 AND length <= 50 THEN 'Short' WHEN length > 50 AND length <= 120 THEN 'Medium' WHEN length > 120 THEN 'Long' END duration FROM film ORDER BY title, film_id
12| SELECT COALESCE(email, 'unknown'), COALESCE(address2, postal_code, '-') FROM customer JOIN address USING (address_id) ORDER BY customer_id
12| SELECT film_id, title, rental_rate * rental_duration AS cost, replacement_cost - rental_rate, ROUND(replacement_cost / rental_rate) FROM film ORDER BY film_id
12| SELECT CAST(rental_rate AS int), rental_rate::text, replacement_cost::real, film_id::varchar || '-' || title FROM film ORDER BY film_id
12| SELECT special_features[1], array_length(special_features, 1), cardinality(special_features), 'Trailers' = ANY(special_features) FROM film ORDER BY film_id
12| SELECT title FROM film WHERE 'Trailers' = ANY(special_features) ORDER BY film_id
12| SELECT title, special_features FROM film WHERE special_features @> ARRAY['Trailers'] ORDER BY film_id
13| SELECT customer_id, (SELECT MAX(rental_date) FROM rental r WHERE r.customer_id = c.customer_id) AS last_rental FROM customer c ORDER BY customer_id
13| SELECT AVG(spent) FROM (SELECT customer_id, SUM(amount) AS spent FROM payment GROUP BY customer_id) AS per_customer
13| SELECT t.title, a.last_name FROM (SELECT film_id, title FROM film ORDER BY replacement_cost DESC, film_id LIMIT 5) t JOIN film_actor fa ON fa.film_id = t.film_id JOIN actor a ON a.actor_id = fa.actor_id ORDER BY t.film_id, a.actor_id
13| SELECT first_name, total FROM customer JOIN (SELECT customer_id, SUM(amount) total FROM payment GROUP BY 1) p USING (customer_id) ORDER BY total DESC, customer_id LIMIT 10
14| SELECT first_name FROM actor UNION SELECT first_name FROM customer ORDER BY first_name
14| SELECT title FROM film WHERE rating = 'G' UNION ALL SELECT title FROM film WHERE length < 60 ORDER BY title
14| SELECT film_id FROM film EXCEPT SELECT film_id FROM inventory ORDER BY film_id
14| SELECT release_year FROM film ORDER BY release_year DESC NULLS LAST, film_id LIMIT 10
14| SELECT date_trunc('day', rental_date) AS day, COUNT(*) FROM rental GROUP BY day ORDER BY day
14| SELECT rental_id, rental_date AT TIME ZONE 'America/New_York', (rental_date AT TIME ZONE 'UTC')::date FROM rental ORDER BY rental_id LIMIT 20
14| SELECT rental_id, return_date - rental_date AS kept, EXTRACT(EPOCH FROM return_date - rental_date) / 86400 FROM rental ORDER BY rental_id
14| SELECT to_char(payment_date, 'Day'), to_char(payment_date, 'HH24:MI'), to_char(amount, '999D99') FROM payment ORDER BY payment_id LIMIT 20
14| WITH film_stats AS (SELECT rating, AVG(rental_rate) AS avg_rate, MAX(length) AS max_length FROM film GROUP BY rating), customer_stats AS (SELECT c.customer_id, SUM(p.amount) AS total FROM customer c JOIN payment p ON p.customer_id = c.customer_id GROUP BY c.customer_id) SELECT fs.rating, fs.avg_rate, (SELECT MAX(total) FROM customer_stats) FROM film_stats fs ORDER BY fs.rating
14| SELECT payment_date::date, SUM(amount) FROM payment WHERE payment_date >= date '2022-02-01' AND payment_date < date '2022-02-01' + interval '1 week' GROUP BY 1 ORDER BY 1
15| SELECT customer_id, payment_date, amount, SUM(amount) OVER (PARTITION BY customer_id ORDER BY payment_date, payment_id) FROM payment ORDER BY payment_id
15| SELECT title, rating, replacement_cost, AVG(replacement_cost) OVER (PARTITION BY rating) FROM film ORDER BY film_id
15| SELECT title, length, ROW_NUMBER() OVER (ORDER BY length DESC NULLS LAST, film_id), DENSE_RANK() OVER (ORDER BY length DESC NULLS LAST) FROM film ORDER BY 3
15| SELECT customer_id, rental_date, LEAD(rental_date, 1) OVER (PARTITION BY customer_id ORDER BY rental_date) - rental_date AS gap FROM rental ORDER BY rental_id
15| SELECT film_id, FIRST_VALUE(title) OVER (PARTITION BY rating ORDER BY length, film_id), LAST_VALUE(title) OVER (PARTITION BY rating ORDER BY length, film_id RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM film ORDER BY film_id
