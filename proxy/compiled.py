"""Which modules are compiled, and whether they are used.

setup.py compiles the hot modules of capture with mypyc, as they are, and puts the results beside their sources, with a
record of every source they rest on. Python would import a compiled module whatever the source beside it says by
now; here it does so only where nothing has changed since, and never with CAUSEWAY_PURE_PYTHON=1. Otherwise the
sources are used, which do the same, more slowly.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
)

MODULES = (
    "proxy.mirror.transaction",
    "proxy.session.answering",
    "proxy.session.answers",
    "proxy.session.batches",
    "proxy.session.capture",
    "proxy.session.copying",
    "proxy.session.expected",
    "proxy.session.extended",
    "proxy.session.fate",
    "proxy.session.outlook",
    "proxy.session.plans",
    "proxy.session.prepared",
    "proxy.session.queries",
    "proxy.session.requests",
    "proxy.session.serving",
    "proxy.session.waiting",
    "proxy.sql.bounded",
    "proxy.sql.shapes",
    "proxy.wire.rewriting",
    "proxy.wire.splitting",
)

RECORD = "_compiled.json"
"""The record's name in the package's directory."""

PACKAGE = os.path.dirname(os.path.abspath(__file__))


def record_of(package: str, sources: list[str]) -> str:
    """The record of modules compiled for this Python; `sources` are paths below the directory `package`."""
    digests = {source: _digest(os.path.join(package, source)) for source in sources}
    return json.dumps({"suffix": EXTENSION_SUFFIXES[0], "sources": digests}, indent=1)


def current(package: str = PACKAGE) -> bool:
    """Whether there are compiled modules for this Python, made from what the sources are now."""
    try:
        with open(os.path.join(package, RECORD), "rb") as file:
            record = json.load(file)
        return record["suffix"] == EXTENSION_SUFFIXES[0] and all(
            _digest(os.path.join(package, source)) == digest for source, digest in record["sources"].items()
        )
    except (OSError, ValueError, KeyError):
        return False


def choose(package: str = PACKAGE) -> bool:
    """Whether the compiled modules are used; to be called before any of them is imported."""
    if os.environ.get("CAUSEWAY_PURE_PYTHON") != "1" and current(package):
        return True
    for name in {module.split(".")[1] for module in MODULES}:
        path = os.path.join(package, name)
        sys.path_importer_cache[path] = FileFinder(
            path, (SourceFileLoader, SOURCE_SUFFIXES), (ExtensionFileLoader, EXTENSION_SUFFIXES)
        )
    return False


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()
