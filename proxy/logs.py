"""Structured logs: one line an event, JSON or aligned text, on standard error.

An event is a fixed name and fields: `log.info("rules_applied", digest=digest, tables=3)`. The standard
library's loggers lie underneath: levels work as everywhere, other libraries' messages take the same form.

No secret reaches a line: a field whose name says it is one is replaced, and credentials inside URIs are cut
out of every text. Parameter values and statement texts must not be passed in at all.

An event that repeats is written `repeats` times in ten seconds; what was left out is counted and said later.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, TextIO

LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

RESERVED = ("ts", "level", "event", "logger", "pid", "left_out", "message", "exception")
"""Keys of every line that fields cannot take; a field of that name gets a `_` behind it."""

TEXT_MAX = 2_000
"""Characters of one field that are written; tracebacks may have four times as many."""
DEPTH_MAX = 4
ITEMS_MAX = 50

REPEAT_WINDOW = 10.0
"""Seconds in which `repeats` lines of one event are written."""
DEFAULT_REPEATS = 20
EVENTS_TRACKED = 1_000
"""Events whose repetition is followed at once; the one not seen for longest is forgotten."""

_SECRET_NAME = re.compile(
    r"passw|secret|token|credential|authorization|cookie|api_?key|private_?key|cancel_?key|(^|_)dsn$",
    re.IGNORECASE,
)
_URI_USERINFO = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*://)\S*@")
_SECRET_PARAMETER = re.compile(
    r"(\b(?:password|passwd|secret|token|sslpassword)\s*=\s*)('[^']*'|[^\s&'\"]+)", re.IGNORECASE
)
REDACTED = "[redacted]"


def scrub(text: str) -> str:
    """`text` without the credentials of the URIs and connection strings in it."""
    if "@" in text:
        text = _URI_USERINFO.sub(r"\1" + REDACTED + "@", text)
    if "=" in text:
        text = _SECRET_PARAMETER.sub(r"\1" + REDACTED, text)
    return text


class EventLogger:
    """Writes events under one logger name. Never raises because of what it is given."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, event: str, /, **fields: Any) -> None:
        self._emit(logging.DEBUG, event, fields)

    def info(self, event: str, /, **fields: Any) -> None:
        self._emit(logging.INFO, event, fields)

    def warning(self, event: str, /, **fields: Any) -> None:
        self._emit(logging.WARNING, event, fields)

    def error(self, event: str, /, **fields: Any) -> None:
        self._emit(logging.ERROR, event, fields)

    def exception(self, event: str, error: BaseException, /, **fields: Any) -> None:
        """An error event with the exception's traceback in one escaped field."""
        self._emit(logging.ERROR, event, fields, error)

    def enabled(self, level: LogLevel) -> bool:
        """Whether such an event would be written; for events whose fields are expensive."""
        return self._logger.isEnabledFor(logging.getLevelNamesMapping()[level.upper()])

    def _emit(
        self, level: int, event: str, fields: Mapping[str, Any], error: BaseException | None = None
    ) -> None:
        if not self._logger.isEnabledFor(level):
            return
        exc_info = (type(error), error, error.__traceback__) if error is not None else None
        record = logging.LogRecord(self._logger.name, level, "", 0, event, (), exc_info)
        record.fields = fields
        self._logger.handle(record)


def get_logger(name: str) -> EventLogger:
    return EventLogger(logging.getLogger(name))


