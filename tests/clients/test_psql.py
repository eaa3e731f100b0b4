"""psql: the meta-commands and habits of people and of deployment scripts."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.clients.endpoint import Endpoint, await_running
from tests.clients.programs import TIMEOUT, PostgresPrograms, major_version, run
from tests.clients.reading import Readings, with_literals

pytestmark = pytest.mark.integration

SCRIPTS = Path(__file__).parent / "psql"


@pytest.fixture(scope="session")
def psql_program(programs: PostgresPrograms) -> str:
    return programs["psql"]


class Psql:
    def __init__(self, program: str, endpoint: Endpoint, directory: Path) -> None:
        self.program = program
        self.endpoint = endpoint
        self.directory = directory

    def __call__(
        self, *arguments: str, stdin: str = "", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run psql in the test's own directory; `check` demands exit code 0."""
        return run(
            [self.program, "-X", *arguments],
            self.endpoint.environment(),
            stdin=stdin,
            check=check,
            cwd=self.directory,
        )

    def script(self, text: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the text as a script file that stops at the first error, unaligned and without headers."""
        path = self.directory / "script.sql"
        path.write_text(text, encoding="utf-8")
        return self("-v", "ON_ERROR_STOP=1", "-qAt", *arguments, "-f", path.name, check=check)


@pytest.fixture
def psql(psql_program: str, endpoint: Endpoint, tmp_path: Path) -> Psql:
    return Psql(psql_program, endpoint, tmp_path)


@pytest.mark.parametrize("name", sorted(path.name for path in SCRIPTS.glob("*.sql")))
def test_script_prints_what_it_prints_against_postgres(
    psql: Psql, psql_program: str, direct: Endpoint, name: str
) -> None:
    """Differential: `direct` runs first, in the same database; every script removes what it creates."""
    arguments = ["-X", "-a", "-v", "VERBOSITY=verbose", "-f", str(SCRIPTS / name)]
    straight = run([psql_program, *arguments], direct.environment(), cwd=psql.directory)
    through = psql(*arguments[1:])
    assert through.stdout == straight.stdout
    assert through.stderr == straight.stderr
    assert "-- end of script" in through.stdout


WIDE_TABLE = """
CREATE TABLE wide (
  id int PRIMARY KEY, price numeric(12, 4), note text, at timestamptz, raw bytea, tags text[], doc jsonb
);
INSERT INTO wide
  SELECT n, n / 7.0, CASE WHEN n % 5 = 0 THEN NULL ELSE E'tab\\there "q", \\\\ back\\nline é 漢 ' || n END,
         '2024-02-29 12:00+00'::timestamptz + n * interval '1 second 1 microsecond',
         sha256(n::text::bytea), ARRAY['a', NULL, n::text], jsonb_build_object('n', n)
  FROM generate_series(1, 20000) n;
"""


@pytest.mark.parametrize(
    "options", ["", "WITH (FORMAT csv, HEADER)", "WITH (FORMAT binary)", "WITH (DELIMITER '|', NULL 'nil')"]
)
def test_copy_out_and_in(psql: Psql, direct: Endpoint, options: str) -> None:
    digest = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY id)) FROM {} t;"
    psql.script(WIDE_TABLE)
    result = psql.script(
        f"\\copy (SELECT * FROM wide ORDER BY id) TO 'wide.copy' {options}\n"
        "CREATE TABLE wide_again (LIKE wide);\n"
        f"\\copy wide_again FROM 'wide.copy' {options}\n"
        f"{digest.format('wide')}\n{digest.format('wide_again')}\n"
    )
    first, second = result.stdout.splitlines()
    assert first == second
    assert first.startswith("20000|")

    straight = run(
        [psql.program, "-X", "-c", f"\\copy (SELECT * FROM wide ORDER BY id) TO 'direct.copy' {options}"],
        direct.environment(),
        cwd=psql.directory,
    )
    assert straight.stdout == "COPY 20000\n"
    assert file_digest(psql.directory / "direct.copy") == file_digest(psql.directory / "wide.copy")


def file_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_copy_through_pipes_and_inline_data(psql: Psql) -> None:
    result = psql(
        "-qAt",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        "CREATE TABLE piped (a int, b text)",
        "-c",
        "COPY piped FROM STDIN",
        "-c",
        "COPY piped TO STDOUT WITH (FORMAT csv)",
        stdin="1\tone\n2\t\\N\n3\ttwo words\n",
    )
    assert result.stdout == "1,one\n2,\n3,two words\n"
    result = psql.script("COPY piped FROM stdin;\n4\tinline\n\\.\nSELECT count(*) FROM piped;\n")
    assert result.stdout == "4\n"


def test_copy_with_an_error_midway_leaves_a_usable_session(psql: Psql) -> None:
    """psql goes on sending rows that PostgreSQL no longer reads; the session must be in step afterwards."""
    rows = [f"{n}\tvalue {n}" for n in range(1, 60001)]
    rows[29999] = "thirty thousand\tbad"
    (psql.directory / "bad.copy").write_text("\n".join(rows) + "\n")
    result = psql(
        "-At",
        stdin="CREATE TABLE target (a int, b text);\n"
        "\\copy target FROM 'bad.copy'\n"
        "SELECT 'rows: ' || count(*) FROM target;\n"
        "\\copy target FROM 'no such file'\n"
        "SELECT 'still here';\n",
        check=False,
    )
    assert result.stdout.splitlines() == ["CREATE TABLE", "rows: 0", "still here"]
    assert 'invalid input syntax for type integer: "thirty thousand"' in result.stderr
    assert "COPY target, line 30000, column a" in result.stderr


def test_copy_out_with_an_error_midway(psql: Psql) -> None:
    result = psql(
        "-At",
        stdin="\\copy (SELECT 1 / (20000 - n) FROM generate_series(1, 30000) n) TO 'partial.copy'\n"
        "SELECT 'still here';\n",
    )
    assert "division by zero" in result.stderr
    assert result.stdout == "still here\n"


def test_watch_repeats_until_an_error_ends_it(psql: Psql) -> None:
    """`\\watch` ends by itself only when the statement fails: so the fourth execution does."""
    result = psql(
        "-At",
        stdin="CREATE SEQUENCE turns;\nSELECT 12 / (4 - nextval('turns')) AS quotient \\watch 0.05\nSELECT 'after';\n",
    )
    quotients = [line for line in result.stdout.splitlines() if re.fullmatch(r"\d+", line)]
    assert quotients == ["4", "6", "12"]
    assert "division by zero" in result.stderr
    assert result.stdout.endswith("after\n")


@contextlib.contextmanager
def terminal_session(psql: Psql) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """psql on a terminal of its own, so that it is interactive and the terminal's Ctrl-C reaches it."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [psql.program, "-X", "-n", "-At", "-P", "pager=off"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=psql.endpoint.environment() | {"TERM": "dumb"},
        start_new_session=True,
    )
    os.close(slave)
    terminal = os.fdopen(master, "r+b", buffering=0)
    try:
        yield process, terminal
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(TIMEOUT)
        terminal.close()


