"""Rule files: which table is in which phase, and how it is mirrored, compared and served.

`load_rules` reads a file or a directory. The schema is in `proxy.rulefiles.schema`, the reference in docs/rules.md.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from proxy.names import TableName
from proxy.phases import LAST_BUILT, Phase
from proxy.rulefiles.compile import RuleText, compile_rules
from proxy.rulefiles.problems import Place, Problem, RulesError
from proxy.rulefiles.ruleset import RuleSet, TableRule
from proxy.rulefiles.schema import json_schema
from proxy.units import format_size

__all__ = [
    "DEFAULT_MAX_RULES_SIZE",
    "MAX_RULES_SIZE",
    "Phase",
    "Place",
    "Problem",
    "RuleSet",
    "RulesError",
    "TableName",
    "TableRule",
    "json_schema",
    "load_rules",
    "rule_files",
]

MAX_RULES_SIZE = "max_rules_size"
"""Configuration name of the limit on all rule files together."""
DEFAULT_MAX_RULES_SIZE = 1 << 20
"""Bytes; some 10,000 tables, and as much as a ConfigMap holds."""

SUFFIXES = (".yaml", ".yml")


def load_rules(
    path: Path | str, *, max_size: int = DEFAULT_MAX_RULES_SIZE, last_built: Phase = LAST_BUILT
) -> RuleSet:
    """The rules of one file, or of the `*.yaml` and `*.yml` of a directory in the order of their names.

    Names that begin with a dot are passed over; symbolic links are followed; subdirectories are not entered.
    RulesError if anything is wrong with any of them.
    """
    texts: list[RuleText] = []
    problems: list[Problem] = []
    left = max_size
    for file in rule_files(path):
        try:
            data = _read(file, left)
        except RulesError as error:
            problems += error.problems
            continue
        left -= len(data)
        if left < 0:
            message = f"the rule files are larger than {format_size(max_size)} together"
            hint = f"raise {MAX_RULES_SIZE}, or remove rules"
            raise RulesError([Problem(str(file), None, None, "", message, hint, MAX_RULES_SIZE)])
        texts.append(RuleText(str(file), data))
    try:
        rules = compile_rules(texts, source=str(path), last_built=last_built)
    except RulesError as error:
        raise RulesError([*problems, *error.problems]) from None
    if problems:
        raise RulesError(problems)
    return rules


def rule_files(path: Path | str) -> list[Path]:
    """The files that `load_rules` reads. RulesError if there is none or they cannot be listed."""
    path = Path(path)
    try:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            return [path]
        names = sorted(os.listdir(path))
    except (OSError, ValueError) as error:
        raise RulesError([_unreadable(path, error)]) from None
    files = [path / name for name in names if name.endswith(SUFFIXES) and not name.startswith(".")]
    if not files:
        message = "there is no rule file in this directory"
        hint = "rule files are named *.yaml or *.yml; write `tables: {}` into one for no rules"
        raise RulesError([Problem(str(path), None, None, "", message, hint)])
    return files


def _read(file: Path, limit: int) -> bytes:
    """The content, cut one byte past `limit`."""
    try:
        # O_NONBLOCK: opening a pipe must not wait for a writer.
        with open(file, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise RulesError([Problem(str(file), None, None, "", "this is not a file", "remove it")])
            return stream.read(limit + 1)
    except OSError as error:
        raise RulesError([_unreadable(file, error)]) from None


def _unreadable(path: Path, error: OSError | ValueError) -> Problem:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    hint = "check the path and its permissions"
    if isinstance(error, FileNotFoundError):
        hint = "the link points to nothing" if os.path.islink(path) else "check the path"
    return Problem(str(path), None, None, "", f"cannot be read: {reason}", hint)
