"""Which document database is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstack import document_store
from devstack.document_store import ExternalStore, launch_document_store


class Launched:
    """Stands for a store that was started."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.uri = f"mongodb://{kind}/"
        self.closed = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def launchers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CAUSEWAY_STORE", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(document_store, "launch_documentdb", lambda: Launched("documentdb"))
    monkeypatch.setattr(document_store, "launch_mongod", lambda program: Launched(f"mongod {program}"))


def test_documentdb_where_there_is_nothing_else() -> None:
    assert launch_document_store().kind == "documentdb"


def test_mongod_of_the_path(tmp_path: Path) -> None:
    program = tmp_path / "mongod"
    program.touch(mode=0o755)
    assert launch_document_store().kind == f"mongod {program}"


def test_given_store_goes_before_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mongod").touch(mode=0o755)
    monkeypatch.setenv("CAUSEWAY_STORE", "mongodb://there/")
    store = launch_document_store()
    assert isinstance(store, ExternalStore)
    assert store.uri == "mongodb://there/"
    assert launch_document_store("mongodb://elsewhere/").uri == "mongodb://elsewhere/"


def test_a_started_store_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    launched = Launched("documentdb")
    monkeypatch.setattr(document_store, "launch_documentdb", lambda: launched)
    with document_store.start_document_store() as store:
        assert store.uri == "mongodb://documentdb/"
        assert not launched.closed
    assert launched.closed
