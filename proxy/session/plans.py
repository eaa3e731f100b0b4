"""Plans of statements, found again by their text: what sessions share, and what each has of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from proxy.catalog.model import Snapshot
from proxy.mirror.effects import Cause, Unseen
from proxy.session.plan import Ground, Identity, Plan, Step
from proxy.session.planner import plan, unparsed
from proxy.sql.analysis import means_the_same_everywhere
from proxy.sql.bounded import Bounded
from proxy.sql.cache import AnalysisCache, shape_weight
from proxy.sql.mentions import Mentions
from proxy.sql.model import Analysis, Kind, Statement
from proxy.sql.savepoints import savepoint_statement
from proxy.sql.shapes import Key, is_certain, key_of, pieces_of
from proxy.wire.encodings import UnknownEncoding, python_encoding

if TYPE_CHECKING:
    from proxy.serve.candidates import Reading
    from proxy.shadow.candidates import Candidate

LONGEST_SHAPE = 8192
"""Characters of a text up to which others that differ in constants only are looked for."""

_NOTHING: Final = Plan("", ())
"""Kept for texts of which nothing has to be known."""

_SAVEPOINT_LETTERS: Final = (b"S", b"s", b"R", b"r")

MAX_SHELVES = 256
"""Different (database, encoding, roles, search_path) whose plans are kept."""

NOTHING_MIRRORED: Final = Ground(
    Snapshot("", 0, "", 0, 0, "", {}, {}, {}),
    {},
    -1,
)
"""For a session that is captured still because of what it has prepared: only its own state is followed."""


@dataclass
class Shelf:
    """Plans that hold for one ground and one identity."""

    ground: Ground
    mentions: Mentions
    plans: Bounded[bytes, Plan]
    """By the text as the client sent it."""
    shapes: Bounded[Key, Plan]
    """By the text without its constants."""
    reads: Bounded[bytes, Candidate]
    """Of texts that were sampled: whether they may be compared."""
    readings: Bounded[bytes, Reading]
    """Of texts of sessions whose reads are served: what they are to them."""


class Plans:
    """What the sessions of one process share."""

    def __init__(
        self,
        grounds: Callable[[str], Ground | None],
        *,
        cache_size: int,
        max_statement: int,
        max_message: int,
        max_copy_keys: int,
        defined: Callable[[str, Callable[[], None]], bool] = lambda database, then: True,
        want_role: Callable[[str, str], None] = lambda database, role: None,
        limit_reached: Callable[[str], None] = lambda name: None,
    ) -> None:
        """`grounds` gives a database's ground, None where nothing of it is mirrored.

        `defined` hears of DDL. It returns True if nothing is to be waited for, else it calls what it is given once,
        in a later turn, when the catalogue is as it is after the DDL, or cannot be had soon. `want_role` hears of
        roles whose privileges are not known, `limit_reached` of limits by their names in the configuration.
        """
        self.ground = grounds
        self.max_statement = max_statement
        """Characters up to which a statement is parsed."""
        self.max_message = max_message
        """Bytes of a client's message up to which it is collected; a longer one is handed on in pieces."""
        self.max_copy_keys = max_copy_keys
        self.defined = defined
        self.want_role = want_role
        self.limit_reached = limit_reached
        self.analyses = AnalysisCache(cache_size)
        self._cache_size = cache_size
        self._shelves: Bounded[tuple[str, str, Identity], Shelf] = Bounded(MAX_SHELVES)
        self._mentions: dict[str, tuple[Ground, Mentions]] = {}
        self.hits = 0
        self.misses = 0

    def shelf(self, database: str, codec: str, identity: Identity, ground: Ground) -> Shelf:
        key = (database, codec, identity)
        found = self._shelves.get(key)
        if found is None or found.ground is not ground:
            known = self._mentions.get(database)
            if known is None or known[0] is not ground:
                known = (ground, Mentions(ground.snapshot.watched))
                self._mentions[database] = known
            found = Shelf(ground, known[1], *(Bounded(self._cache_size) for _ in range(4)))
            self._shelves.put(key, found)
        return found

    def session(self, database: str, user: str, options: str, parameters: Mapping[str, str]) -> SessionPlans:
        return SessionPlans(self, database, user, options, parameters)


