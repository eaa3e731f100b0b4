"""What of the file system a path to rule files depends on: the files themselves and the directories to watch."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from proxy.rules import RulesError, rule_files

MAX_LINKS = 40
"""Symbolic links followed on one path, as Linux does (ELOOP)."""

Directory = tuple[str, int, int]
"""Path, device, inode: a directory that was removed and made again is another one."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The state of the rule files, cheap to take and to compare; reads no content."""

    files: tuple[tuple[object, ...], ...]
    """Differs whenever a rule file may have other content."""
    directories: frozenset[Directory]
    """Where something happens, without recursion, when a rule file changes, comes, goes or is another file."""


def survey(path: Path | str) -> Survey:
    """Never raises: what cannot be read is part of the state."""
    directories: set[Directory] = set()
    _follow(path, directories)
    try:
        listed = rule_files(path)
    except RulesError as error:
        return Survey((("unreadable", str(error)),), frozenset(directories))
    states: list[tuple[object, ...]] = []
    for file in listed:
        if os.path.islink(file):
            _follow(file, directories)
        try:
            found = os.stat(file)
        except OSError as error:
            states.append((str(file), error.errno))
        else:
            identity = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
            states.append((str(file), *identity))
    return Survey(tuple(states), frozenset(directories))


def _follow(path: Path | str, directories: set[Directory]) -> None:
    """Add the directory of every symbolic link on the way, and of what the path leads to; its nearest ancestor if
    it leads to nothing."""
    parts = deque(os.path.join(os.getcwd(), path).split("/"))
    here = "/"
    links = 0
    while parts:
        part = parts.popleft()
        if part in ("", "."):
            continue
        if part == "..":
            here = os.path.dirname(here)
            continue
        there = os.path.join(here, part)
        try:
            target = os.readlink(there)
        except OSError:
            if not os.path.lexists(there):
                break
            here = there
            continue
        _add(here, directories)
        links += 1
        if links > MAX_LINKS:
            return
        if target.startswith("/"):
            here = "/"
        parts.extendleft(reversed(target.split("/")))
    _add(here, directories)
    _add(os.path.dirname(here), directories)


def _add(path: str, directories: set[Directory]) -> None:
    try:
        found = os.stat(path)
    except OSError:
        return
    if os.path.isdir(path):
        directories.add((path, found.st_dev, found.st_ino))
