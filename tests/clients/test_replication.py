"""Replication clients and dumps: streams that are no queries, and the longest copies people make."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.clients.endpoint import Endpoint, await_row
from tests.clients.programs import TIMEOUT, PostgresPrograms, run

pytestmark = pytest.mark.integration


def test_pg_recvlogical_streams_changes(
    endpoint: Endpoint, direct: Endpoint, programs: PostgresPrograms, tmp_path: Path
) -> None:
    program = programs["pg_recvlogical"]
    slot = f"recv_{endpoint.kind}"
    target = tmp_path / "changes"
    environment = endpoint.environment()
    direct.execute("CREATE TABLE watched (id int PRIMARY KEY, note text)")
    base = [program, "-d", endpoint.dbname, "-S", slot]
    run([*base, "--create-slot", "-P", "test_decoding"], environment)
    try:
        with subprocess.Popen(
            [*base, "--start", "-f", str(target), "-s", "1", "-F", "0"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            direct.execute("INSERT INTO watched SELECT n, repeat('x', 1000) FROM generate_series(1, 3000) n")
            direct.execute("DELETE FROM watched WHERE id = 17")
            await_row(
                direct,
                "SELECT 1 FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid"
                " WHERE s.slot_name = %(slot)s AND r.flush_lsn >= pg_current_wal_insert_lsn() - 1000",
                {"slot": slot},
            )
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=TIMEOUT)
        assert process.returncode == 0, stderr
    finally:
        run([*base, "--drop-slot"], environment)
    changes = target.read_text()
    assert len(re.findall(r"^table public.watched: INSERT:", changes, re.M)) == 3000
    assert "table public.watched: DELETE: id[integer]:17" in changes


def test_pg_basebackup(
    endpoint: Endpoint, direct: Endpoint, programs: PostgresPrograms, tmp_path: Path
) -> None:
    """The whole cluster through one connection, its WAL through a second one beside it."""
    environment = endpoint.environment()
    program = programs["pg_basebackup"]
    backup = tmp_path / "backup"
    run([program, "-D", str(backup), "-X", "stream", "-c", "fast", "-Ft", "--no-sync"], environment)
    assert (backup / "base.tar").stat().st_size > 5_000_000
    assert (backup / "pg_wal.tar").stat().st_size >= 16 * 1024 * 1024


def test_pg_dump_and_pg_restore(
    endpoint: Endpoint, direct: Endpoint, programs: PostgresPrograms, tmp_path: Path
) -> None:
    """A parallel dump shares one snapshot among its connections; a parallel restore copies tables at once."""
    environment = endpoint.environment()
    direct.execute(
        "CREATE TABLE a (id int PRIMARY KEY, raw bytea);"
        "CREATE TABLE b (id int PRIMARY KEY REFERENCES a, doc jsonb);"
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "INSERT INTO a SELECT n, sha256(n::text::bytea) FROM generate_series(1, 20000) n;"
        "INSERT INTO b SELECT n, jsonb_build_object('n', n) FROM generate_series(1, 20000) n;"
        "SELECT lo_from_bytea(0, sha256('x'))"
    )
    digest = "SELECT md5(string_agg(a::text || b::text, '|' ORDER BY id)) FROM a JOIN b USING (id)"
    before = endpoint.query(digest)
    dump = programs["pg_dump"]
    restore = programs["pg_restore"]
    run([dump, "-Fd", "-j", "2", "-f", str(tmp_path / "dump")], environment)
    run(
        [restore, "-d", endpoint.dbname, "-j", "2", "--clean", "--if-exists", str(tmp_path / "dump")],
        environment,
    )
    assert endpoint.query(digest) == before
    plain = run([dump, "--inserts", "--rows-per-insert=500"], environment).stdout
    straight = run([dump, "--inserts", "--rows-per-insert=500"], direct.environment()).stdout
    unrepeatable = re.compile(r"^\\(un)?restrict .*$", re.M)
    assert unrepeatable.sub("", plain) == unrepeatable.sub("", straight)