def read_until(terminal: IO[bytes], expected: bytes) -> bytes:
    seen = b""
    while expected not in seen:
        chunk = terminal.read(4096)
        assert chunk, f"the terminal closed before {expected!r}; it showed {seen!r}"
        seen += chunk
    return seen


def test_ctrl_c_cancels_the_statement_and_the_session_goes_on(psql: Psql, direct: Endpoint) -> None:
    with terminal_session(psql) as (process, terminal):
        for attempt in (1, 2):
            terminal.write(b"SELECT pg_sleep(3000 + %d);\n" % attempt)
            await_running(direct, f"pg_sleep(3000 + {attempt})")
            os.kill(process.pid, signal.SIGINT)
            read_until(terminal, b"canceling statement due to user request")
            terminal.write(b"SELECT 'answer ' || 6 * 7;\n")
            read_until(terminal, b"answer 42")
        terminal.write(b"\\q\n")
        assert process.wait(TIMEOUT) == 0


def test_ctrl_c_ends_copy_out(psql: Psql, direct: Endpoint) -> None:
    with terminal_session(psql) as (process, terminal):
        terminal.write(
            b"\\copy (SELECT pg_sleep(0.001 * n) FROM generate_series(1, 100000) n) TO '/dev/null'\n"
        )
        await_running(direct, "pg_sleep")
        os.kill(process.pid, signal.SIGINT)
        read_until(terminal, b"canceling statement due to user request")
        terminal.write(b"SELECT 'answer ' || 6 * 7;\n\\q\n")
        read_until(terminal, b"answer 42")
        assert process.wait(TIMEOUT) == 0


