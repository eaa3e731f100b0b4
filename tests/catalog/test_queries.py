"""The forms of the queries for older servers, run on newer ones."""

from __future__ import annotations

import pytest

from proxy.catalog import queries
from tests.catalog.conftest import Place, on_every_version


@pytest.mark.integration
@on_every_version
@pytest.mark.parametrize("server_version", [130000, 140000, 180000])
async def test_every_form_runs(place: Place, server_version: int) -> None:
    import asyncpg

    if server_version > place.server.major * 10000:
        pytest.skip("newer than the server")
    place.run("create function f() returns int language sql as 'select 7'")
    place.run("create table t (id int primary key, r int4range)")
    connection = await asyncpg.connect(place.server.dsn(place.database))
    try:
        (function,) = await connection.fetch(queries.functions(server_version))
        assert (function["name"], function["source"], function["callable"]) == ("f", "select 7", True)
        types = await connection.fetch(queries.types(server_version), [3904])
        assert {row["name"] for row in types} == {"int4range", "int4"}
    finally:
        await connection.close()


def test_a_digest_never_reads_the_transaction_ids_of_what_truncate_rewrites() -> None:
    assert "xmin" not in queries._RELATION + queries._ATTRIBUTE + queries._INDEX
