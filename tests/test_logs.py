"""Events as lines: their form, what never reaches them, and how repetition is bounded."""

from __future__ import annotations

import enum
import io
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import logs
from proxy.addresses import TcpAddress
from proxy.logs import REDACTED, RESERVED, EventHandler, RepeatLimit, configure, get_logger, scrub, timestamp

log = get_logger("proxy.test")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """The lines written, as JSON at level debug; logging is as before afterwards."""
    root, proxy = logging.getLogger(), logging.getLogger("proxy")
    before = root.level, proxy.level, logs._handler
    out = io.StringIO()
    configure("json", "debug", stream=out)
    yield out
    assert logs._handler is not None
    root.removeHandler(logs._handler)
    root.setLevel(before[0])
    proxy.setLevel(before[1])
    logs._handler = before[2]
    logging.captureWarnings(False)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def only(stream: io.StringIO) -> dict[str, Any]:
    (line,) = lines(stream)
    return line


def test_an_event_is_one_line_of_json(stream: io.StringIO) -> None:
    log.info("rules_applied", digest="abc", tables=3, held=None, ok=True, share=0.5)
    line = only(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("ts"))
    assert line.pop("pid") > 0
    assert line == {
        "level": "info",
        "event": "rules_applied",
        "logger": "proxy.test",
        "digest": "abc",
        "tables": 3,
        "held": None,
        "ok": True,
        "share": 0.5,
    }


def test_levels(stream: io.StringIO) -> None:
    configure("json", "warning", stream=stream)
    for say in (log.debug, log.info, log.warning, log.error):
        say("event")
    assert [line["level"] for line in lines(stream)] == ["warning", "error"]
    assert not log.enabled("info")
    assert log.enabled("warning")


def test_times_are_utc() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1_700_000_000.9996) == "2023-11-14T22:13:20.999Z"


@pytest.mark.parametrize("key", RESERVED)
def test_a_field_cannot_take_a_reserved_key(key: str, stream: io.StringIO) -> None:
    log.info("event", **{key: "mine"})
    line = only(stream)
    assert line[f"{key}_"] == "mine"
    assert line["event"] == "event"


@pytest.mark.parametrize(
    "key",
    ["password", "db_password", "secret", "api_key", "auth_token", "control_dsn", "cancel_key", "Cookie"],
)
def test_a_field_named_like_a_secret_is_not_written(key: str, stream: io.StringIO) -> None:
    log.info("event", **{key: "hunter2"}, inner={key: "hunter2", "deeper": [{key: "hunter2"}]})
    line = only(stream)
    assert line[key] == REDACTED
    assert "hunter2" not in stream.getvalue()


def test_names_of_files_are_no_secrets(stream: io.StringIO) -> None:
    log.info("event", tls_key=Path("/etc/k.pem"), key_path="tables.orders", keys=3)
    line = only(stream)
    assert (line["tls_key"], line["key_path"], line["keys"]) == ("/etc/k.pem", "tables.orders", 3)


@pytest.mark.parametrize(
    "text",
    [
        "mongodb://user:hunter2@host/db",
        "cannot reach mongodb+srv://user:hunter2@host: refused",
        "postgresql://user:p@ss:hunter2@host",
        "postgresql://user:a/hunter2@host",
        "postgresql://host/db?user=a&password=hunter2&sslmode=require",
        "host=a password=hunter2 dbname=c",
        "host=a password='hun ter2' dbname=c",
    ],
)
def test_credentials_inside_texts_are_cut_out(text: str, stream: io.StringIO) -> None:
    log.info("event", error=text, listed=[text], failure=ValueError(text))
    log.exception("failed", ValueError(text))
    logging.getLogger("other").warning("message %s", text)
    assert "hunter2" not in stream.getvalue()
    assert "ter2" not in stream.getvalue()
    assert "host" in scrub(text)


@given(
    st.text(), st.text(st.characters(blacklist_categories=["Z", "C"], blacklist_characters="@"), min_size=4)
)
def test_no_password_of_a_uri_survives(before: str, password: str) -> None:
    text = f"{before} x://u:{password}@h"
    assert f":{password}@" not in scrub(text)


def test_exceptions_stay_on_one_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        log.exception("failed", error, host="h")
    line = only(stream)
    assert line["level"] == "error"
    assert line["host"] == "h"
    assert line["exception"]["type"] == "ValueError"
    assert line["exception"]["message"] == "first\nsecond"
    assert "test_exceptions_stay_on_one_line" in line["exception"]["traceback"]


def test_other_libraries_take_the_same_form(stream: io.StringIO) -> None:
    logging.getLogger("asyncio").warning("slow: %s", "x\ny")
    logging.getLogger("asyncio").info("not wanted")
    line = only(stream)
    assert (line["event"], line["message"], line["logger"]) == ("log", "slow: x\ny", "asyncio")


def test_a_message_that_cannot_be_formatted_is_written_as_it_is() -> None:
    out = io.StringIO()
    record = logging.LogRecord("other", logging.ERROR, "", 0, "%d", ("not a number",), None)
    EventHandler(out, logs.render_json).handle(record)
    assert only(out)["message"] == "%d"


