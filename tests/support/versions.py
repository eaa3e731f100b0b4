"""Which PostgreSQL servers a test runs on.

By default the machine's own and the newest; modules to which the version makes a difference name `EVERY`, which has
all of 13 to 18. `CAUSEWAY_TEST_VERSIONS=all` runs all tests that know both on every version; `pytest -m "not versions"`
leaves the others out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import pytest

from devstack.installation import system_major
from devstack.postgres import PostgresServer
from devstack.prebuilt import PREBUILT, unavailable

BOTH: Final = ("system", "rootfs")
"""The machine's own server and that of the root file system, PostgreSQL 18."""

OTHERS: Final = tuple(
    pytest.param(
        str(major),
        id=f"pg{major}",
        marks=[pytest.mark.versions, pytest.mark.skipif(bool(unavailable()), reason=unavailable())],
    )
    for major in PREBUILT
    if major != system_major()
)
"""The other versions that are supported."""

_ALL: Final = os.environ.get("CAUSEWAY_TEST_VERSIONS") == "all"

EVERY: Final = (*BOTH, *OTHERS)
AND_OLDEST: Final = EVERY if _ALL else (*BOTH, *OTHERS[:1])
"""For tests of what changes little from version to version."""
USUAL: Final = EVERY if _ALL else BOTH


def server_of(request: pytest.FixtureRequest) -> PostgresServer:
    """The server that the fixture's parameter names; it is shared, and runs until the session ends."""
    servers: Callable[[str], PostgresServer] = request.getfixturevalue("postgres_servers")
    return servers(request.param)
