"""A real MongoDB, where one is installed: a replica set of one, which is what transactions need."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from devstack.cache import remove_tree
from devstack.errors import DevstackError
from devstack.paths import new_instance_dir
from devstack.ports import free_port
from devstack.supervision import Server, Supervised, clean_environment

REPLICA_SET = "causeway"
_START_SECONDS = 30.0


class Mongod:
    """A running mongod; `close` ends it and deletes its data."""

    kind = "mongod"

    def __init__(self, supervised: Supervised, port: int) -> None:
        self._supervised = supervised
        self.port = port

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet={REPLICA_SET}"

    @property
    def log_path(self) -> Path:
        return self._supervised.server.log

    def close(self) -> None:
        self._supervised.close()


def mongod_program() -> str | None:
    return shutil.which("mongod")


def launch_mongod(program: str) -> Mongod:
    base = new_instance_dir("mongod")
    port = free_port()
    try:
        (base / "data").mkdir()
        supervised = Supervised(
            Server(
                argv=[
                    program,
                    *("--dbpath", str(base / "data")),
                    *("--port", str(port)),
                    *("--bind_ip", "127.0.0.1"),
                    *("--replSet", REPLICA_SET),
                    *("--wiredTigerCacheSizeGB", "0.25"),
                    "--nounixsocket",
                ],
                log=base / "mongod.log",
                env=clean_environment(),
                remove=[base],
            )
        )
    except BaseException:
        remove_tree(base)
        raise
    try:
        supervised.start()
        _initiate(supervised, port)
    except BaseException:
        supervised.close()
        raise
    return Mongod(supervised, port)


def _initiate(supervised: Supervised, port: int) -> None:
    """Form the replica set and wait until it has its primary."""
    import pymongo
    import pymongo.errors

    deadline = time.monotonic() + _START_SECONDS
    members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
    initiated = False
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=500
    )
    with client:
        while True:
            try:
                if not initiated:
                    client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
                    initiated = True
                if client.admin.command("hello").get("isWritablePrimary"):
                    return
            except pymongo.errors.PyMongoError as error:
                if not supervised.status().running or time.monotonic() > deadline:
                    raise DevstackError(
                        f"mongod did not become a primary: {error}\nits log ends:\n{supervised.log_tail()}"
                    ) from error
            if time.monotonic() > deadline:
                raise DevstackError(f"mongod did not become a primary:\n{supervised.log_tail()}")
            time.sleep(0.05)
