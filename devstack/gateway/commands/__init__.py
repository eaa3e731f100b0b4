"""The dispatch table: every command the gateway knows, by its name in lower case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from devstack.gateway.commands import (
    bulk_write,
    collections,
    diagnostics,
    explain,
    handshake,
    indexes,
    reads,
    sessions,
    writes,
)
from devstack.gateway.gateway import Command

COMMANDS: Final[Mapping[str, Command]] = {
    # Who is there
    "hello": Command(handshake.hello),
    "ismaster": Command(handshake.hello),
    "ping": Command(handshake.ping),
    "buildinfo": Command(handshake.build_info),
    "whatsmyuri": Command(handshake.whats_my_uri),
    "connectionstatus": Command(handshake.connection_status),
    # Writes
    "insert": Command(writes.insert, transactional=True, write=True),
    "update": Command(writes.update, transactional=True, write=True),
    "delete": Command(writes.delete, transactional=True, write=True),
    "findandmodify": Command(writes.find_and_modify, transactional=True, write=True),
    "bulkwrite": Command(bulk_write.bulk_write, transactional=True, write=True, admin_only=True),
    # Reads
    "find": Command(reads.find, transactional=True),
    "aggregate": Command(explain.aggregate, transactional=True),
    "getmore": Command(reads.get_more, transactional=True),
    "killcursors": Command(reads.kill_cursors, transactional=True),
    "count": Command(reads.count),
    "distinct": Command(reads.distinct, transactional=True),
    "explain": Command(explain.explain),
    # Sessions
    "committransaction": Command(sessions.commit_transaction),
    "aborttransaction": Command(sessions.abort_transaction),
    "startsession": Command(sessions.start_session),
    "endsessions": Command(sessions.end_sessions),
    "killsessions": Command(sessions.end_sessions),
    "refreshsessions": Command(sessions.refresh_sessions),
    # Databases and collections
    "create": Command(collections.create, transactional=True, write=True),
    "drop": Command(collections.drop, write=True),
    "dropdatabase": Command(collections.drop_database, write=True),
    "renamecollection": Command(collections.rename_collection, write=True, admin_only=True),
    "collmod": Command(collections.coll_mod, write=True),
    "listcollections": Command(collections.list_collections),
    "listdatabases": Command(collections.list_databases, admin_only=True),
    "collstats": Command(collections.coll_stats),
    "dbstats": Command(collections.db_stats),
    "datasize": Command(collections.data_size),
    "validate": Command(collections.validate),
    # Indexes
    "createindexes": Command(indexes.create_indexes, write=True),
    "listindexes": Command(indexes.list_indexes),
    "dropindexes": Command(indexes.drop_indexes, write=True),
    "deleteindexes": Command(indexes.drop_indexes, write=True),
    # The server about itself
    "serverstatus": Command(diagnostics.server_status),
    "getparameter": Command(diagnostics.get_parameter, admin_only=True),
    "hostinfo": Command(diagnostics.host_info),
    "currentop": Command(diagnostics.current_op, admin_only=True),
    "getcmdlineopts": Command(diagnostics.get_cmd_line_opts),
    "getlog": Command(diagnostics.get_log, admin_only=True),
    "isdbgrid": Command(diagnostics.is_dbgrid),
    "listcommands": Command(diagnostics.list_commands),
    "fsync": Command(diagnostics.nothing_to_do, admin_only=True),
    "logrotate": Command(diagnostics.nothing_to_do, admin_only=True),
    "compact": Command(diagnostics.nothing_to_do),
}
