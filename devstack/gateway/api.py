"""The SQL that stands for each command: `documentdb_api` functions from BSON to BSON."""

from __future__ import annotations

from typing import Final

_BSON = "::bytea::documentdb_core.bson"
_SEQUENCE = "::bytea::documentdb_core.bsonsequence"
_PAGE = "cursorpage::bytea, continuation::bytea, persistconnection, cursorid"


def _write(function: str) -> str:
    return (
        "SELECT p_result::bytea AS result, p_success AS success "
        f"FROM documentdb_api.{function}($1, $2{_BSON}, $3{_SEQUENCE})"
    )


def _first_page(function: str) -> str:
    return f"SELECT {_PAGE} FROM documentdb_api.{function}_cursor_first_page($1, $2{_BSON}, 0)"


def _document(function: str) -> str:
    return f"SELECT documentdb_api.{function}::bytea AS result"


INSERT: Final = _write("insert")
UPDATE: Final = _write("update")
DELETE: Final = _write("delete")
FIND_AND_MODIFY: Final = (
    "SELECT p_result::bytea AS result, p_success AS success "
    f"FROM documentdb_api.find_and_modify($1, $2{_BSON})"
)

FIND: Final = _first_page("find")
AGGREGATE: Final = _first_page("aggregate")
LIST_COLLECTIONS: Final = _first_page("list_collections")
LIST_INDEXES: Final = _first_page("list_indexes")
GET_MORE: Final = (
    "SELECT cursorpage::bytea, continuation::bytea "
    f"FROM documentdb_api.cursor_get_more($1, $2{_BSON}, $3{_BSON})"
)

COUNT: Final = _document(f"count_query($1, $2{_BSON})")
DISTINCT: Final = _document(f"distinct_query($1, $2{_BSON})")
LIST_DATABASES: Final = _document(f"list_databases($1{_BSON})")
COLL_STATS: Final = _document("coll_stats($1, $2, $3)")
DB_STATS: Final = _document("db_stats($1, $2)")
VALIDATE: Final = _document(f"validate($1, $2{_BSON})")
CREATE: Final = _document(f"create_collection_view($1, $2{_BSON})")
COLL_MOD: Final = _document(f"coll_mod($1, $2, $3{_BSON})")
CURRENT_OP: Final = _document(f"current_op_command($1{_BSON})")

CREATE_INDEXES: Final = (
    f"SELECT documentdb_api_internal.create_indexes_non_concurrently($1, $2{_BSON}, true)::bytea AS result"
)
DROP_INDEXES: Final = (
    f"SELECT documentdb_api_internal.drop_indexes_non_concurrently($1, $2{_BSON})::bytea AS result"
)
DROP: Final = "SELECT documentdb_api.drop_collection($1, $2) AS dropped"
DROP_DATABASE: Final = "SELECT documentdb_api.drop_database($1)"
RENAME: Final = "SELECT documentdb_api.rename_collection($1, $2, $3, $4)"

EXISTS: Final = (
    "SELECT true FROM documentdb_api_catalog.collections WHERE database_name = $1 AND collection_name = $2"
)
INDEX_KEY: Final = (
    "SELECT (i.index_spec).index_key::bytea AS key FROM documentdb_api_catalog.collection_indexes i "
    "JOIN documentdb_api_catalog.collections c USING (collection_id) "
    "WHERE c.database_name = $1 AND c.collection_name = $2 AND (i.index_spec).index_name = $3"
)
INDEX_OF_RELATION: Final = (
    "SELECT (i.index_spec).index_name AS name FROM documentdb_api_catalog.collection_indexes i "
    "WHERE i.index_id = $1"
)
INDEX_NAMES: Final = (
    "SELECT i.index_id, (i.index_spec).index_name AS name FROM documentdb_api_catalog.collection_indexes i "
    "JOIN documentdb_api_catalog.collections c USING (collection_id) "
    "WHERE c.database_name = $1 AND c.collection_name = $2"
)


def explain(function: str, *, analyze: bool) -> str:
    """EXPLAIN of the query that stands for a find, pipeline, count or distinct command."""
    options = "FORMAT JSON, COSTS" + (", ANALYZE, BUFFERS OFF" if analyze else "")
    return f"EXPLAIN ({options}) SELECT document FROM documentdb_api_catalog.bson_aggregation_{function}($1, $2{_BSON})"
