-- 10 distinct and filter
SELECT DISTINCT author_id FROM book ORDER BY author_id;
SELECT DISTINCT ON (author_id) author_id, id, title FROM book ORDER BY author_id, id DESC;
SELECT COUNT(DISTINCT author_id), COUNT(*) FILTER (WHERE in_print) FROM book;
