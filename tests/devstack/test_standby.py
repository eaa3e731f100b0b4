"""A standby follows its primary, and may be told to pause."""

from __future__ import annotations

import pytest

from devstack.postgres import start_postgres
from devstack.standby import start_standby
from tests.support.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_it_replays_what_the_primary_writes() -> None:
    with start_postgres() as primary, start_standby(primary, "second") as standby:
        assert standby.psql("SELECT pg_is_in_recovery()") == "t"
        primary.psql("CREATE TABLE seen (id int); INSERT INTO seen VALUES (1)")
        eventually(lambda: standby.psql("SELECT to_regclass('seen') IS NOT NULL") == "t")
        eventually(lambda: standby.psql("SELECT count(*) FROM seen") == "1")
        assert primary.psql("SELECT application_name FROM pg_stat_replication") == "second"
        standby.psql("SELECT pg_wal_replay_pause()")
        eventually(lambda: standby.psql("SELECT pg_get_wal_replay_pause_state()") == "paused")
        primary.psql("INSERT INTO seen VALUES (2)")
        assert standby.psql("SELECT count(*) FROM seen") == "1"
        standby.psql("SELECT pg_wal_replay_resume()")
        eventually(lambda: standby.psql("SELECT count(*) FROM seen") == "2")
