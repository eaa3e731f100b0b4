-- Northwind: questions people ask of it, as they write them
1| SELECT * FROM customers WHERE customer_id = 'BBX01'
1| SELECT product_name, unit_price FROM products WHERE product_id = $1 @@ (11,)
1| SELECT * FROM order_details WHERE order_id = 10250 AND product_id = 4
2| SELECT * FROM orders WHERE customer_id = $1 ORDER BY order_id @@ ('BBX01',)
2| SELECT product_id, quantity FROM order_details WHERE order_id = 10260 ORDER BY product_id
3| SELECT company_name FROM customers WHERE country IN ('Germany', 'UK', 'France') ORDER BY customer_id
3| SELECT * FROM products WHERE product_id = ANY(ARRAY[1, 5, 9]) ORDER BY product_id
4| SELECT company_name, contact_name FROM customers WHERE region IS NOT NULL AND country = 'Spain' ORDER BY company_name LIMIT 10
4| SELECT product_name, unit_price FROM products WHERE discontinued = 0 AND unit_price < 90 ORDER BY unit_price DESC, product_id
4| SELECT order_id, order_date, shipped_date FROM orders WHERE shipped_date > required_date ORDER BY order_date OFFSET 5 LIMIT 5
4| SELECT * FROM orders WHERE shipped_date IS NULL AND order_date >= DATE '1997-01-01' ORDER BY order_id
5| SELECT count(*) FROM orders WHERE order_date BETWEEN '1996-08-01' AND '1996-08-31'
5| SELECT EXISTS(SELECT 1 FROM products WHERE units_in_stock = 0)
5| SELECT count(*) FROM (SELECT DISTINCT country FROM customers) AS countries
6| SELECT p.product_name, c.category_name FROM products p INNER JOIN categories c ON p.category_id = c.category_id WHERE c.category_name = 'Seafood' ORDER BY p.product_id
6| SELECT c.company_name, o.order_id FROM customers c LEFT OUTER JOIN orders o ON o.customer_id = c.customer_id ORDER BY c.customer_id, o.order_id
6| SELECT o.order_id, c.company_name, e.last_name, s.company_name FROM orders o JOIN customers c ON o.customer_id = c.customer_id JOIN employees e ON o.employee_id = e.employee_id JOIN shippers s ON o.ship_via = s.shipper_id WHERE o.ship_country = 'Spain' ORDER BY o.order_id
6| SELECT a.company_name AS a, b.company_name AS b, a.city FROM customers a, customers b WHERE a.customer_id < b.customer_id AND a.city = b.city AND a.country = 'Sweden' ORDER BY a.customer_id, b.customer_id
6| SELECT s.company_name, p.product_name FROM products p RIGHT JOIN suppliers s ON s.supplier_id = p.supplier_id AND p.unit_price > 200 ORDER BY s.supplier_id, p.product_id
6| SELECT c.city, s.city FROM customers c FULL OUTER JOIN suppliers s ON c.city = s.city ORDER BY c.city, s.city
7| SELECT company_name FROM customers WHERE company_name LIKE 'B%' OR contact_title = 'Owner' ORDER BY customer_id
7| SELECT product_name FROM products WHERE unit_price NOT BETWEEN 10 AND 100 ORDER BY product_id
7| SELECT * FROM customers WHERE NOT country = 'Germany' AND NOT country = 'USA' ORDER BY customer_id
7| SELECT company_name FROM customers WHERE city LIKE '_ondon' AND postal_code LIKE '1%' ORDER BY customer_id
7| SELECT order_id FROM orders WHERE (order_date, order_id) > ($1, $2) ORDER BY order_date, order_id LIMIT 5 @@ ('1996-12-01', 10300)
8| SELECT ship_country, count(*) FROM orders GROUP BY ship_country HAVING count(*) > 20 ORDER BY count(*) DESC, ship_country
8| SELECT category_id, avg(unit_price), min(unit_price), max(unit_price), sum(units_in_stock) FROM products GROUP BY category_id ORDER BY category_id
8| SELECT o.order_id, sum(od.unit_price * od.quantity * (1 - od.discount)) AS total FROM orders o JOIN order_details od ON od.order_id = o.order_id GROUP BY o.order_id ORDER BY o.order_id
8| SELECT e.first_name, e.last_name, count(o.order_id) AS num_orders FROM employees e LEFT JOIN orders o ON e.employee_id = o.employee_id GROUP BY e.employee_id, e.first_name, e.last_name ORDER BY num_orders DESC, e.employee_id
8| SELECT date_part('year', order_date) AS y, date_part('month', order_date) AS m, count(*) FROM orders GROUP BY y, m ORDER BY y, m
8| SELECT c.category_name, sum(od.quantity) FROM categories c JOIN products p USING (category_id) JOIN order_details od USING (product_id) GROUP BY c.category_id, c.category_name ORDER BY 2 DESC, 1
15| SELECT country, city, count(*) FROM customers GROUP BY GROUPING SETS ((country), (country, city), ()) ORDER BY country, city
8| SELECT bool_and(discontinued = 0), bool_or(units_in_stock = 0), every(unit_price > 0) FROM products
10| SELECT DISTINCT country, city FROM customers ORDER BY country, city
10| SELECT DISTINCT ON (category_id) category_id, product_name, units_in_stock FROM products ORDER BY category_id, units_in_stock DESC, product_id
10| SELECT count(DISTINCT customer_id) AS customers, count(DISTINCT ship_country) AS countries FROM orders
10| SELECT employee_id, count(*) FILTER (WHERE shipped_date IS NULL) AS open_orders FROM orders GROUP BY employee_id ORDER BY employee_id
11| SELECT product_name, unit_price FROM products WHERE unit_price > (SELECT avg(unit_price) FROM products) ORDER BY unit_price, product_id
11| SELECT company_name FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM orders WHERE customer_id IS NOT NULL) ORDER BY customer_id
11| SELECT company_name FROM suppliers s WHERE EXISTS (SELECT product_name FROM products p WHERE p.supplier_id = s.supplier_id AND unit_price < 90) ORDER BY supplier_id
11| SELECT product_name FROM products WHERE product_id = ANY (SELECT product_id FROM order_details WHERE quantity > 30) ORDER BY product_id
11| SELECT product_name FROM products WHERE product_id = ALL (SELECT product_id FROM order_details WHERE quantity = 10) ORDER BY 1
11| SELECT customer_id FROM customers c WHERE (SELECT count(*) FROM orders o WHERE o.customer_id = c.customer_id) > 3 ORDER BY 1
12| SELECT first_name || ' ' || last_name AS name, COALESCE(notes, title, 'none'), age(DATE '2000-01-01', birth_date) FROM employees ORDER BY employee_id
12| SELECT product_name, unit_price * 1.1 AS raised, round(unit_price::numeric, 1), units_in_stock + units_on_order AS available FROM products ORDER BY product_id
12| SELECT order_id, quantity, CASE WHEN quantity > 30 THEN 'more' WHEN quantity = 30 THEN 'equal' ELSE 'less' END FROM order_details ORDER BY order_id, product_id
12| SELECT initcap(lower(company_name)), char_length(company_name), substring(company_name from 1 for 4), position('e' in company_name), trim(both ' ' from contact_name) FROM suppliers ORDER BY supplier_id
12| SELECT company_name, upper(left(city, 1)) || lower(substring(city, 2)) AS city, lpad(customer_id, 8, '*'), reverse(customer_id) FROM customers ORDER BY customer_id
12| SELECT category_name, description, octet_length(picture), encode(picture, 'hex') FROM categories ORDER BY category_id
12| SELECT greatest(units_in_stock, reorder_level), least(units_in_stock, reorder_level), units_in_stock::text, (unit_price > 100)::int, ceil(unit_price), floor(unit_price) FROM products ORDER BY product_id
12| SELECT shipped_date - order_date AS days, order_date + 7, order_date + interval '1 month', to_char(order_date, 'DD Mon YYYY') FROM orders ORDER BY order_id
13| SELECT product_name, (SELECT category_name FROM categories c WHERE c.category_id = p.category_id) FROM products p ORDER BY product_id
13| SELECT x.customer_id, x.orders FROM (SELECT customer_id, count(*) AS orders FROM orders GROUP BY customer_id) x WHERE x.orders >= 4 ORDER BY x.orders DESC, x.customer_id
13| SELECT c.company_name, last.order_date FROM customers c JOIN (SELECT customer_id, max(order_date) AS order_date FROM orders GROUP BY customer_id) last ON last.customer_id = c.customer_id ORDER BY c.customer_id
13| SELECT c.company_name, o.order_id FROM customers c CROSS JOIN LATERAL (SELECT order_id FROM orders WHERE customer_id = c.customer_id ORDER BY order_date DESC, order_id LIMIT 1) o ORDER BY c.customer_id
14| SELECT city FROM customers UNION ALL SELECT city FROM suppliers ORDER BY city
14| SELECT 'Customer' AS type, contact_name, city FROM customers UNION SELECT 'Supplier', contact_name, city FROM suppliers ORDER BY 3, 1, 2
14| SELECT extract(quarter FROM order_date) AS q, extract(week FROM order_date) AS w, count(*) FROM orders GROUP BY 1, 2 ORDER BY 1, 2
14| SELECT region, count(*) FROM customers GROUP BY region ORDER BY region NULLS LAST
14| WITH totals AS (SELECT order_id, sum(quantity) AS q FROM order_details GROUP BY order_id), big AS (SELECT * FROM totals WHERE q > 50) SELECT o.ship_country, count(*), max(big.q) FROM big JOIN orders o ON o.order_id = big.order_id GROUP BY o.ship_country ORDER BY 1
14| SELECT date_trunc('quarter', order_date)::date, sum(freight) FROM orders GROUP BY 1 ORDER BY 1
14| SELECT make_date(1997, 1, 31) - order_date, order_date < CURRENT_DATE FROM orders ORDER BY order_id LIMIT 5
14| VALUES (1, 'one'), (2, 'two')
15| SELECT product_name, category_id, unit_price, dense_rank() OVER (PARTITION BY category_id ORDER BY unit_price DESC) FROM products ORDER BY category_id, 4, product_id
15| SELECT order_id, freight, avg(freight) OVER (ORDER BY order_id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM orders ORDER BY order_id
15| SELECT employee_id, order_date, count(*) OVER (PARTITION BY employee_id) AS n, first_value(order_id) OVER (PARTITION BY employee_id ORDER BY order_date) FROM orders ORDER BY order_id
15| SELECT category_id, sum(units_in_stock) AS s, round(100.0 * sum(units_in_stock) / sum(sum(units_in_stock)) OVER (), 2) FROM products GROUP BY category_id ORDER BY category_id
15| SELECT product_id, percent_rank() OVER (ORDER BY unit_price), cume_dist() OVER (ORDER BY unit_price) FROM products ORDER BY product_id
