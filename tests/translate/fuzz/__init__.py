"""Random schemas, rows and reads, run on PostgreSQL and through the compiler: both must say the same."""
