-- pgbench's tables, TPC-C's, and those of a blog as Prisma makes them, with a few rows each.
CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
INSERT INTO pgbench_branches SELECT n, 0, NULL FROM generate_series(1, 2) n;
INSERT INTO pgbench_tellers SELECT n, n % 2 + 1, n, NULL FROM generate_series(1, 20) n;
INSERT INTO pgbench_accounts SELECT n, n % 2 + 1, n * 7 - 300, '' FROM generate_series(1, 100) n;

CREATE TABLE warehouse (w_id int PRIMARY KEY, w_name varchar(10), w_street_1 varchar(20), w_city varchar(20),
  w_state char(2), w_zip char(9), w_tax numeric(4,4), w_ytd numeric(12,2));
CREATE TABLE district (d_w_id int, d_id int, d_name varchar(10), d_street_1 varchar(20), d_tax numeric(4,4),
  d_ytd numeric(12,2), d_next_o_id int, PRIMARY KEY (d_w_id, d_id));
CREATE TABLE tpcc_customer (c_w_id int, c_d_id int, c_id int, c_first varchar(16), c_middle char(2),
  c_last varchar(16), c_since timestamp, c_credit char(2), c_credit_lim numeric(12,2), c_discount numeric(4,4),
  c_balance numeric(12,2), c_data varchar(500), PRIMARY KEY (c_w_id, c_d_id, c_id));
CREATE TABLE item (i_id int PRIMARY KEY, i_name varchar(24), i_price numeric(5,2), i_data varchar(50), i_im_id int);
CREATE TABLE stock (s_w_id int, s_i_id int, s_quantity int, s_dist_01 char(24), s_ytd numeric(8,0), s_order_cnt int,
  s_data varchar(50), PRIMARY KEY (s_w_id, s_i_id));
CREATE TABLE oorder (o_w_id int, o_d_id int, o_id int, o_c_id int, o_carrier_id int, o_ol_cnt int, o_entry_d timestamp,
  PRIMARY KEY (o_w_id, o_d_id, o_id));
CREATE TABLE new_order (no_w_id int, no_d_id int, no_o_id int, PRIMARY KEY (no_w_id, no_d_id, no_o_id));
CREATE TABLE order_line (ol_w_id int, ol_d_id int, ol_o_id int, ol_number int, ol_i_id int, ol_delivery_d timestamp,
  ol_amount numeric(6,2), ol_supply_w_id int, ol_quantity int, PRIMARY KEY (ol_w_id, ol_d_id, ol_o_id, ol_number));
INSERT INTO warehouse SELECT n, 'W' || n, 'street', 'city', 'ST', '123456789', 0.0125 * n, 300000 FROM generate_series(1, 2) n;
INSERT INTO district SELECT w, d, 'D' || d, 'street', 0.01 * d, 30000.00, 11 FROM generate_series(1, 2) w, generate_series(1, 3) d;
INSERT INTO tpcc_customer SELECT w, d, c, 'First' || c, 'OE', (ARRAY['BARBARBAR','OUGHTABLE','PRESEING'])[c % 3 + 1],
  '2020-01-01', 'GC', 50000, 0.05, -10.00 + c, 'data ' || c
  FROM generate_series(1, 2) w, generate_series(1, 3) d, generate_series(1, 10) c;
INSERT INTO item SELECT n, 'item ' || n, n * 1.25, 'data', n % 5 FROM generate_series(1, 30) n;
INSERT INTO stock SELECT w, i, (i * 7) % 25, 'dist', 0, 0, 'stock' FROM generate_series(1, 2) w, generate_series(1, 30) i;
INSERT INTO oorder SELECT w, d, o, (o * 3) % 10 + 1, CASE WHEN o < 8 THEN o END, 5, timestamp '2021-01-01' + o * interval '1 h'
  FROM generate_series(1, 2) w, generate_series(1, 3) d, generate_series(1, 10) o;
INSERT INTO new_order SELECT o_w_id, o_d_id, o_id FROM oorder WHERE o_id >= 8;
INSERT INTO order_line SELECT o_w_id, o_d_id, o_id, l, (o_id * l) % 30 + 1,
  CASE WHEN o_id < 8 THEN o_entry_d END, (o_id * l * 1.37)::numeric(6,2), o_w_id, 5 FROM oorder, generate_series(1, 5) l;

CREATE TYPE "Role" AS ENUM ('USER', 'ADMIN');
CREATE TABLE "User" (id serial PRIMARY KEY, email text NOT NULL UNIQUE, name text, role "Role" NOT NULL DEFAULT 'USER',
  "createdAt" timestamp(3) NOT NULL);
CREATE TABLE "Post" (id serial PRIMARY KEY, title text NOT NULL, content text, published boolean NOT NULL DEFAULT false,
  "viewCount" int NOT NULL DEFAULT 0, "authorId" int REFERENCES "User"(id), "createdAt" timestamp(3) NOT NULL);
CREATE TABLE "Category" (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE "_CategoryToPost" ("A" int NOT NULL, "B" int NOT NULL, PRIMARY KEY ("A", "B"));
INSERT INTO "User" (email, name, role, "createdAt") SELECT 'u' || n || '@prisma.io', CASE WHEN n % 3 > 0 THEN 'User ' || n END,
  CASE WHEN n % 4 = 0 THEN 'ADMIN'::"Role" ELSE 'USER' END, timestamp '2022-01-01' + n * interval '1 day 1.234 s' FROM generate_series(1, 12) n;
INSERT INTO "Post" (title, content, published, "viewCount", "authorId", "createdAt")
  SELECT 'Post ' || n, CASE WHEN n % 2 = 0 THEN 'All about prisma ' || n END, n % 3 <> 0, n * 11 % 40,
  CASE WHEN n % 7 <> 0 THEN n % 12 + 1 END, timestamp '2022-02-01' + n * interval '5 hours' FROM generate_series(1, 40) n;
INSERT INTO "Category" (name) VALUES ('db'), ('web'), ('Ops');
INSERT INTO "_CategoryToPost" SELECT c, p FROM generate_series(1, 3) c, generate_series(1, 40) p WHERE (c * p) % 4 = 1;
