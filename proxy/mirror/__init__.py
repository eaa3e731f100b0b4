"""From what a transaction did to what the store holds: buffer, spool, lanes, gaps."""
