"""Messages between a proxy process and its shadow process: a length, then a pickle, over a socket of the two alone.

Both ends are of one version and one user, and nobody else has the socket: that is what makes pickle good enough.
"""

from __future__ import annotations

import asyncio
import copyreg
import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from proxy.catalog.model import Snapshot
from proxy.mirror.tables import Surroundings
from proxy.rulefiles.ruleset import TableRule
from proxy.shadow.outcomes import Done
from proxy.shadow.sample import SampledRead

_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Begin:
    """The first message to the shadow process."""

    settings: Mapping[str, Any]
    """As `Settings.reveal` gives them, secrets included."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What a TableBook is made of; in force from here on."""

    rules: tuple[TableRule, ...]
    snapshots: Mapping[str, Snapshot]
    surroundings: Surroundings


@dataclass(frozen=True, slots=True)
class Ask:
    """From the shadow process: has the fleet passed this version, and which gaps are open?"""

    number: int
    database: str
    version: int
    tables: tuple[str, ...] = ()
    """With tables: the gaps, else the wait."""


@dataclass(frozen=True, slots=True)
class Told:
    """The answer, or why there is none."""

    number: int
    text: str = ""
    failed: bool = False


Message = Begin | Tables | Ask | Told | SampledRead | Done


def _proxy_of(items: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(items)


def _reduced(proxy: MappingProxyType[Any, Any]) -> tuple[Any, tuple[dict[Any, Any]]]:
    return _proxy_of, (dict(proxy),)


copyreg.pickle(MappingProxyType, _reduced)


def encode(message: Message) -> bytes:
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(data)) + data


async def receive(reader: asyncio.StreamReader) -> Message | None:
    """The next message; None at the end."""
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        message: Message = pickle.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return message
