"""What one process counts: plain numbers, added to on the byte path and read by everything else.

A `Counters` belongs to one event loop; nothing here locks. `snapshot` gives a JSON-able copy that can cross a
process border, `merge` adds the snapshots of several workers, `proxy.admin.exposition` writes them for Prometheus.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from proxy.admin import mirror

OWN_SHARE_BUCKETS = 64
"""Buckets of the own-share histogram; bucket *i* holds durations below 2**i nanoseconds and not below 2**(i-1)."""

BYTES_FROM_CLIENT, BYTES_FROM_SERVER, OWN_SHARE_SUM, OWN_SHARE = range(4)
"""Places in `Counters.path`; the buckets of the own-share histogram are the last."""

MAX_VERBS = 128
"""Different verbs counted apart; PostgreSQL has about seventy."""

Snapshot = dict[str, Any]


class Counters:
    """The counters and gauges of one proxy process."""

    __slots__ = (
        "background_failures",
        "cancel_requests",
        "client_connections",
        "connections_refused",
        "connections_total",
        "errors",
        "limits_reached",
        "loop_lag_max",
        "loop_lag_seconds",
        "mirror",
        "path",
        "reloads",
        "server_connect_failures",
        "server_connections",
        "statements",
        "streams_unobserved",
        "tls_handshake_failures",
        "worker_restarts",
    )

    def __init__(self) -> None:
        self.connections_total = 0
        """Client connections accepted, cancel requests included."""
        self.client_connections = 0
        """Client connections open now."""
        self.server_connections = 0
        """Server connections open now."""
        self.connections_refused: defaultdict[str, int] = defaultdict(int)
        """By reason: `max_connections`, `draining`, `protocol`, `startup_timeout`, `tls`, `upstream`."""
        self.path = array("Q", bytes(8 * (OWN_SHARE + OWN_SHARE_BUCKETS)))
        """What every chunk adds to, at the places BYTES_FROM_CLIENT and so on; never resized."""
        self.statements: dict[bytes, int] = {}
        """Completed statements by the verb of their command tag (`SELECT`, `INSERT`, `COPY`, ...), as sent."""
        self.errors: defaultdict[str, int] = defaultdict(int)
        """ErrorResponses that reached clients, by SQLSTATE class (first two characters)."""
        self.cancel_requests: defaultdict[str, int] = defaultdict(int)
        """By result: `forwarded`, `unknown`, `failed`."""
        self.server_connect_failures: defaultdict[str, int] = defaultdict(int)
        """Failed attempts to reach an upstream host, by host as configured."""
        self.tls_handshake_failures: defaultdict[str, int] = defaultdict(int)
        """By leg: `client`, `server`."""
        self.streams_unobserved: defaultdict[str, int] = defaultdict(int)
        """Connections whose stream stopped making sense and is now forwarded unread, by reason."""
        self.limits_reached: defaultdict[str, int] = defaultdict(int)
        """How often a configured limit was met, by the limit's name in the configuration."""
        self.reloads: defaultdict[str, int] = defaultdict(int)
        """Rule reloads by result: `applied`, `unchanged`, `rejected`."""
        self.background_failures: defaultdict[str, int] = defaultdict(int)
        """Background tasks that failed and were started again, by name."""
        self.worker_restarts = 0
        """Workers that died and were started again."""
        self.loop_lag_seconds = 0.0
        """How late the event loop's last tick was."""
        self.loop_lag_max = 0.0
        """The largest such lateness since the start."""

        self.mirror: Callable[[], mirror.MirrorReport] | None = None
        """What the mirror of this process tells; None where nothing is mirrored."""

    @property
    def bytes_from_client(self) -> int:
        return self.path[BYTES_FROM_CLIENT]

    @bytes_from_client.setter
    def bytes_from_client(self, value: int) -> None:
        self.path[BYTES_FROM_CLIENT] = value

    @property
    def bytes_from_server(self) -> int:
        return self.path[BYTES_FROM_SERVER]

    @bytes_from_server.setter
    def bytes_from_server(self, value: int) -> None:
        self.path[BYTES_FROM_SERVER] = value

    @property
    def own_share(self) -> memoryview:
        """Time between receiving a chunk and having handed it on and observed it: log2 histogram."""
        return memoryview(self.path)[OWN_SHARE:]

    @property
    def own_share_sum(self) -> int:
        """Sum of the same, nanoseconds."""
        return self.path[OWN_SHARE_SUM]

    @own_share_sum.setter
    def own_share_sum(self, value: int) -> None:
        self.path[OWN_SHARE_SUM] = value

    def new_verb(self, verb: bytes) -> None:
        """Counts a statement whose verb was not met before; past MAX_VERBS it is counted as `OTHER`."""
        if len(self.statements) >= MAX_VERBS:
            verb = b"OTHER"
        self.statements[verb] = self.statements.get(verb, 0) + 1

    def snapshot(self) -> Snapshot:
        """A JSON-able copy."""
        out: Snapshot = {}
        for name in self.__slots__:
            if name in ("path", "mirror"):
                continue
            value = getattr(self, name)
            if isinstance(value, dict):
                value = dict(value)
            elif isinstance(value, list):
                value = list(value)
            out[name] = value
        out["bytes_from_client"], out["bytes_from_server"] = self.bytes_from_client, self.bytes_from_server
        out["own_share"], out["own_share_sum"] = self.own_share.tolist(), self.own_share_sum
        out["mirror"] = None if self.mirror is None else self.mirror().model_dump(mode="json")
        out["statements"] = {
            verb.rstrip(b"\x00").decode("ascii", "replace"): n for verb, n in self.statements.items()
        }
        return out


_MAXIMA = frozenset({"loop_lag_seconds", "loop_lag_max"})


def merge(snapshots: Iterable[Snapshot]) -> Snapshot:
    """The snapshots of several processes as one: sums, except for lags, of which the largest counts.

    The mirrors are merged as `proxy.admin.mirror.merge` says.
    """
    out = Counters().snapshot()
    mirrors: list[mirror.MirrorReport] = []
    for snap in snapshots:
        for name, value in snap.items():
            if name not in out:
                continue
            if name == "mirror":
                if value is not None:
                    mirrors.append(mirror.MirrorReport.model_validate(value))
                continue
            if isinstance(value, dict):
                target = out[name]
                for key, n in value.items():
                    target[key] = target.get(key, 0) + n
            elif isinstance(value, list):
                out[name] = [a + b for a, b in zip(out[name], value, strict=True)]
            elif name in _MAXIMA:
                out[name] = max(out[name], value)
            else:
                out[name] += value
    if (merged := mirror.merge(mirrors)) is not None:
        out["mirror"] = merged.model_dump(mode="json")
    return out