class SessionPlans:
    """What one session's statements are planned with: its roles, its search_path, its encoding."""

    __slots__ = (
        "_before",
        "_changed",
        "_identity",
        "_local",
        "_server_utf8",
        "_shelf",
        "_standard_strings",
        "codec",
        "database",
        "shared",
    )

    def __init__(
        self, shared: Plans, database: str, user: str, options: str, parameters: Mapping[str, str]
    ) -> None:
        """`options` are those of the StartupMessage; `parameters` what the server has reported at login."""
        self.shared = shared
        self.database = database
        self._standard_strings = parameters.get("standard_conforming_strings", "on") == "on"
        """Whether a backslash in a string is a backslash."""
        self._server_utf8 = parameters.get("server_encoding", "UTF8") == "UTF8"
        encoding = parameters.get("client_encoding", "UTF8")
        self.codec: str | None = codec_of(encoding)
        words = options.lower()
        ground = self.ground
        path: tuple[str, ...] | None = None
        if ground is not None and "search_path" not in words:
            path = ground.snapshot.search_paths.get(user)
        self._identity = Identity(frozenset({user}), "role" not in words, path, self._utf8(encoding))
        self._before = path
        """The search_path when the transaction began."""
        self._changed = False
        """Whether the transaction has changed it ..."""
        self._local = False
        """... for itself only."""
        self._shelf: Shelf | None = None
        self._want(user)

    def _want(self, role: str) -> None:
        ground = self.ground
        if ground is not None and role not in ground.snapshot.unreadable:
            self.shared.want_role(self.database, role)

    @property
    def ground(self) -> Ground | None:
        return self.shared.ground(self.database)

    @property
    def generation(self) -> int:
        ground = self.shared.ground(self.database)
        return -1 if ground is None else ground.generation

    @property
    def strict(self) -> bool:
        """Whether what may be written to any table of the database must be durable here before it is committed."""
        ground = self.ground
        return ground is not None and ground.strict

    @property
    def identity(self) -> Identity:
        return self._identity

    @property
    def shelf(self) -> Shelf | None:
        """What is shared with sessions of the same kind; None before the first statement."""
        return self._shelf

    @property
    def changed(self) -> bool:
        """Whether the end of the transaction may bring back another search_path."""
        return self._changed

    def encode(self, text: str) -> bytes:
        return text.encode(self.codec or "utf-8", "surrogateescape")

    def plan(self, text: bytes) -> Plan | None:
        """What is to be done with a text; None: nothing, it goes on as it is."""
        shared = self.shared
        ground = shared.ground(self.database) or NOTHING_MIRRORED
        shelf = self._shelf
        if shelf is None or shelf.ground is not ground:
            shelf = self._shelf = shared.shelf(self.database, self.codec or "", self._identity, ground)
        found = shelf.plans.get(text)
        if found is not None:
            shared.hits += 1
            return found
        codec = self.codec
        if codec is None:
            return self._opaque(text.decode("latin-1"), ground)
        try:
            decoded = text.decode(codec)
        except UnicodeDecodeError:
            return self._opaque(text.decode("latin-1"), ground)
        if not self._standard_strings and not means_the_same_everywhere(decoded):
            return self._opaque(decoded, ground)
        if text[:1] in _SAVEPOINT_LETTERS and (quick := savepoint_statement(decoded)) is not None:
            return plan(decoded, quick, ground, self._identity)
        key: Key | None = None
        if len(decoded) <= LONGEST_SHAPE:
            pieces = pieces_of(decoded)
            key = key_of(pieces)
            known = shelf.shapes.get(key)
            if known is _NOTHING:
                return None
            if known is not None:
                shared.hits += 1
                return known.of(decoded)
            if not is_certain(pieces):
                key = None
        if not shelf.mentions.search(text, codec):
            if key is not None:
                shelf.shapes.put(key, _NOTHING, shape_weight(decoded, key))
            return None
        shared.misses += 1
        if len(decoded) > shared.max_statement:
            shared.limit_reached("max_statement")
            return self._opaque(decoded, ground)
        analysis = shared.analyses.get(decoded)
        if not isinstance(analysis, Analysis):
            # PostgreSQL knows syntax the parser does not, or will refuse it itself.
            return self._opaque(decoded, ground)
        made = plan(decoded, analysis, ground, self._identity)
        if key is not None and made.shareable:
            shelf.shapes.put(key, made if made.matters else _NOTHING, shape_weight(decoded, key))
        elif made.matters:
            shelf.plans.put(text, made, len(text))
        return made if made.matters else None

    def _opaque(self, text: str, ground: Ground) -> Plan | None:
        unseen = unparsed(text, ground)
        if not unseen:
            return None
        statement = Statement(Kind.OTHER, 0, len(text))
        tables = tuple(item.table for item in unseen)
        return Plan(text, (Step(statement, unseen=unseen, tables=tables, strict=ground.strict),))

    def unseen_everywhere(self, detail: str, cause: Cause = Cause.UNPARSED) -> tuple[Unseen, ...]:
        ground = self.ground
        if ground is None:
            return ()
        return tuple(Unseen(cause, table, None, detail) for table in ground.mirrored)

    def unseen_functions(self) -> tuple[Unseen, ...]:
        """What a function called by its oid may have written."""
        ground = self.ground
        if ground is None:
            return ()
        tables = {
            mirrored.table: None
            for effects in ground.snapshot.functions.values()
            for effect in effects
            if (mirrored := ground.tables.get(effect.table)) is not None
        }
        return tuple(Unseen(Cause.FUNCTION, table, None, "a FunctionCall message") for table in tables)

    # What changes it.

    def reported(self, name: bytes, value: bytes) -> None:
        """A ParameterStatus of the server."""
        if name == b"standard_conforming_strings":
            self._standard_strings = value == b"on"
        if name == b"client_encoding":
            encoding = value.decode("ascii", "replace")
            self.codec = codec_of(encoding)
            self._shelf = None
            self._take(replace(self._identity, utf8=self._utf8(encoding)))

    def _utf8(self, encoding: str) -> bool:
        """With SQL_ASCII nothing is converted: text comes as the database has it."""
        return encoding == "UTF8" or (encoding == "SQL_ASCII" and self._server_utf8)

    def set(self, statement: Statement) -> None:
        """A SET or RESET has succeeded."""
        identity = self._identity
        values = statement.value
        match statement.name:
            case "role" | "session_authorization":
                new = {value for value in values or () if value.lower() != "none"}
                identity = replace(identity, roles=identity.roles | new)
                for role in new:
                    self._want(role)
            case "search_path":
                self._changed = True
                self._local = self._local or statement.local
                identity = replace(identity, path=None if values is None else self._path(values))
            case "":  # RESET ALL
                identity = replace(identity, path=None)
            case _:
                return
        self._take(identity)

    def learned(self, path: tuple[str, ...]) -> None:
        """The server has told the search_path of the session, which is in no transaction: the schemas there are."""
        known = self._identity.path
        if known is None or tuple(schema for schema in known if schema in path) != path:
            self._before = path
            self._take(replace(self._identity, path=path))

    def configured(self, names: frozenset[str]) -> None:
        """A function has changed settings, to what is not known."""
        identity = self._identity
        if "role" in names:
            identity = replace(identity, roles_known=False)
        if "search_path" in names:
            self._changed = True
            identity = replace(identity, path=None)
        self._take(identity)

    def _path(self, values: tuple[str, ...]) -> tuple[str, ...] | None:
        if any(value == "$user" for value in values):
            return None
        return tuple(value for value in values if value != "pg_catalog")

    def _take(self, identity: Identity) -> None:
        if identity != self._identity:
            self._identity = identity
            self._shelf = None

    def transaction_ended(self, *, committed: bool) -> None:
        if not self._changed:
            return
        path = self._identity.path
        if not committed:
            path = self._before
        elif self._local:
            path = None
        self._changed = self._local = False
        self._before = path
        self._take(replace(self._identity, path=path))

    def rolled_back_to(self) -> None:
        if self._changed:
            self._take(replace(self._identity, path=None))

    def discarded(self) -> None:
        """DISCARD ALL."""
        self._take(replace(self._identity, path=None))

    def concerns(self, statement: Statement) -> bool:
        """Whether DDL may be about something the plans of this database rest on."""
        ground = self.ground
        return ground is not None and any(
            reference.name in ground.snapshot.watched for reference in statement.relations
        )


def codec_of(encoding: str) -> str | None:
    """Python's name of a client_encoding; None where it has none. With SQL_ASCII any byte may come: none is lost."""
    if encoding == "SQL_ASCII":
        return "latin-1"
    try:
        return python_encoding(encoding)
    except UnknownEncoding:
        return None
