"""What all commands share."""

from __future__ import annotations

import pytest
import typer

from proxy.backfill.member import NotReady
from proxy.catalog.source import SourceRefused, SourceUnavailable
from proxy.cli_common import EXIT_FAILED, PLAIN_WIDTH, console, ends_on_failure
from proxy.stores.protocol import StoreRefused, StoreUnavailable


@pytest.mark.parametrize(
    "error",
    [
        NotReady("no rule is about table public.x"),
        SourceUnavailable("shop", "no answer in time"),
        SourceRefused("shop", "permission denied", "42501"),
        StoreUnavailable("the store is away"),
        StoreRefused("not authorized"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_was_to_be_expected_is_one_line(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, ends_on_failure():
        raise error
    assert ended.value.exit_code == EXIT_FAILED
    assert capsys.readouterr().err == f"error: {error}\n"


def test_anything_else_is_a_mistake_of_ours() -> None:
    with pytest.raises(ZeroDivisionError), ends_on_failure():
        raise ZeroDivisionError


def test_lines_in_a_pipe_are_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console().width == PLAIN_WIDTH
    monkeypatch.setenv("COLUMNS", "70")
    assert console().width == 70
