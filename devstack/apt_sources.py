"""The machine's own apt configuration: where its Debian packages come from.

Both formats of sources.list(5) are read: one line an entry (`*.list`) and deb822 (`*.sources`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from devstack.errors import DevstackError

MIRROR_VARIABLE = "CAUSEWAY_DEBIAN_MIRROR"
_APT = Path("/etc/apt")
_PASSED_ON = ("signed-by", "trusted", "allow-insecure")


@dataclass(frozen=True)
class Source:
    """One place that packages come from, for one suite."""

    uri: str
    suite: str
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()
    """In lower case, e.g. `("signed-by", "/usr/share/keyrings/…")`."""


@dataclass(frozen=True)
class Mirror:
    """A Debian archive: its URI, and how apt is to trust it."""

    uri: str
    options: tuple[tuple[str, str], ...] = ()

    def line(self, suite: str) -> str:
        """The entry for another suite of the same archive, in one-line format."""
        options = " ".join(f"{name}={value}" for name, value in self.options)
        return f"deb {f'[{options}] ' if options else ''}{self.uri} {suite} main"


def parse_list(text: str) -> Iterator[Source]:
    """The enabled binary entries of a one-line-format file."""
    for line in text.splitlines():
        line = line.split("#", 1)[0].strip()
        match = re.fullmatch(
            r"deb\s+(?:\[(?P<options>[^]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)", line
        )
        if match is None:
            continue
        pairs = (word.partition("=") for word in (match["options"] or "").split())
        options = tuple((name.lower(), value) for name, _, value in pairs)
        yield Source(match["uri"], match["suite"], tuple(match["rest"].split()), options)


def parse_deb822(text: str) -> Iterator[Source]:
    """The enabled binary entries of a deb822 file. A key embedded in `Signed-By` is not passed on."""
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line.startswith("#"):
                continue
            if line[:1] in (" ", "\t") and name:
                fields[name] += "\n" + line.strip()
            elif ":" in line:
                key, _, value = line.partition(":")
                name = key.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off", "disable"):
            continue
        options = tuple(
            (key, value) for key, value in fields.items() if key in _PASSED_ON and len(value.split()) == 1
        )
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, tuple(fields.get("components", "").split()), options)


def debian_mirror(sources: Iterable[Source]) -> Mirror | None:
    """The first source that is a main Debian archive (not security, not a third party's)."""
    for source in sources:
        last = source.uri.rstrip("/").rsplit("/", 1)[-1]
        named = last == "debian" or re.search(r"/debian(/|$)|mirrors/debian\.list$", source.uri) is not None
        if not named or "main" not in source.components or "security" in source.suite + source.uri:
            continue
        if re.match(r"(https?|ftp|file|copy|mirror(\+\w+)*|tor\+https?):", source.uri) is None:
            continue
        kept = tuple((name, value) for name, value in source.options if name in _PASSED_ON)
        return Mirror(source.uri, kept)
    return None


def machine_sources(root: Path = _APT) -> Iterator[Source]:
    """Every enabled binary source of this machine, in the order apt reads them."""
    for path in (root / "sources.list", *sorted((root / "sources.list.d").glob("*"))):
        try:
            text = path.read_text(encoding="utf-8")
        except OSError:
            continue
        if path.suffix == ".list":
            yield from parse_list(text)
        elif path.suffix == ".sources":
            yield from parse_deb822(text)


def machine_mirror() -> Mirror:
    """The Debian archive to use: CAUSEWAY_DEBIAN_MIRROR, else the one this machine's apt uses."""
    chosen = os.environ.get(MIRROR_VARIABLE)
    if chosen:
        return Mirror(chosen)
    mirror = debian_mirror(machine_sources())
    if mirror is None:
        raise DevstackError(
            f"no Debian archive in {_APT}/sources.list or {_APT}/sources.list.d: set {MIRROR_VARIABLE} to the "
            "URI of one (and have its keys in /etc/apt/trusted.gpg.d: package debian-archive-keyring), or set "
            "CAUSEWAY_STORE to a document store of your own"
        )
    return mirror