class RepeatLimit:
    """How many lines of one event are let through in a window, and how many were not. Knows no clock.

    Memory is bounded by `tracked` events.
    """

    def __init__(self, repeats: int, window: float = REPEAT_WINDOW, tracked: int = EVENTS_TRACKED) -> None:
        self._repeats = repeats
        self._window = window
        self._tracked = tracked
        self._events: OrderedDict[tuple[str, str], list[float]] = OrderedDict()
        """Key to [start of its window, lines let through in it, lines left out since the last]."""

    def admit(self, key: tuple[str, str], now: float) -> int | None:
        """None: leave the line out. Else: write it and say how many of its kind were left out before it."""
        entry = self._events.get(key)
        if entry is None:
            if len(self._events) >= self._tracked:
                self._events.popitem(last=False)
            self._events[key] = [now, 1, 0]
            return 0
        self._events.move_to_end(key)
        if now - entry[0] >= self._window:
            left_out = int(entry[2])
            entry[:] = [now, 1, 0]
            return left_out
        if entry[1] < self._repeats:
            entry[1] += 1
            return 0
        entry[2] += 1
        return None

    def take_left_out(self, now: float, *, everything: bool = False) -> list[tuple[tuple[str, str], int]]:
        """Events that went quiet with lines left out, and how many; each is told once."""
        taken = []
        for key, entry in self._events.items():
            if entry[2] and (everything or now - entry[0] >= self._window):
                taken.append((key, int(entry[2])))
                entry[2] = 0
        return taken


class EventHandler(logging.Handler):
    """Writes records to a stream, at most `repeats` of one event in a window; debug is not limited."""

    def __init__(
        self,
        stream: TextIO,
        render: Callable[[logging.LogRecord, int], str],
        *,
        repeats: int = DEFAULT_REPEATS,
        on_left_out: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._stream = stream
        self._render = render
        self._limit = RepeatLimit(repeats)
        self._on_left_out = on_left_out
        self._clock = clock
        self._swept = clock()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            now = self._clock()
            if now - self._swept >= REPEAT_WINDOW:
                self._swept = now
                self._say_left_out(now)
            left_out: int | None = 0
            if record.levelno > logging.DEBUG:
                left_out = self._limit.admit((record.name, _event_of(record)), now)
            if left_out is None:
                if self._on_left_out is not None:
                    self._on_left_out()
                return
            self._write(record, left_out)
        except (
            OSError,
            ValueError,
        ):  # the stream is full, closed or cannot encode: a log must not stop the proxy
            return

    def flush(self) -> None:
        """Say what was left out so far; the standard library calls this at the end of the process."""
        try:
            self._say_left_out(self._clock(), everything=True)
        except (OSError, ValueError):
            return

    def _say_left_out(self, now: float, *, everything: bool = False) -> None:
        for (logger, event), count in self._limit.take_left_out(now, everything=everything):
            record = logging.LogRecord(logger, logging.WARNING, "", 0, "events_left_out", (), None)
            record.fields = {"of": event, "count": count}
            self._write(record, 0)

    def _write(self, record: logging.LogRecord, left_out: int) -> None:
        line = self._render(record, left_out) + "\n"
        if not line.isascii():  # lone surrogates, from undecodable file names, have no encoding
            line = line.encode("utf-8", "backslashreplace").decode("utf-8")
        self._stream.write(line)
        self._stream.flush()


_handler: EventHandler | None = None


def configure(
    log_format: LogFormat = "auto",
    level: LogLevel = "info",
    *,
    stream: TextIO | None = None,
    repeats: int = DEFAULT_REPEATS,
    on_left_out: Callable[[], None] | None = None,
) -> None:
    """Send every logger's events to `stream` (standard error). Calling it again replaces what was set before.

    `auto` is console on a terminal and JSON elsewhere. `on_left_out` is called once for each line left out.
    """
    global _handler
    stream = sys.stderr if stream is None else stream
    terminal = stream.isatty()
    render = render_json
    if log_format == "console" or (log_format == "auto" and terminal):
        render = render_colour if terminal and "NO_COLOR" not in os.environ else render_console
    root = logging.getLogger()
    if _handler is not None:
        root.removeHandler(_handler)
        _handler.flush()
    _handler = EventHandler(stream, render, repeats=repeats, on_left_out=on_left_out)
    root.addHandler(_handler)
    root.setLevel(logging.WARNING)  # other libraries
    logging.getLogger("proxy").setLevel(level.upper())
    logging.captureWarnings(True)


def render_json(record: logging.LogRecord, left_out: int) -> str:
    line: dict[str, Any] = {
        "ts": timestamp(record.created),
        "level": record.levelname.lower(),
        "event": _event_of(record),
        "logger": record.name,
        "pid": record.process,
    }
    line.update(_safe_fields(record))
    if left_out:
        line["left_out"] = left_out
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).translate(_LINE_BREAKS)


