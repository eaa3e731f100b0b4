"""The command line."""

from __future__ import annotations

import pytest

from bench.__main__ import arguments


def test_everything_runs_unless_named() -> None:
    assert arguments([]).names == []
    options = arguments(["--quick", "latency", "--json", "out.json"])
    assert options.names == ["latency"]
    assert options.quick
    assert options.json.name == "out.json"


def test_an_unknown_name_says_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["speed"])
    assert (
        "there are throughput, latency, memory, profile, capture, dual-write, mirror, backfill, dark"
        in capsys.readouterr().err
    )


def test_sizes_of_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert arguments(["backfill", "--rows", "4000000,100000,100000"]).rows == (100_000, 4_000_000)
    assert arguments([]).rows is None
    for wrong in ("many", "0", "1,,2"):
        with pytest.raises(SystemExit):
            arguments(["--rows", wrong])
        assert "--rows" in capsys.readouterr().err
