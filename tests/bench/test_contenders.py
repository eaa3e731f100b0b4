"""How the contenders are set up."""

from __future__ import annotations

from configparser import ConfigParser
from pathlib import Path

import pytest

from bench.contenders import MAX_CLIENTS, find_pgbouncer, pgbouncer_config
from bench.errors import BenchError


def test_pgbouncer_pools_sessions_one_to_one() -> None:
    parser = ConfigParser()
    parser.read_string(pgbouncer_config("127.0.0.1", 5432, 6000, Path("/users")))
    settings = parser["pgbouncer"]
    assert parser["databases"]["*"] == "host=127.0.0.1 port=5432"
    assert settings["pool_mode"] == "session"
    assert settings["listen_port"] == "6000"
    assert settings["default_pool_size"] == settings["max_client_conn"] == str(MAX_CLIENTS)


def test_a_missing_pgbouncer_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path: None)
    with pytest.raises(BenchError, match=r"make bench.*apt-get install pgbouncer"):
        find_pgbouncer()