def render_console(record: logging.LogRecord, left_out: int) -> str:
    return _console(record, left_out, level="{:<7}", event="{}", key="{}=")


def render_colour(record: logging.LogRecord, left_out: int) -> str:
    colour = _COLOURS.get(record.levelno, "0")
    return _console(
        record,
        left_out,
        level=f"\x1b[{colour}m{{:<7}}\x1b[0m",
        event="\x1b[1m{}\x1b[0m",
        key="\x1b[2m{}=\x1b[0m",
    )


_COLOURS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "31",
}
_LINE_BREAKS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}
"""Line breaks to some readers that JSON does not escape."""


def _console(record: logging.LogRecord, left_out: int, *, level: str, event: str, key: str) -> str:
    fields = _safe_fields(record)
    trace = fields.pop("exception", None)
    if left_out:
        fields["left_out"] = left_out
    parts = [
        timestamp(record.created),
        level.format(record.levelname.lower()),
        event.format(_event_of(record)),
    ]
    parts += [key.format(_console_value(name)) + _console_value(value) for name, value in fields.items()]
    line = " ".join(parts)
    if trace is not None:
        line += "\n" + "\n".join(f"    {row}" for row in str(trace["traceback"]).rstrip().splitlines())
    return line


def _console_value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if not text or not text.isprintable() or (isinstance(value, str) and (" " in text or '"' in text)):
        return json.dumps(text)
    return text


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03d}Z"


_last_second = (-1, "")


def _second(whole: int) -> str:
    global _last_second
    if _last_second[0] != whole:
        _last_second = (whole, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)))
    return _last_second[1]


def _event_of(record: logging.LogRecord) -> str:
    """The event's name; `log` for a message of a library that knows nothing of events."""
    return str(record.msg) if hasattr(record, "fields") else "log"


def _safe_fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: Mapping[str, Any] | None = getattr(record, "fields", None)
    safe: dict[str, Any] = {}
    if fields is None:
        safe["message"] = _cut(scrub(_message_of(record)), TEXT_MAX)
    else:
        for key, value in fields.items():
            name = f"{key}_" if key in RESERVED else key
            safe[name] = REDACTED if _SECRET_NAME.search(key) else _safe(value, DEPTH_MAX)
    if record.exc_info and record.exc_info[1] is not None:
        error = record.exc_info[1]
        text = "".join(traceback.format_exception(error))
        safe["exception"] = {
            "type": type(error).__qualname__,
            "message": _cut(scrub(_text(error)), TEXT_MAX),
            "traceback": _cut(scrub(text), 4 * TEXT_MAX),
        }
    return safe


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # a library's format string that does not fit its arguments
        return str(record.msg)


def _safe(value: Any, depth: int) -> Any:
    """`value` as JSON can hold it: bounded in depth, items and text; no credentials, no bytes."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # JSON has no infinity and no NaN
    if isinstance(value, str):
        return _cut(scrub(value), TEXT_MAX)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, Enum):
        return _safe(value.value, depth)
    if isinstance(value, BaseException):
        return _cut(scrub(f"{type(value).__qualname__}: {_text(value)}"), TEXT_MAX)
    if depth > 0 and isinstance(value, Mapping):
        pairs = list(value.items())[:ITEMS_MAX]
        return {str(k): REDACTED if _SECRET_NAME.search(str(k)) else _safe(v, depth - 1) for k, v in pairs}
    if depth > 0 and isinstance(value, list | tuple | set | frozenset):
        return [_safe(item, depth - 1) for item in list(value)[:ITEMS_MAX]]
    return _cut(scrub(_text(value)), TEXT_MAX)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a log line must not fail because of what it is to show
        return f"[{type(value).__name__}]"


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…(+{len(text) - limit})"
