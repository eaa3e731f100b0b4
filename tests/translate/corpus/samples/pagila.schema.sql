-- A shop that lends films: the tables of the DVD rental (Pagila, Sakila) sample database, with rows of our own.
CREATE TYPE mpaa_rating AS ENUM ('G', 'PG', 'PG-13', 'R', 'NC-17');
CREATE TABLE language (language_id int PRIMARY KEY, name char(20) NOT NULL, last_update timestamptz NOT NULL);
CREATE TABLE film (film_id int PRIMARY KEY, title text NOT NULL, description text, release_year int, language_id int NOT NULL REFERENCES language,
  rental_duration smallint NOT NULL, rental_rate numeric(4,2) NOT NULL, length smallint, replacement_cost numeric(5,2) NOT NULL, rating mpaa_rating, special_features text[], last_update timestamptz NOT NULL);
CREATE TABLE actor (actor_id int PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL, last_update timestamptz NOT NULL);
CREATE TABLE film_actor (actor_id int REFERENCES actor, film_id int REFERENCES film, last_update timestamptz NOT NULL, PRIMARY KEY (actor_id, film_id));
CREATE TABLE category (category_id int PRIMARY KEY, name text NOT NULL, last_update timestamptz NOT NULL);
CREATE TABLE film_category (film_id int REFERENCES film, category_id int REFERENCES category, PRIMARY KEY (film_id, category_id));
CREATE TABLE country (country_id int PRIMARY KEY, country text NOT NULL);
CREATE TABLE city (city_id int PRIMARY KEY, city text NOT NULL, country_id int NOT NULL REFERENCES country);
CREATE TABLE address (address_id int PRIMARY KEY, address text NOT NULL, address2 text, district text NOT NULL, city_id int NOT NULL REFERENCES city, postal_code text, phone text NOT NULL);
CREATE TABLE store (store_id int PRIMARY KEY, manager_staff_id int NOT NULL, address_id int NOT NULL REFERENCES address);
CREATE TABLE staff (staff_id int PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL, email text, store_id int NOT NULL, active boolean NOT NULL, username text NOT NULL);
CREATE TABLE customer (customer_id int PRIMARY KEY, store_id int NOT NULL REFERENCES store, first_name text NOT NULL, last_name text NOT NULL, email text, address_id int NOT NULL REFERENCES address, activebool boolean NOT NULL, create_date date NOT NULL, active int);
CREATE TABLE inventory (inventory_id int PRIMARY KEY, film_id int NOT NULL REFERENCES film, store_id int NOT NULL REFERENCES store);
CREATE TABLE rental (rental_id int PRIMARY KEY, rental_date timestamptz NOT NULL, inventory_id int NOT NULL REFERENCES inventory, customer_id int NOT NULL REFERENCES customer, return_date timestamptz, staff_id int NOT NULL REFERENCES staff);
CREATE TABLE payment (payment_id int, customer_id int NOT NULL, staff_id int NOT NULL, rental_id int NOT NULL, amount numeric(5,2) NOT NULL, payment_date timestamptz NOT NULL, PRIMARY KEY (payment_date, payment_id)) PARTITION BY RANGE (payment_date);
CREATE TABLE payment_p2022_01 PARTITION OF payment FOR VALUES FROM ('2022-01-01') TO ('2022-02-01');
CREATE TABLE payment_p2022_02 PARTITION OF payment FOR VALUES FROM ('2022-02-01') TO ('2022-03-01');
CREATE TABLE payment_rest PARTITION OF payment DEFAULT;
INSERT INTO language SELECT n, (ARRAY['English','Italian','Japanese','Mandarin','French','German'])[n], '2022-02-15 10:02:19+00' FROM generate_series(1, 6) n;
INSERT INTO film SELECT n, (ARRAY['ACADEMY DINOSAUR','ACE GOLDFINGER','ALIEN CENTER','ÉLYSÉE DREAM','ZORRO ARK'])[n % 5 + 1] || ' ' || n, CASE WHEN n % 6 > 0 THEN 'A ' || (ARRAY['Epic Drama','Fast-Paced Documentary','Boring Tale'])[n % 3 + 1] || ' of a Robot' END, CASE WHEN n % 9 > 0 THEN 2000 + n % 20 END,
  n % 6 + 1, n % 5 + 3, (ARRAY[0.99, 2.99, 4.99])[n % 3 + 1], CASE WHEN n % 10 > 0 THEN 46 + n * 37 % 140 END, 9.99 + n % 20, CASE WHEN n % 12 > 0 THEN (ARRAY['G','PG','PG-13','R','NC-17']::mpaa_rating[])[n % 5 + 1] END,
  CASE n % 4 WHEN 1 THEN ARRAY['Trailers'] WHEN 2 THEN ARRAY['Commentaries', 'Deleted Scenes'] WHEN 3 THEN ARRAY['Trailers', 'Behind the Scenes'] END, timestamptz '2022-09-10 16:46:03+00' + n * interval '1.000123 s' FROM generate_series(1, 60) n;
