"""A real PostgreSQL and a real document database on this machine, for demo, tests and benchmarks.

Command line::

    python -m devstack up [--json]     start both, detached; print where they listen
    python -m devstack status [--json]
    python -m devstack down
    python -m devstack prepare         install and build what is needed, once, with progress

In pytest (`pytest_plugins = ["devstack.fixtures"]` in a conftest.py; one stack a session)::

    async def test_select(postgres: PostgresServer) -> None:
        with postgres.database() as name:
            connection = await asyncpg.connect(postgres.dsn(name, user="causeway_scram", password="secret"))

    async def test_find(document_store: DocumentStore) -> None:
        client = AsyncMongoClient(document_store.uri)

In a program::

    from devstack.postgres import start_postgres
    with start_postgres(settings={"max_connections": 50}) as postgres:
        print(postgres.dsn(), postgres.socket_dir, postgres.pg_bin, postgres.certificates.ca)

    from devstack.stack import Stack
    with Stack() as stack:
        print(stack.postgres.dsn(), stack.document_store.uri)

Everything listens on loopback, lives in throw-away directories, and ends with the process that
started it, however that ends. Two variables choose what runs:

* `CAUSEWAY_POSTGRES`: `system` (the machine's own server), `rootfs` (PostgreSQL 18 of the root file
  system) or a directory of binaries. By default the machine's own where one is installed.
* `CAUSEWAY_STORE`: the URI of a document store to use. By default a `mongod` on the PATH, else DocumentDB.

Where DocumentDB is what runs, `document_store` is a `devstack.documentdb.DocumentDb`, which can also be
made to fail: `stop_gateway`, `start_gateway`, `pause`, `resume`.

What is built (root file system, initialised data directories) is kept in `$XDG_CACHE_HOME/causeway`.
"""