def test_interrupted_script_stops(psql: Psql, direct: Endpoint) -> None:
    with subprocess.Popen(
        [psql.program, "-X", "-At", "-c", "SELECT pg_sleep(3000)", "-c", "SELECT 'not reached'"],
        env=psql.endpoint.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        await_running(direct, "pg_sleep(3000)")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=TIMEOUT)
    assert "canceling statement due to user request" in stderr
    assert process.returncode != 0


def test_bind_runs_the_extended_protocol(psql: Psql) -> None:
    if major_version(psql.program) < 16:
        pytest.skip(r"\bind came with psql 16")
    result = psql(
        "-At", stdin="SELECT $1::int + $2::int, $3 \\bind 40 2 'three' \\g\nSELECT 1 / $1::int \\bind 0 \\g\n"
    )
    assert result.stdout == "42|three\n"
    assert "division by zero" in result.stderr


def test_several_statements_in_one_string_are_one_transaction(psql: Psql) -> None:
    psql("-c", "CREATE TABLE ledger (n int)")
    failed = psql(
        "-At", "-c", "INSERT INTO ledger VALUES (1); SELECT 'seen'; SELECT 1 / 0; SELECT 'never'", check=False
    )
    assert failed.returncode == 1
    assert failed.stdout == "INSERT 0 1\nseen\n"
    assert failed.stderr == "ERROR:  division by zero\n"
    assert psql("-At", "-c", "SELECT count(*) FROM ledger").stdout == "0\n"

    split = psql(
        "-At",
        "-c",
        "INSERT INTO ledger VALUES (1); COMMIT; INSERT INTO ledger VALUES (2); SELECT 1 / 0",
        check=False,
    )
    assert "there is no transaction in progress" in split.stderr
    assert psql("-At", "-c", "SELECT array_agg(n) FROM ledger").stdout == "{1}\n"

    combined = psql(
        "-At", stdin="SELECT 1 \\; SELECT 2 \\; INSERT INTO ledger VALUES (3) RETURNING n \\; SELECT 4;\n"
    )
    assert combined.stdout == "1\n2\n3\nINSERT 0 1\n4\n"


def test_error_position_points_into_the_statement(psql: Psql) -> None:
    result = psql("-c", "SELECT 'é漢',\n  missing_column\nFROM pg_class", check=False)
    assert result.stderr == (
        'ERROR:  column "missing_column" does not exist\nLINE 2:   missing_column\n          ^\n'
    )


def test_large_objects(psql: Psql) -> None:
    content = os.urandom(1_500_000)
    (psql.directory / "in.bin").write_bytes(content)
    result = psql.script(
        "\\lo_import 'in.bin' 'a comment'\n"
        "\\set identifier :LASTOID\n"
        "\\lo_export :identifier 'out.bin'\n"
        "SELECT length(lo_get(:identifier));\n"
        "\\lo_unlink :identifier\n"
        "SELECT count(*) FROM pg_largeobject_metadata;\n"
    )
    assert result.stdout.splitlines()[-2:] == ["1500000", "0"]
    assert (psql.directory / "out.bin").read_bytes() == content


