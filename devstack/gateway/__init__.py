"""MongoDB's wire protocol in front of DocumentDB, so that the real drivers can talk to it.

OP_MSG comes in, becomes one call of a `documentdb_api` function with the command's BSON as it is, and the
function's BSON goes out. What lives here is what a server holds for its clients: cursors, sessions,
transactions, retried writes, limits, and the numbers and shapes of errors.

Run as a process of its own: `python -m devstack.gateway --dsn postgresql://… --port 27017`.
No authentication and no TLS: it listens on loopback, for tests.
"""