class Colour(enum.Enum):
    RED = "red"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (b"abc", "[3 bytes]"),
        (TcpAddress("h", 1), "h:1"),
        (Colour.RED, "red"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (OSError(2, "gone"), "FileNotFoundError: [Errno 2] gone"),
        ((1, (2, (3, (4, (5,))))), [1, [2, [3, [4, "(5,)"]]]]),
        ({1: {2: 3}}, {"1": {"2": 3}}),
        ("x" * 2_010, "x" * 2_000 + "…(+10)"),
        (list(range(100)), list(range(50))),
        (Unprintable(), "[Unprintable]"),
        ("\ud800", "\ud800"),
    ],
)
def test_values_are_bounded_and_never_fail(value: object, written: object, stream: io.StringIO) -> None:
    log.info("event", value=value)
    assert only(stream)["value"] == written
    stream.getvalue().encode()


values = st.one_of(st.none(), st.text(max_size=20), st.binary(max_size=5), st.floats(), st.integers())


@given(st.dictionaries(st.text(min_size=1, max_size=8), values | st.lists(values, max_size=3), max_size=3))
def test_any_event_is_one_line_of_json(fields: dict[str, Any]) -> None:
    out = io.StringIO()
    record = logging.LogRecord("proxy.any", logging.INFO, "", 0, "event", (), None)
    record.fields = fields
    EventHandler(out, logs.render_json).handle(record)
    text = out.getvalue()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    json.loads(text)
    console = io.StringIO()
    EventHandler(console, logs.render_console).handle(record)
    assert len(console.getvalue().splitlines()) == 1


def test_the_console_form(stream: io.StringIO) -> None:
    out = io.StringIO()
    configure("console", "info", stream=out)
    log.warning("host_failed", host="db:1", reason='it said "no"', lines="a\nb", n=3, empty="", password="x")
    line = out.getvalue().partition(" ")[2]
    assert line == (
        'warning host_failed host=db:1 reason="it said \\"no\\"" lines="a\\nb" n=3 empty="" '
        f"password={REDACTED}\n"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_auto_is_console_on_a_terminal_and_json_elsewhere(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal, plain, file = Terminal(), Terminal(), io.StringIO()
    monkeypatch.delenv("NO_COLOR", raising=False)
    configure("auto", "info", stream=terminal)
    log.info("event")
    monkeypatch.setenv("NO_COLOR", "1")
    configure("auto", "info", stream=plain)
    log.info("event")
    configure("auto", "info", stream=file)
    log.info("event")
    assert "\x1b[" in terminal.getvalue()
    assert "\x1b[" not in plain.getvalue()
    assert "event" in plain.getvalue()
    assert json.loads(file.getvalue())["event"] == "event"


def test_a_closed_stream_stops_nothing() -> None:
    out = io.StringIO()
    handler = EventHandler(out, logs.render_json)
    out.close()
    handler.handle(logging.LogRecord("x", logging.INFO, "", 0, "event", (), None))
    handler.flush()


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def write(handler: EventHandler, event: str, times: int = 1, level: int = logging.INFO) -> None:
    for _ in range(times):
        record = logging.LogRecord("proxy.x", level, "", 0, event, (), None)
        record.fields = {}
        handler.handle(record)


def test_a_repeated_event_is_bounded_and_counted() -> None:
    clock, out, left_out = Clock(), io.StringIO(), []
    handler = EventHandler(
        out, logs.render_json, repeats=3, on_left_out=lambda: left_out.append(1), clock=clock
    )
    write(handler, "failed", times=10)
    write(handler, "other")
    assert [line["event"] for line in lines(out)] == ["failed"] * 3 + ["other"]
    assert len(left_out) == 7
    clock.now = 11
    write(handler, "failed")
    assert [(line["event"], line.get("of"), line.get("count")) for line in lines(out)[4:]] == [
        ("events_left_out", "failed", 7),
        ("failed", None, None),
    ]


def test_what_was_left_out_is_said_at_the_end() -> None:
    out = io.StringIO()
    handler = EventHandler(out, logs.render_json, repeats=1, clock=Clock())
    write(handler, "failed", times=3)
    handler.flush()
    handler.flush()
    assert [(line["event"], line.get("count")) for line in lines(out)] == [
        ("failed", None),
        ("events_left_out", 2),
    ]


def test_debug_is_not_limited() -> None:
    out = io.StringIO()
    handler = EventHandler(out, logs.render_json, repeats=1, clock=Clock())
    write(handler, "detail", times=5, level=logging.DEBUG)
    assert len(lines(out)) == 5


def test_the_limit_counts_by_event_and_window() -> None:
    limit = RepeatLimit(2, window=10)
    assert [limit.admit(("a", "e"), now) for now in (0, 1, 2, 3)] == [0, 0, None, None]
    assert limit.admit(("b", "e"), 3) == 0
    assert limit.admit(("a", "e"), 10) == 2
    assert limit.take_left_out(30) == []


def test_the_limit_forgets_the_event_not_seen_for_longest() -> None:
    limit = RepeatLimit(1, tracked=2)
    assert limit.admit(("a", "1"), 0) == 0
    assert limit.admit(("a", "2"), 0) == 0
    assert limit.admit(("a", "1"), 0) is None
    assert limit.admit(("a", "3"), 0) == 0
    assert limit.admit(("a", "1"), 0) is None
    assert limit.admit(("a", "2"), 0) == 0
