-- A trader in food: the tables of the Northwind sample database, with rows of our own.
CREATE TABLE categories (category_id smallint PRIMARY KEY, category_name varchar(15) NOT NULL, description text, picture bytea);
CREATE TABLE customers (customer_id varchar(5) PRIMARY KEY, company_name varchar(40) NOT NULL, contact_name varchar(30),
  contact_title varchar(30), address varchar(60), city varchar(15), region varchar(15), postal_code varchar(10), country varchar(15), phone varchar(24), fax varchar(24));
CREATE TABLE employees (employee_id smallint PRIMARY KEY, last_name varchar(20) NOT NULL, first_name varchar(10) NOT NULL, title varchar(30),
  birth_date date, hire_date date, city varchar(15), country varchar(15), reports_to smallint, notes text);
CREATE TABLE shippers (shipper_id smallint PRIMARY KEY, company_name varchar(40) NOT NULL, phone varchar(24));
CREATE TABLE suppliers (supplier_id smallint PRIMARY KEY, company_name varchar(40) NOT NULL, contact_name varchar(30), city varchar(15), region varchar(15), country varchar(15), homepage text);
CREATE TABLE products (product_id smallint PRIMARY KEY, product_name varchar(40) NOT NULL, supplier_id smallint REFERENCES suppliers,
  category_id smallint REFERENCES categories, quantity_per_unit varchar(20), unit_price real, units_in_stock smallint, units_on_order smallint, reorder_level smallint, discontinued int NOT NULL);
CREATE TABLE orders (order_id smallint PRIMARY KEY, customer_id varchar(5) REFERENCES customers, employee_id smallint REFERENCES employees,
  order_date date, required_date date, shipped_date date, ship_via smallint REFERENCES shippers, freight real, ship_name varchar(40), ship_city varchar(15), ship_region varchar(15), ship_country varchar(15));
CREATE TABLE order_details (order_id smallint REFERENCES orders, product_id smallint REFERENCES products, unit_price real NOT NULL, quantity smallint NOT NULL, discount real NOT NULL, PRIMARY KEY (order_id, product_id));
INSERT INTO categories SELECT n, (ARRAY['Beverages','Condiments','Confections','Dairy Products','Grains/Cereals','Meat/Poultry','Produce','Seafood'])[n], CASE WHEN n % 3 > 0 THEN 'Category no. ' || n END, decode(lpad(to_hex(n * 99), 6, '0'), 'hex') FROM generate_series(1, 8) n;
INSERT INTO customers SELECT chr(65 + n % 26) || chr(65 + n % 7) || 'X' || lpad(n::text, 2, '0'), (ARRAY['Alfreds Futterkiste','Bólido Comidas','Ernst Handel','Folies gourmandes','Berglunds snabbköp'])[n % 5 + 1] || ' ' || n,
  'Contact ' || n, (ARRAY['Owner','Sales Representative','Marketing Manager'])[n % 3 + 1], 'Street ' || n, (ARRAY['Berlin','London','Madrid','Graz','Luleå','Portland'])[n % 6 + 1],
  CASE WHEN n % 4 = 0 THEN 'OR' END, CASE WHEN n % 7 > 0 THEN (10000 + n * 13)::text END, (ARRAY['Germany','UK','Spain','Austria','Sweden','USA'])[n % 6 + 1], '030-' || n, CASE WHEN n % 2 = 0 THEN '030-' || n END FROM generate_series(1, 45) n;
INSERT INTO employees SELECT n, (ARRAY['Davolio','Fuller','Leverling','Peacock','Buchanan','Suyama','King','Callahan','Dodsworth'])[n], (ARRAY['Nancy','Andrew','Janet','Margaret','Steven','Michael','Robert','Laura','Anne'])[n],
  CASE WHEN n = 2 THEN 'Vice President, Sales' ELSE 'Sales Representative' END, date '1948-12-08' + n * 1000, date '1992-05-01' + n * 111, (ARRAY['Seattle','London'])[n % 2 + 1], (ARRAY['USA','UK'])[n % 2 + 1], CASE WHEN n = 2 THEN NULL WHEN n < 6 THEN 2 ELSE 5 END, NULL FROM generate_series(1, 9) n;
INSERT INTO shippers VALUES (1,'Speedy Express','(503) 555-9831'),(2,'United Package','(503) 555-3199'),(3,'Federal Shipping',NULL);
INSERT INTO suppliers SELECT n, 'Supplier ' || n, 'Person ' || n, (ARRAY['London','Tokyo','Osaka','Göteborg'])[n % 4 + 1], NULL, (ARRAY['UK','Japan','Japan','Sweden'])[n % 4 + 1], CASE WHEN n % 5 = 0 THEN 'http://example.com/' || n END FROM generate_series(1, 15) n;
INSERT INTO products SELECT n, (ARRAY['Chai','Chang','Aniseed Syrup','Queso Cabrales','Côte de Blaye','Röd Kaviar'])[n % 6 + 1] || ' ' || n, n % 15 + 1, CASE WHEN n % 19 > 0 THEN n % 8 + 1 END, n || ' boxes', (n * 37 % 260)::real + 0.25 * (n % 4)::real,
  n * 11 % 120, n % 5 * 10, n % 4 * 5, (n % 8 = 0)::int FROM generate_series(1, 50) n;
INSERT INTO orders SELECT 10247 + n, (SELECT customer_id FROM customers ORDER BY customer_id OFFSET n * 7 % 40 LIMIT 1), n % 9 + 1, date '1996-07-04' + n * 3, date '1996-08-01' + n * 3, CASE WHEN n % 10 > 0 THEN date '1996-07-10' + n * 3 + n % 30 END,
  n % 3 + 1, (n * 131 % 9000)::real / 64, 'Ship ' || n, (ARRAY['Berlin','London','Madrid','Graz','Luleå','Portland'])[n % 6 + 1], CASE WHEN n % 4 = 0 THEN 'OR' END, (ARRAY['Germany','UK','Spain','Austria','Sweden','USA'])[n % 6 + 1] FROM generate_series(1, 150) n;
INSERT INTO order_details SELECT o, p, (p * 37 % 260)::real + 0.25, o % 40 + 1, (ARRAY[0, 0.05, 0.1, 0.15, 0.25]::real[])[o % 5 + 1] FROM generate_series(10248, 10397) o, generate_series(1, 50) p WHERE (o * 7 + p * 3) % 19 = 0;
