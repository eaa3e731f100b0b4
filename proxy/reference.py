"""The reference pages that are written from the code: `python -m proxy.reference docs`.

A test fails when a page in docs/ is not what this makes of the code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from proxy.admin.exposition import FIRST_BUCKET, LAST_BUCKET, METRICS
from proxy.admin.history import BackfillStatus, VerifyStatus
from proxy.admin.mirror import CatalogueReport, MirrorOverview, MirrorStatus
from proxy.admin.mirror_metrics import LATENCY_BOUNDS
from proxy.admin.serving import ReadReason, ServingStatus, TableReads
from proxy.admin.shadow import Percentiles, ShadowReads, ShadowReason, ShadowStatus, StatementStatus
from proxy.admin.status import (
    Connections,
    ProcessStatus,
    Readiness,
    RuleProblem,
    RulesStatus,
    Status,
    TableStatus,
)
from proxy.config import FILE_SUFFIX, Setting, settings_table
from proxy.config_sources import CONFIG_VARIABLE

NOTICE = "<!-- Written by `python -m proxy.reference docs`; change the code, not this page. -->"


def configuration() -> str:
    """docs/configuration.md"""
    return _page(
        "# Configuration",
        NOTICE,
        "Every setting of `causeway run` is a flag, an environment variable and a key of an optional YAML file "
        f"(`--config FILE` or `{CONFIG_VARIABLE}`). The first that is given counts: flag, variable, file, "
        "default. `causeway check` takes the same settings and says whether everything they name answers; "
        "`causeway schema --config` prints a JSON Schema of the file.",
        "```yaml\n"
        "# causeway.yaml\n"
        "listen: [127.0.0.1:6432, /run/causeway]\n"
        "upstream: postgresql://db1,db2/?sslmode=verify-full&sslrootcert=/etc/causeway/ca.pem\n"
        "rules: /etc/causeway/rules\n"
        "store_file: /run/secrets/store\n"
        "drain_timeout: 45s\n"
        "```",
        "- **Durations** are written `500ms`, `30s`, `1h30m`; a bare number is seconds. **Sizes** are written "
        "`256KiB`, `64MiB`; a bare number is bytes.\n"
        "- **Secrets** can be kept in files: `--store-file`, `CAUSEWAY_STORE_FILE` and `store_file:` name a file "
        "that holds `store`; a newline at its end is taken off. A flag with the secret itself is visible in the "
        "process list. No error and no log line shows a secret.\n"
        "- An **empty variable** counts as not set. A variable that begins with `CAUSEWAY_` and is none of these "
        "is warned about.\n"
        "- **Errors** name the flag, variable or file and line that a value came from. All of them are shown at "
        "once, and the exit code is 2.\n"
        "- **Contradictions** are refused: `tls_mode` other than `disable` without `tls_cert`, `tls_cert` without "
        "`tls_key`, `tls_client_ca` with `tls_mode: allow`, one address used twice, an upstream that is a "
        "listening address, more `workers` than `max_connections`.",
        *_settings_sections(),
        "## Addresses",
        "| written | means |\n|---|---|\n"
        "| `db:5432`, `10.0.0.7:5432`, `[::1]:5432` | TCP |\n"
        "| `db` | TCP with the usual port: 5432 upstream, 6432 for `listen`, 9187 for `admin` |\n"
        "| `/run/postgresql`, `/run/postgresql:5433` | the Unix socket `.s.PGSQL.<port>` in that directory |\n"
        "| `unix:/run/causeway/any.name`, `/run/x.sock` | a Unix socket by its own path |\n"
        "| port `0` | for listening: a port that the system chooses; the log line `started` names it |",
        "`upstream` also takes a URI as libpq does: `postgresql://host1:port1,host2:port2/?key=value`, with the "
        "keys `sslmode`, `sslnegotiation`, `sslrootcert` (a file, or `system`), `sslcert` and `sslkey`, whose "
        "meaning is libpq's. User, password and database are refused there: the application's own go through.",
    )


def metrics() -> str:
    """docs/metrics.md"""
    rows = []
    for row in METRICS:
        labels = ", ".join(f"`{label}`" for label in row.labels)
        rows.append((f"`{row.shown_name}`", row.kind, labels, row.help))
    low, high = 2**FIRST_BUCKET / 1e9, 2**LAST_BUCKET / 1e9
    return _page(
        "# Metrics",
        NOTICE,
        "`GET /metrics` on the admin address answers in Prometheus' text format, or in OpenMetrics where the "
        "Accept header asks for it. With several workers the numbers are those of all of them; lags are those "
        "of the worst. A counter starts at zero with its process.",
        _table(("name", "kind", "labels", "what it counts"), rows),
        f"The buckets of `causeway_own_share_seconds` are powers of two from {low * 1e6:.3g} µs to {high:.2g} s. "
        "It has one observation for each chunk of bytes that was handed on, not one for each statement. Those of "
        f"`causeway_mirror_store_write_seconds` are powers of four from {2 ** LATENCY_BOUNDS[0] / 1e6:.2g} ms to "
        f"{2 ** LATENCY_BOUNDS[-1] / 1e9:.2g} s.",
        "The metrics of a mirrored table appear once its database's catalogue has been read. `database` "
        "and `table` are PostgreSQL's names.",
        "Those of backfills and comparisons are of the last one that the store knows, whoever has carried it out; a "
        "proxy reads them every ten seconds, every two while one goes on.",
        "The configured limits are shown as `causeway_limit{limit=...}` under their names in "
        "[configuration.md](configuration.md). Every time one of the byte path, of the capture "
        "or of the spool is met it is counted in `causeway_limits_reached_total{limit=...}`; the others of mirroring "
        "show in the gaps, and in what is spooled, dropped and retried.",
    )


def status() -> str:
    """docs/status.md"""
    return _page(
        "# Status and readiness",
        NOTICE,
        "The admin interface answers over plain HTTP on `admin` (default 127.0.0.1:9187; a Unix socket works "
        "too). It only reads, and has no login: keep it on loopback or in the pod's own network.",
        "| path | answer |\n|---|---|\n"
        "| `/` | a page for people that shows `/status` and keeps itself up to date |\n"
        "| `/healthz` | 200 while the process works |\n"
        "| `/readyz` | 200 while new connections are accepted, else 503; `Readiness` below |\n"
        "| `/status` | `Status` below; `causeway status` shows it, `causeway status --json` prints it |\n"
        "| `/metrics` | [metrics.md](metrics.md) |",
        "Everything else is answered with 404, and methods other than GET and HEAD with 405, as "
        '`{"error": "..."}`. `causeway schema --status` prints the JSON Schema of `/status`. Fields are only '
        "ever added; should one change its meaning, `schema_version` goes up.",
        *(
            _model_section(model)
            for model in (
                Status,
                Connections,
                RulesStatus,
                RuleProblem,
                TableStatus,
                MirrorStatus,
                BackfillStatus,
                VerifyStatus,
                MirrorOverview,
                CatalogueReport,
                ShadowStatus,
                ShadowReads,
                StatementStatus,
                Percentiles,
                ShadowReason,
                ServingStatus,
                TableReads,
                ReadReason,
                ProcessStatus,
                Readiness,
            )
        ),
    )


PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": configuration,
    "metrics.md": metrics,
    "status.md": status,
}


def _settings_sections() -> Iterator[str]:
    groups: dict[str, list[Setting]] = {}
    for row in settings_table():
        groups.setdefault(row.doc.group, []).append(row)
    for group, rows in groups.items():
        yield f"## {group}"
        yield _table(("setting", "flag", "variable", "default", ""), [_setting_row(row) for row in rows])


def _setting_row(row: Setting) -> Sequence[str]:
    flags = [f"`{row.flag} {row.doc.metavar}`"]
    variables = [f"`{row.variable}`"]
    if row.secret:
        flags.append(f"`{row.flag}-file FILE`")
        variables.append(f"`{row.variable}{FILE_SUFFIX.upper()}`")
    words = row.doc.default is not None
    default = row.default if words else f"`{row.default}`" if row.default else ""
    if row.required:
        default = "required"
    text = row.description
    if row.repeatable:
        text += " The flag can be repeated; the file takes a list."
    return f"`{row.name}`", "<br>".join(flags), "<br>".join(variables), default, text


def _model_section(model: type[BaseModel]) -> str:
    schema = model.model_json_schema(mode="serialization")
    rows = []
    for name, field in schema["properties"].items():
        text = " ".join(field.get("description", "").split())
        rows.append((f"`{name}`", _type(field), text))
    doc = " ".join((model.__doc__ or "").split())
    heading = f"## {model.__name__}"
    return "\n\n".join(part for part in (heading, doc, _table(("field", "type", ""), rows)) if part)


def _type(field: dict[str, Any]) -> str:
    """A JSON Schema type in a word."""
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"])
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return "phase" if name == "Phase" else f"[{name}](#{name.lower()})"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if field.get("format") == "date-time":
        return "time (RFC 3339, UTC)"
    return str(field.get("type", "any"))


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _page(*blocks: str) -> str:
    return "\n\n".join(blocks) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Writes every page into the directory named by the one argument."""
    if len(arguments) != 1:
        print("usage: python -m proxy.reference DIRECTORY", file=sys.stderr)
        return 2
    for name, write in PAGES.items():
        Path(arguments[0], name).write_text(write(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