UPDATE film SET special_features = '{Trailers,"Deleted Scenes"}' WHERE film_id % 7 = 0;
INSERT INTO actor SELECT n, (ARRAY['PENELOPE','NICK','ED','JENNIFER','JOHNNY','UMA'])[n % 6 + 1], (ARRAY['GUINESS','WAHLBERG','CHASE','DAVIS','LOLLOBRIGIDA'])[n % 5 + 1], '2022-02-15 09:34:33+00' FROM generate_series(1, 40) n;
INSERT INTO film_actor SELECT a, f, '2022-02-15 10:05:03+00' FROM generate_series(1, 40) a, generate_series(1, 60) f WHERE (a * 3 + f * 5) % 17 = 2;
INSERT INTO category SELECT n, (ARRAY['Action','Animation','Children','Classics','Comedy','Documentary','Sports'])[n], '2022-02-15 09:46:27+00' FROM generate_series(1, 7) n;
INSERT INTO film_category SELECT f, f % 6 + 1 FROM generate_series(1, 60) f;
INSERT INTO country VALUES (1,'Canada'),(2,'Brazil'),(3,'Česko'),(4,'India');
INSERT INTO city SELECT n, 'City ' || n, n % 4 + 1 FROM generate_series(1, 12) n;
INSERT INTO address SELECT n, n || ' Street', CASE WHEN n % 3 = 0 THEN '' END, 'District ' || n % 5, n % 12 + 1, CASE WHEN n % 4 > 0 THEN lpad((n * 991)::text, 5, '0') END, '1' || n FROM generate_series(1, 30) n;
INSERT INTO store VALUES (1, 1, 1), (2, 2, 2);
INSERT INTO staff VALUES (1,'Mike','Hillyer','mike@example.com',1,true,'Mike'), (2,'Jon','Stephens',NULL,2,false,'Jon');
INSERT INTO customer SELECT n, n % 2 + 1, (ARRAY['MARY','PATRICIA','LINDA','BARBARA','ELIZABETH'])[n % 5 + 1], (ARRAY['SMITH','JOHNSON','WILLIAMS','JONES'])[n % 4 + 1], CASE WHEN n % 8 > 0 THEN lower((ARRAY['MARY','PATRICIA','LINDA','BARBARA','ELIZABETH'])[n % 5 + 1]) || n || '@sakilacustomer.org' END, n % 30 + 1, n % 6 > 0, date '2022-02-14' - n, (n % 6 > 0)::int FROM generate_series(1, 40) n;
INSERT INTO inventory SELECT n, n % 55 + 1, n % 2 + 1 FROM generate_series(1, 120) n;
INSERT INTO rental SELECT n, timestamptz '2022-01-10 22:53:30+00' + n * interval '5 hours 17 minutes', n * 7 % 120 + 1, n * 3 % 38 + 1, CASE WHEN n % 11 > 0 THEN timestamptz '2022-01-12 22:04:30+00' + n * interval '5 hours 17 minutes' + n % 9 * interval '1 day' END, n % 2 + 1 FROM generate_series(1, 250) n;
INSERT INTO payment SELECT n, n * 3 % 38 + 1, n % 2 + 1, n, (ARRAY[0.99, 2.99, 4.99, 0.00, 10.99])[n % 5 + 1], timestamptz '2022-01-11 01:00:00+00' + n * interval '5 hours 17 minutes' FROM generate_series(1, 250) n;
