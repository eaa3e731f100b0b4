-- What \d and its relatives show: each is a handful of catalogue queries.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE customers (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL UNIQUE,
  feeling mood DEFAULT 'ok',
  credit positive
);
COMMENT ON TABLE customers IS 'people who pay';
CREATE TABLE orders (
  id bigint PRIMARY KEY,
  customer int NOT NULL REFERENCES customers ON DELETE CASCADE,
  placed timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (id);
CREATE TABLE orders_low PARTITION OF orders FOR VALUES FROM (0) TO (1000);
CREATE INDEX ON orders (placed);
CREATE VIEW cheerful AS SELECT id, email FROM customers WHERE feeling = 'happy';
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
\d
\d customers
\d+ orders
\d orders_low
\d+ cheerful
\dt
\di
\dv
\df twice
\sf twice
\sv cheerful
\dT+ mood
\dD
\dn
\dx
\d nothing_of_this_name
\dp customers
SELECT 1 AS a, 'x'::text AS b, now() AS c, NULL::mood AS d, ARRAY[1.5] AS e \gdesc
INSERT INTO customers (email) VALUES ('a') RETURNING id, email \gdesc
SELECT * FROM customers \gdesc
SELECT broken FROM customers \gdesc
DROP VIEW cheerful;
DROP FUNCTION twice(int);
DROP TABLE orders, customers;
DROP DOMAIN positive;
DROP TYPE mood;
-- end of script
