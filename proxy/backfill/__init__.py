"""The history: rows that were there before their table was mirrored, copied beside live traffic and compared."""
