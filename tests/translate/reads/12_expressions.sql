-- 12 expressions
SELECT COALESCE(email, 'none'), CASE WHEN rating > 0 THEN 'good' WHEN rating < 0 THEN 'bad' ELSE 'none' END, LOWER(name), rating * 2 + 1, rating / 3 FROM author ORDER BY id;
SELECT true, false, null, 'x', 1.50, 12345678901, 1e3;
VALUES (1, 'a'), (2, NULL);
