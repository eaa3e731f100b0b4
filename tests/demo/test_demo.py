"""`python -m demo` as its users have it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "demo", "--quick"]


@pytest.mark.integration
def test_quick_without_a_terminal() -> None:
    done = subprocess.run(COMMAND, cwd=PROJECT, capture_output=True, text=True, timeout=240, check=False)
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    assert re.search(r"All \d\d expectations held, in \d+ s\.\n$", said)
    assert "\x1b" not in said
    assert "✗" not in said
    assert re.search(r"application errors +0 *\n", said)
    assert re.search(r"reconnects +0 *\n", said)
    assert re.search(r"rule reloads under load +6 applied, 1 rejected *\n", said)
    assert "✓ rules: a mistake, rejected: shop.yaml:5:11: defaults.shadow" in said
    assert re.search(r"✓ rules: backfill, and too much: .*; held: payments: ", said)
    assert re.search(r"✓ rows become documents: orders \d+ is a document with the same 5 values", said)
    assert re.search(r"✓ the history is copied: [\d,]+ documents put in, [\d,]+ left as they were", said)
    assert re.search(r"✓ verify: rows and documents: [\d,]+ rows, 0 differences", said)
    assert re.search(r"✓ reads are compared in the dark: [\d,]+ match", said)
    assert re.search(r"✓ a planted difference is found: found after .* customers, column name", said)
    assert "✓ damage is repaired: visits 3 missing, 2 different, 1 extra, customers 50 different" in said
    assert re.search(r"✓ reads come from documents: [\d,]+ reads answered by the documents", said)
    assert re.search(r"✓ rules: back to dark_read: in force after", said)
    assert re.search(r"✓ rules: back, all but customers: in force after", said)
    assert re.search(r"✓ the document store is gone: [\d,]+ transactions wait on disk", said)
    assert re.search(r"✓ the document store is back: [\d,]+ transactions caught up with", said)
    assert re.search(r"✓ every row equals its document: [\d,]+ rows, [\d,]+ values, 0 differences", said)
    assert "secret" not in said


@pytest.mark.integration
def test_interrupted_it_leaves_nothing_behind() -> None:
    process = subprocess.Popen(
        COMMAND,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        ports = []
        for line in process.stdout:
            ports += [int(port) for port in re.findall(r"on port (\d+)", line)]
            if "the shop opens:" in line:
                break
        assert len(ports) == 2
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        rest = process.stdout.read()
        assert process.wait(30) == 130
    assert time.monotonic() - began < 25
    assert re.search(r"Interrupted after \d+ s; everything that was started has been stopped\.\n$", rest)
    for port in ports:
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), timeout=5):
            pass


@pytest.mark.integration
def test_a_step_that_fails_ends_it_and_says_what_to_do() -> None:
    environment = {**os.environ, "CAUSEWAY_STORE": "mongodb://somebody:hidden@127.0.0.1:1/"}
    done = subprocess.run(
        COMMAND, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert (
        "✗ databases: your document store does not answer; is CAUSEWAY_STORE set, and right?" in done.stdout
    )
    assert re.search(r"Failed after \d+ s at the step “databases”", done.stdout)
    assert "hidden" not in done.stdout + done.stderr


def test_databases_that_cannot_be_had(tmp_path: Path) -> None:
    environment = {**os.environ, "CAUSEWAY_POSTGRES": str(tmp_path)}
    done = subprocess.run(
        COMMAND, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("demo: CAUSEWAY_POSTGRES=")
    assert "Traceback" not in done.stderr
