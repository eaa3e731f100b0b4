-- A music shop: the tables of the Chinook sample database, with rows of our own.
CREATE TABLE artist (artist_id int PRIMARY KEY, name varchar(120));
CREATE TABLE album (album_id int PRIMARY KEY, title varchar(160) NOT NULL, artist_id int NOT NULL REFERENCES artist);
CREATE TABLE genre (genre_id int PRIMARY KEY, name varchar(120));
CREATE TABLE media_type (media_type_id int PRIMARY KEY, name varchar(120));
CREATE TABLE track (track_id int PRIMARY KEY, name varchar(200) NOT NULL, album_id int REFERENCES album,
  media_type_id int NOT NULL REFERENCES media_type, genre_id int REFERENCES genre, composer varchar(220),
  milliseconds int NOT NULL, bytes int, unit_price numeric(10,2) NOT NULL);
CREATE TABLE playlist (playlist_id int PRIMARY KEY, name varchar(120));
CREATE TABLE playlist_track (playlist_id int REFERENCES playlist, track_id int REFERENCES track, PRIMARY KEY (playlist_id, track_id));
CREATE TABLE employee (employee_id int PRIMARY KEY, last_name varchar(20) NOT NULL, first_name varchar(20) NOT NULL,
  title varchar(30), reports_to int REFERENCES employee, birth_date timestamp, hire_date timestamp, city varchar(40), country varchar(40));
CREATE TABLE customer (customer_id int PRIMARY KEY, first_name varchar(40) NOT NULL, last_name varchar(20) NOT NULL,
  company varchar(80), city varchar(40), state varchar(40), country varchar(40), phone varchar(24), email varchar(60) NOT NULL,
  support_rep_id int REFERENCES employee);
CREATE TABLE invoice (invoice_id int PRIMARY KEY, customer_id int NOT NULL REFERENCES customer, invoice_date timestamp NOT NULL,
  billing_city varchar(40), billing_country varchar(40), total numeric(10,2) NOT NULL);
CREATE TABLE invoice_line (invoice_line_id int PRIMARY KEY, invoice_id int NOT NULL REFERENCES invoice,
  track_id int NOT NULL REFERENCES track, unit_price numeric(10,2) NOT NULL, quantity int NOT NULL);
INSERT INTO artist SELECT n, CASE WHEN n = 13 THEN NULL ELSE (ARRAY['AC/DC','Iron Maiden','Björk','Os Mutantes','The Cult'])[n % 5 + 1] || ' ' || n END FROM generate_series(1, 25) n;
INSERT INTO album SELECT n, (ARRAY['Live','Greatest Hits','Black Album','Vol. '])[n % 4 + 1] || ' ' || n, n % 20 + 1 FROM generate_series(1, 40) n;
INSERT INTO genre VALUES (1,'Rock'),(2,'Jazz'),(3,'Metal'),(4,'Alternative & Punk'),(5,'Latin'),(6,'Opera'),(7,NULL);
INSERT INTO media_type VALUES (1,'MPEG audio file'),(2,'AAC audio file'),(3,'Protected AAC audio file');
INSERT INTO track SELECT n, (ARRAY['Love','Walk on','The Fire','Água','over the hills','100%'])[n % 6 + 1] || ' ' || n, CASE WHEN n % 17 > 0 THEN n % 40 + 1 END,
  n % 3 + 1, CASE WHEN n % 13 > 0 THEN n % 6 + 1 END, CASE WHEN n % 4 > 0 THEN (ARRAY['Angus Young, Brian Johnson','Steve Harris','Gilberto Gil'])[n % 3 + 1] END,
  60000 + n * 7919 % 400000, CASE WHEN n % 11 > 0 THEN n * 65537 END, CASE WHEN n % 9 = 0 THEN 1.99 ELSE 0.99 END FROM generate_series(1, 160) n;
INSERT INTO playlist VALUES (1,'Music'),(2,'Movies'),(3,'90’s Music'),(4,'Classical'),(5,NULL);
INSERT INTO playlist_track SELECT p, t FROM generate_series(1, 4) p, generate_series(1, 160) t WHERE (p * t) % 7 = 3;
INSERT INTO employee SELECT n, (ARRAY['Adams','Edwards','Peacock','Park','Johnson','Mitchell','King','Callahan'])[n], (ARRAY['Andrew','Nancy','Jane','Margaret','Steve','Michael','Robert','Laura'])[n],
  (ARRAY['General Manager','Sales Manager','Sales Support Agent','Sales Support Agent','Sales Support Agent','IT Manager','IT Staff','IT Staff'])[n],
  (ARRAY[NULL,1,2,2,2,1,6,6]::int[])[n], timestamp '1960-02-18' + n * interval '700 days', timestamp '2002-05-01' + n * interval '97 days', 'Calgary', 'Canada' FROM generate_series(1, 8) n;
INSERT INTO customer SELECT n, (ARRAY['Luís','Leonie','François','Bjørn','Helena','Mark'])[n % 6 + 1], (ARRAY['Gonçalves','Köhler','Tremblay','Hansen','Holý'])[n % 5 + 1],
  CASE WHEN n % 5 = 0 THEN 'Company ' || n END, (ARRAY['Prague','Oslo','Paris','São Paulo','Montréal'])[n % 5 + 1], CASE WHEN n % 4 = 0 THEN 'QC' END,
  (ARRAY['Czech Republic','Norway','France','Brazil','Canada','USA'])[n % 6 + 1], CASE WHEN n % 3 > 0 THEN '+55 (12) ' || n END, 'c' || n || '@example.com', n % 3 + 3 FROM generate_series(1, 30) n;
INSERT INTO invoice SELECT n, n % 28 + 1, timestamp '2021-01-01' + n * interval '9 days 3 hours', (ARRAY['Prague','Oslo','Paris'])[n % 3 + 1],
  (ARRAY['Czech Republic','Norway','France','Brazil','Canada','USA'])[n % 6 + 1], (n * 37 % 2000) / 100.0 FROM generate_series(1, 90) n;
INSERT INTO invoice_line SELECT n, n % 90 + 1, n * 7 % 160 + 1, CASE WHEN n % 9 = 0 THEN 1.99 ELSE 0.99 END, n % 3 + 1 FROM generate_series(1, 300) n;