def test_listen_and_notify(psql: Psql, direct: Endpoint) -> None:
    own = psql("-At", stdin="LISTEN news;\nNOTIFY news, 'to myself';\nSELECT 'done';\n")
    assert re.search(
        r'Asynchronous notification "news" with payload "to myself" received from server process with PID \d+\.',
        own.stdout,
    )
    with terminal_session(psql) as (process, terminal):
        terminal.write(b"LISTEN news;\nSELECT 'listening ' || 1;\n")
        read_until(terminal, b"listening 1")
        direct.execute("NOTIFY news, 'from another session'")
        terminal.write(b"SELECT 'asked ' || 2;\n")
        read_until(terminal, b'with payload "from another session"')
        terminal.write(b"\\q\n")
        assert process.wait(TIMEOUT) == 0


def test_single_transaction_keeps_all_or_nothing(psql: Psql) -> None:
    statements = "CREATE TABLE parts (n int);\nINSERT INTO parts VALUES (1);\n"
    failed = psql.script(
        statements + "INSERT INTO parts VALUES ('x');\n", "--single-transaction", check=False
    )
    assert failed.returncode == 3
    assert "script.sql:3: ERROR:  invalid input syntax for type integer" in failed.stderr
    assert psql("-At", "-c", "SELECT to_regclass('parts') IS NULL").stdout == "t\n"
    psql.script(statements, "--single-transaction")
    assert psql("-At", "-c", "SELECT * FROM parts").stdout == "1\n"


def test_unix_socket(psql: Psql) -> None:
    psql.endpoint = psql.endpoint.over_socket()
    result = psql("-At", "-c", "SELECT 6 * 7")
    assert result.stdout == "42\n"
    shown = psql("-c", "\\conninfo").stdout
    assert psql.endpoint.socket_directory in shown


def test_fetch_count_reads_through_a_cursor(psql: Psql) -> None:
    result = psql(
        "-At", "-v", "FETCH_COUNT=700", "-c", "SELECT n, repeat('x', 100) FROM generate_series(1, 20000) n"
    )
    lines = result.stdout.splitlines()
    assert len(lines) == 20000
    assert lines[-1] == "20000|" + "x" * 100


def test_wide_result_of_many_megabytes(psql: Psql) -> None:
    result = psql("-At", "-c", "SELECT repeat(md5(n::text), 40000) FROM generate_series(1, 20) n")
    lines = result.stdout.splitlines()
    assert [len(line) for line in lines] == [1_280_000] * 20
    assert lines[6] == hashlib.md5(b"7").hexdigest() * 40000


def test_output_closed_early(psql: Psql) -> None:
    """`psql | head -1`: the client goes away in mid-result, with nothing left behind at the server."""
    with subprocess.Popen(
        [
            psql.program,
            "-X",
            "-c",
            "COPY (SELECT n, repeat('x', 500) FROM generate_series(1, 10000000) n) TO STDOUT",
        ],
        env=psql.endpoint.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\t" + b"x" * 500 + b"\n"
        process.kill()


def test_reads_of_a_table(readings: Readings, psql_program: str, tmp_path: Path) -> None:
    """One by one, in a block, in a crosstab, described; aligned, which takes the columns' types to tell numbers by."""
    reads = with_literals()
    script = (
        ";\n".join(reads)
        + ";\nBEGIN;\n"
        + ";\n".join(reads)
        + ";\nCOMMIT;\n"
        + "SELECT id, flag, numbers, padded FROM readings WHERE id < 5 ORDER BY id \\gdesc\n"
        + "SELECT id, flag, numbers, padded FROM readings WHERE id < 5 ORDER BY id;\n"
        + "SELECT small, padded, id FROM readings WHERE id BETWEEN 1 AND 5 ORDER BY id \\crosstabview\n"
        + "SELECT words AS found FROM readings WHERE id = 9 \\gset\n\\echo :found\n"
    )

    def ask(endpoint: Endpoint) -> str:
        return Psql(psql_program, endpoint, tmp_path)("-v", "ON_ERROR_STOP=1", stdin=script).stdout

    assert readings.same(ask).endswith("wörd 9\n")
