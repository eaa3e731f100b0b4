"""What can be set: one model, from which flags, variables, file keys, JSON Schema and reference are made.

Values arrive as text from any of those sources and mean the same in each. The model only says what is
contradictory in itself; whether files exist and hosts answer is for `causeway check` and the start to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from proxy.addresses import Address, TcpAddress, Upstream, parse_address, parse_upstream
from proxy.config_types import (
    AsText,
    Bytes,
    Doc,
    OptionalPath,
    Seconds,
    Secret,
    comma_separated,
    from_text,
    text_schema,
)
from proxy.logs import DEFAULT_REPEATS, LogFormat, LogLevel
from proxy.units import (
    format_duration,
    format_size,
)

LISTEN_PORT = 6432
ADMIN_PORT = 9187

DATABASES = "Databases"
LISTENING = "Listening"
TLS = "TLS towards clients"
MIRRORING = "Rules and mirroring"
LIMITS = "Limits"
TIMES = "Times"
OPERATION = "Operation"

TlsMode = Literal["disable", "allow", "require"]


def _admin_address(text: str) -> Address | None:
    return None if text.strip() == "off" else parse_address(text, default_port=ADMIN_PORT)


def _default_tls_mode(settings: dict[str, Any]) -> TlsMode:
    if settings.get("tls_client_ca") is not None:
        return "require"
    return "disable" if settings.get("tls_cert") is None else "allow"


class Settings(BaseModel):
    """Everything `causeway run` can be told. A change needs a restart (rule files are reloaded)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        title="Causeway settings",
        use_attribute_docstrings=True,
    )

    listen: Annotated[
        tuple[Annotated[Address, AsText], ...],
        comma_separated(lambda text: parse_address(text, default_port=LISTEN_PORT)),
        WithJsonSchema(
            {
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
                "examples": ["127.0.0.1:6432", ["127.0.0.1:6432", "/run/causeway:6432"]],
            }
        ),
        Doc(LISTENING, "ADDRESS"),
    ] = (TcpAddress("127.0.0.1", LISTEN_PORT),)
    """Where clients connect: HOST:PORT, [IPV6]:PORT, a socket directory or unix:/FILE; commas between."""

    upstream: Annotated[
        Upstream,
        from_text(parse_upstream),
        AsText,
        text_schema(examples=["db:5432", "postgresql://db1,db2:5433?sslmode=require"]),
        Doc(DATABASES, "ADDRESS"),
    ]
    """The PostgreSQL server: HOST:PORT, several with commas (tried in order), a socket directory, or a
    postgresql:// URI with sslmode, sslnegotiation, sslrootcert, sslcert, sslkey; no user, no database."""

    store: Annotated[Secret | None, Doc(DATABASES, "URI")] = None
    """The document database: a mongodb:// or mongodb+srv:// URI. Without it all stays on PostgreSQL."""

    control_dsn: Annotated[Secret | None, Doc(DATABASES, "URI")] = None
    """Causeway's own connection to the source's catalogue: a postgresql:// URI with user and database."""

    rules: Annotated[OptionalPath, Doc(MIRRORING, "PATH")] = None
    """A rule file, or a directory whose *.yaml files are read. Without it every table is passed through."""

    spool: Annotated[OptionalPath, Doc(MIRRORING, "DIRECTORY")] = None
    """Where images wait on disk until the store has them: a directory of this proxy's own, kept over restarts."""

    spool_fsync: Annotated[bool, Doc(MIRRORING, "BOOL")] = False
    """Whether each transaction's images are flushed to the disk before its COMMIT. Without it they survive the end
    of the process, however sudden, but not that of the machine."""

    admin: Annotated[
        Annotated[Address, AsText] | None,
        from_text(_admin_address),
        PlainSerializer(lambda value: "off" if value is None else str(value), when_used="json"),
        text_schema(examples=["127.0.0.1:9187", "unix:/run/causeway/admin.sock", "off"]),
        Doc(LISTENING, "ADDRESS"),
    ] = TcpAddress("127.0.0.1", ADMIN_PORT)
    """Where /metrics, /healthz, /readyz and /status answer (plain HTTP, no login: keep private); or off."""

    workers: Annotated[int, Field(ge=1, le=256), Doc(OPERATION, "N")] = 1
    """Processes that share the listening addresses."""

    tls_cert: Annotated[OptionalPath, Doc(TLS, "FILE")] = None
    """Certificate chain shown to clients, PEM."""

    tls_key: Annotated[OptionalPath, Doc(TLS, "FILE")] = None
    """Its private key, PEM, without passphrase."""

    tls_client_ca: Annotated[OptionalPath, Doc(TLS, "FILE")] = None
    """Certificate authorities, PEM; clients must then show a certificate that one of them has signed."""

    tls_mode: Annotated[
        TlsMode,
        Doc(TLS, "MODE", "disable; allow with tls_cert; require with tls_client_ca"),
    ] = Field(default_factory=_default_tls_mode)
    """disable: clients are told that there is no TLS. allow: TLS and plain text. require: TLS only (TCP
    listeners; Unix sockets are always plain)."""

    max_connections: Annotated[int, Field(ge=1, le=1_000_000), Doc(LIMITS, "N")] = 1000
    """Client connections open at once, all workers together; one more is answered with SQLSTATE 53300."""

    max_startup_packet: Annotated[Bytes, Field(ge=64, le=1 << 20), Doc(LIMITS, "SIZE")] = 10_000
    """Largest startup packet accepted (PostgreSQL's own limit is 10000 bytes)."""

    buffer_high_water: Annotated[Bytes, Field(ge=4096, le=1 << 30), Doc(LIMITS, "SIZE")] = 256 * 1024
    """Bytes held for a slow reader, per connection and direction, before its writer is paused."""

    max_rules_size: Annotated[Bytes, Field(ge=1024, le=1 << 30), Doc(LIMITS, "SIZE")] = 4 << 20
    """Largest size of all rule files together."""

    log_repeats: Annotated[int, Field(ge=1, le=1_000_000), Doc(LIMITS, "N")] = DEFAULT_REPEATS
    """Lines of one log event in ten seconds; what is left out is counted on a later line."""

    max_statement: Annotated[Bytes, Field(ge=1024, le=1 << 30), Doc(LIMITS, "SIZE")] = 1 << 20
    """Largest statement that is parsed; a write in a longer one is a gap for every table that it mentions."""

    max_message: Annotated[Bytes, Field(ge=64 << 10, le=1 << 30), Doc(LIMITS, "SIZE")] = 64 << 20
    """Longest message of a captured client that is held to be looked at; a longer one passes in pieces, as a gap."""

    statement_cache: Annotated[int, Field(ge=1, le=1_000_000), Doc(LIMITS, "N")] = 2000
    """Parsed statements kept, per worker."""

    transaction_memory: Annotated[Bytes, Field(ge=4096, le=1 << 40), Doc(LIMITS, "SIZE")] = 8 << 20
    """Images of one open transaction held in memory; beyond it they go to the spool."""

    mirror_memory: Annotated[Bytes, Field(ge=64 << 10, le=1 << 40), Doc(LIMITS, "SIZE")] = 64 << 20
    """Committed images held in memory, per worker, until the store has them; beyond it they wait in the spool."""

    spool_size: Annotated[Bytes, Field(ge=1 << 20, le=1 << 50), Doc(LIMITS, "SIZE")] = 1 << 30
    """Disk the spool may take, all workers together; beyond it writes become gaps."""

    mirror_lanes: Annotated[int, Field(ge=1, le=1024), Doc(LIMITS, "N")] = 4
    """Bulk writes that may be under way at once, per worker; the writes of one key keep to one lane."""

    mirror_batch: Annotated[int, Field(ge=1, le=100_000), Doc(LIMITS, "N")] = 500
    """Documents in one bulk write."""

    max_reread_rows: Annotated[int, Field(ge=1, le=10_000_000), Doc(LIMITS, "N")] = 10_000
    """Rows of one gap that are read again from PostgreSQL; a gap of more stays open for the whole table."""

    max_reread_gaps: Annotated[int, Field(ge=1, le=1_000_000), Doc(LIMITS, "N")] = 1000
    """Gaps whose rows wait to be read again, per worker; those beyond stay open for their whole table."""

    max_command_connections: Annotated[int, Field(ge=1, le=1000), Doc(LIMITS, "N")] = 8
    """Connections that a command (backfill, verify) opens to one database of the source, at most."""

    startup_timeout: Annotated[Seconds, Field(gt=0), Doc(TIMES, "DURATION")] = 60.0
    """From a client's connection to the end of its authentication (PostgreSQL: authentication_timeout)."""

    connect_timeout: Annotated[Seconds, Field(gt=0), Doc(TIMES, "DURATION")] = 10.0
    """For reaching one upstream host, TLS included; then the next is tried."""

    drain_timeout: Annotated[Seconds, Field(ge=0), Doc(TIMES, "DURATION")] = 30.0
    """How long transactions may still run after SIGTERM before their connections are closed; then, as long again, how
    long the mirror may take to empty its queue."""

    close_timeout: Annotated[Seconds, Field(gt=0), Doc(TIMES, "DURATION")] = 5.0
    """How long a connection that is being closed may take to accept its last bytes; then it is reset."""

    cancel_timeout: Annotated[Seconds, Field(gt=0), Doc(TIMES, "DURATION")] = 10.0
    """For passing one cancel request to the upstream."""

    keepalive_idle: Annotated[Seconds, Field(ge=1, le=32767), Doc(TIMES, "DURATION")] = 60.0
    """Silence on a TCP connection before the first keepalive probe, on both legs; whole seconds."""

    keepalive_interval: Annotated[Seconds, Field(ge=1, le=32767), Doc(TIMES, "DURATION")] = 10.0
    """Between keepalive probes; whole seconds."""

    mirror_linger: Annotated[Seconds, Field(ge=0, le=60), Doc(TIMES, "DURATION")] = 0.05
    """How long writes that no reply waits for may gather before they are sent to the store together."""

    store_timeout: Annotated[Seconds, Field(gt=0, le=3600), Doc(TIMES, "DURATION")] = 10.0
    """For one operation of the document store; then it is tried again."""

    retry_backoff_max: Annotated[Seconds, Field(gt=0, le=3600), Doc(TIMES, "DURATION")] = 30.0
    """Longest pause between two attempts of a write that the store did not take."""

    catalogue_interval: Annotated[Seconds, Field(gt=0, le=3600), Doc(TIMES, "DURATION")] = 2.0
    """Between two looks at the source's catalogue."""

    catalogue_timeout: Annotated[Seconds, Field(gt=0, le=3600), Doc(TIMES, "DURATION")] = 30.0
    """For one query of the control connection."""

    heartbeat_interval: Annotated[Seconds, Field(gt=0, le=3600), Doc(TIMES, "DURATION")] = 2.0
    """Between two signs of life that the other proxies of the source see in the store."""

    proxy_lost_after: Annotated[Seconds, Field(gt=0), Doc(TIMES, "DURATION")] = 60.0
    """Silence after which another proxy counts as lost, and what it may have held as a gap."""

    fleet_timeout: Annotated[Seconds, Field(gt=0), Doc(TIMES, "DURATION")] = 300.0
    """How long a command waits for another proxy's queue to pass a position; longer than proxy_lost_after. What rests
    on it is unsettled then, and the proxy is named."""

    tombstone_ttl: Annotated[Seconds, Field(ge=60, le=10 * 365 * 86400), Doc(TIMES, "DURATION")] = 7 * 86400.0
    """How long the store remembers a deleted row: longer than the longest outage of a proxy or of the store."""

    keepalive_count: Annotated[int, Field(ge=1, le=127), Doc(LIMITS, "N")] = 6
    """Unanswered keepalive probes after which a connection is dead."""

    log_format: Annotated[LogFormat, Doc(OPERATION, "FORMAT")] = "auto"
    """json, console, or auto: console on a terminal and json elsewhere."""

    log_level: Annotated[LogLevel, Doc(OPERATION, "LEVEL")] = "info"
    """The least severe events written."""

    def reveal(self) -> dict[str, Any]:
        """Everything as JSON can hold it, secrets included: for `model_validate` in a worker, never for a log."""
        plain = self.model_dump(mode="json")
        for name in _SCHEMES:
            secret = getattr(self, name)
            plain[name] = None if secret is None else secret.get_secret_value()
        return plain

    @field_validator("store", "control_dsn", mode="after")
    @classmethod
    def _check_uri(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        schemes = _SCHEMES[info.field_name or ""]
        if value is None:
            return None
        text = value.get_secret_value().strip()
        scheme, separator, rest = text.partition("://")
        if not separator or scheme not in schemes or not rest:
            raise ValueError(f"not a URI of this kind; write {schemes[0]}://USER:PASSWORD@HOST:PORT/...")
        return SecretStr(text)

    @field_validator("keepalive_idle", "keepalive_interval", mode="after")
    @classmethod
    def _check_whole(cls, value: float) -> float:
        if value != int(value):
            raise ValueError(
                f"{format_duration(value)} is not a whole number of seconds, which TCP keepalive needs"
            )
        return value

    @field_validator("rules", "spool", "tls_cert", "tls_key", "tls_client_ca", mode="after")
    @classmethod
    def _check_path(cls, value: Path | None) -> Path | None:
        if value is not None and "\0" in str(value):
            raise ValueError("a path holds no zero bytes")
        return value

    @model_validator(mode="after")
    def _check_listen(self) -> Self:
        if not self.listen:
            raise contradiction("no address to listen on; give at least one", "listen")
        fixed = [address for address in self.listen if not _chosen_by_system(address)]
        for address in fixed:
            if fixed.count(address) > 1:
                raise contradiction(f"{address} stands twice", "listen")
            if address in self.upstream.hosts:
                raise contradiction(
                    f"{address} is both the upstream and a listening address", "upstream", "listen"
                )
            if address == self.admin:
                raise contradiction(f"{address} is both the admin and a listening address", "admin", "listen")
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise contradiction(
                "tls_cert and tls_key belong together; give both or neither", "tls_cert", "tls_key"
            )
        if self.tls_mode != "disable" and self.tls_cert is None:
            raise contradiction(f"tls_mode={self.tls_mode} needs tls_cert and tls_key", "tls_mode")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise contradiction("tls_client_ca needs tls_cert and tls_key", "tls_client_ca")
        if self.tls_client_ca is not None and self.tls_mode == "allow":
            raise contradiction(
                "with tls_mode=allow a client without TLS needs no certificate, which tls_client_ca asks for;"
                " set tls_mode=require",
                "tls_mode",
                "tls_client_ca",
            )
        return self

    @model_validator(mode="after")
    def _check_workers(self) -> Self:
        if self.workers > self.max_connections:
            raise contradiction(
                f"{self.workers} workers cannot share {self.max_connections} connections; give each one",
                "workers",
                "max_connections",
            )
        return self

    @model_validator(mode="after")
    def _check_heartbeat(self) -> Self:
        if self.proxy_lost_after < 2 * self.heartbeat_interval:
            raise contradiction(
                f"proxy_lost_after={format_duration(self.proxy_lost_after)} is less than two heartbeats of "
                f"{format_duration(self.heartbeat_interval)}; a healthy proxy would count as lost",
                "proxy_lost_after",
                "heartbeat_interval",
            )
        return self


_SCHEMES = {"store": ("mongodb", "mongodb+srv"), "control_dsn": ("postgresql", "postgres")}


def contradiction(message: str, *settings: str) -> PydanticCustomError:
    """Settings that cannot hold together; `settings` names those whose sources the error shows."""
    return PydanticCustomError("contradiction", "{message}", {"message": message, "settings": settings})


def _chosen_by_system(address: Address) -> bool:
    return isinstance(address, TcpAddress) and address.port == 0


@dataclass(frozen=True)
class Setting:
    """One field of `Settings` as its users meet it."""

    name: str
    doc: Doc
    description: str
    required: bool
    secret: bool
    """Can also be given as a file, so that it stands in no process list."""
    repeatable: bool
    default: str
    """In words; empty where there is none."""

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        return VARIABLE_PREFIX + self.name.upper()


VARIABLE_PREFIX = "CAUSEWAY_"
FILE_SUFFIX = "_file"
"""Behind a secret's name: the value is the path of a file that holds the secret."""


def settings_table() -> tuple[Setting, ...]:
    """Every setting, in the model's order."""
    return tuple(_setting(name, field) for name, field in Settings.model_fields.items())


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the configuration file."""
    schema = Settings.model_json_schema()
    for row in settings_table():
        described = schema["properties"][row.name]
        described.pop("default", None)
        described.pop("title", None)
        described["description"] = row.description
        if row.default and row.doc.default is None:
            described["default"] = _TYPED.get(row.doc.metavar, str)(row.default)
    for row in settings_table():
        if row.secret:
            schema["properties"][row.name + FILE_SUFFIX] = {
                "type": "string",
                "description": f"Path of a file that holds {row.name}.",
            }
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    # Flags and variables may give what the file leaves out.
    schema.pop("required", None)
    return schema


_TYPED: dict[str, Callable[[str], Any]] = {"N": int, "BOOL": "true".__eq__}
"""How a default is written in the JSON Schema, by metavar; text where it is not here."""


def limits(settings: Settings) -> dict[str, float]:
    """The configured limits and times by name, in bytes, seconds or pieces."""
    names = [row.name for row in settings_table() if row.doc.group in (LIMITS, TIMES)]
    return {name: float(getattr(settings, name)) for name in names}


def _setting(name: str, field: FieldInfo) -> Setting:
    doc = next(item for item in field.metadata if isinstance(item, Doc))
    return Setting(
        name=name,
        doc=doc,
        description=" ".join((field.description or "").split()),
        required=field.is_required(),
        secret=name in _SCHEMES,
        repeatable=name == "listen",
        default=_default_in_words(field, doc),
    )


def _default_in_words(field: FieldInfo, doc: Doc) -> str:
    if doc.default is not None:
        return doc.default
    if field.is_required() or field.default is None:
        return ""
    value: Any = field.default
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    if doc.metavar == "DURATION":
        return format_duration(value)
    if doc.metavar == "SIZE":
        return format_size(value)
    if doc.metavar == "BOOL":
        return str(value).lower()
    return str(value)
