-- 15 windows
SELECT id, row_number() OVER (PARTITION BY author_id ORDER BY id), rank() OVER (ORDER BY pages), lag(id) OVER (ORDER BY id), sum(pages) OVER (PARTITION BY author_id ORDER BY id) FROM book ORDER BY id;
