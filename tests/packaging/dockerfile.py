"""A Dockerfile as a list of stages, and which paths .dockerignore keeps out of the build."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Instruction:
    name: str
    argument: str

    @property
    def exec_form(self) -> list[str]:
        """The JSON array of an ENTRYPOINT, CMD or HEALTHCHECK CMD. The shell form is a ValueError."""
        return [str(word) for word in json.loads(self.argument)]

    @property
    def words(self) -> list[str]:
        return shlex.split(self.argument)


@dataclass
class Stage:
    image: str
    name: str | None
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[Instruction]:
        return [item for item in self.instructions if item.name == name]

    def last(self, name: str) -> Instruction:
        return self.all(name)[-1]

    def pairs(self, name: str) -> dict[str, str]:
        """The KEY=VALUE words of every ENV or LABEL."""
        return dict(word.split("=", 1) for item in self.all(name) for word in item.words)


def parse(text: str) -> list[Stage]:
    logical: list[str] = []
    continued = False
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        body = line.removesuffix("\\").strip()
        if continued:
            logical[-1] += " " + body
        else:
            logical.append(body)
        continued = line.endswith("\\")
    stages: list[Stage] = []
    for line in logical:
        name, _, argument = line.partition(" ")
        if name == "FROM":
            image, _, alias = argument.partition(" AS ")
            stages.append(Stage(image, alias or None))
        elif stages:
            stages[-1].instructions.append(Instruction(name, argument.strip()))
        else:
            raise ValueError(f"{name} before FROM")
    return stages


def ignored(patterns: str, path: str) -> bool:
    """Whether `path` is left out of the build context: the last pattern that matches decides."""
    result = False
    for line in patterns.splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        keeps = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip("/")
        parts = PurePosixPath(path)
        candidates = [str(parts), *(str(parent) for parent in parts.parents if str(parent) != ".")]
        anywhere = pattern.removeprefix("**/")
        if any(
            (fnmatch(candidate, pattern) and candidate.count("/") == pattern.count("/"))
            or (anywhere != pattern and fnmatch(PurePosixPath(candidate).name, anywhere))
            for candidate in candidates
        ):
            result = not keeps
    return result
