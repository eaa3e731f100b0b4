"""Puts a new content in the place of a rule file in one step, so that nobody ever reads half of it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


class CannotWrite(Exception):
    """The text says why, and what to do instead."""


def replace_content(file: Path | str, before: bytes, after: bytes) -> None:
    """Replaces the file that `file` leads to, if it still holds `before`. Mode and, where allowed, owner stay.

    Raises CannotWrite.
    """
    target = Path(os.path.realpath(file))
    if any(part.startswith("..") for part in target.parts):
        raise CannotWrite(
            f"{file} comes from a ConfigMap or Secret, which cannot be written to from here; change it there "
            "(`kubectl edit configmap`)"
        )
    try:
        if target.read_bytes() != before:
            raise CannotWrite(f"{file} has changed meanwhile; try again")
        _replace(target, after)
    except OSError as error:
        raise CannotWrite(f"{file} cannot be written: {error.strerror or error}") from None


def _replace(target: Path, content: bytes) -> None:
    known = target.stat()
    # A name that begins with a dot is never read as a rule file.
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), known.st_mode & 0o7777)
            with contextlib.suppress(PermissionError):
                os.fchown(stream.fileno(), known.st_uid, known.st_gid)
            os.fsync(stream.fileno())
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
