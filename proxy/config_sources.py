"""Settings from flags, environment, configuration file and defaults, in that order of precedence.

Every value is text, whichever way it comes, and every complaint names the place it came from. No value of a secret
is ever part of a complaint.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from proxy.addresses import Upstream
from proxy.config import FILE_SUFFIX, VARIABLE_PREFIX, Setting, Settings, settings_table
from proxy.units import format_duration, format_size

CONFIG_VARIABLE = VARIABLE_PREFIX + "CONFIG"
CONFIG_FLAG = "--config"
CONFIG_MAX_BYTES = 1 << 20
SECRET_MAX_BYTES = 64 << 10

Flags = Mapping[str, str | Sequence[str] | None]
"""Setting names, and secrets' names with `_file`, to what was written; None where a flag was not given."""


@dataclass(frozen=True)
class ConfigProblem:
    source: str
    """A flag, a variable, or file:line; several with `and` where they contradict each other."""
    message: str
    setting: str | None = None

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"


class ConfigError(Exception):
    """The settings cannot be used; every problem found, not only the first."""

    def __init__(self, problems: Iterable[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True)
class Loaded:
    settings: Settings
    sources: Mapping[str, str]
    """Where each setting that is not at its default came from."""
    warnings: tuple[ConfigProblem, ...]


@dataclass(frozen=True)
class _Given:
    value: str | tuple[str, ...]
    source: str


Layer = dict[str, _Given]
"""What one kind of source gives, by setting name or secret's name with `_file`."""


def load(
    flags: Flags,
    environ: Mapping[str, str],
    *,
    config: str | None = None,
    upstream_optional: bool = False,
) -> Loaded:
    """Raises ConfigError. `config` is the file named by the flag; CAUSEWAY_CONFIG is used without one.

    With `upstream_optional` a missing upstream becomes one without hosts, for commands that can do without.
    """
    problems: list[ConfigProblem] = []
    rows = {row.name: row for row in settings_table()}
    layers = [_flags_layer(flags, rows), _environment_layer(environ, rows)]
    path, named_by = (config, CONFIG_FLAG) if config else (environ.get(CONFIG_VARIABLE), CONFIG_VARIABLE)
    if path:
        layers.append(_file_layer(path, named_by, rows, problems))
    chosen: Layer = {}
    for row in rows.values():
        if given := _choose(row, layers, problems):
            chosen[row.name] = given
    values: dict[str, Any] = {name: given.value for name, given in chosen.items()}
    if "upstream" not in values and upstream_optional:
        values["upstream"] = Upstream(())
    sources = {name: given.source for name, given in chosen.items()}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError([*problems, *_explain_all(error, rows, chosen)]) from None
    if problems:
        raise ConfigError(problems)
    return Loaded(settings, sources, tuple(unknown_variables(environ)))


def variables() -> dict[str, Setting | None]:
    """Every environment variable that is read; None for the one that names the configuration file."""
    known: dict[str, Setting | None] = {CONFIG_VARIABLE: None}
    for row in settings_table():
        known[row.variable] = row
        if row.secret:
            known[row.variable + FILE_SUFFIX.upper()] = row
    return known


_OF_OTHERS = re.compile(
    VARIABLE_PREFIX
    + r"(PURE_PYTHON"  # the byte path without its compiled twin
    + r"|TEST_\w+|POSTGRES|DEBIAN_MIRROR|JDBC_JAR|SEED"  # development and tests of this project
    # Kubernetes sets these in every pod beside a Service named causeway or causeway-...
    + r"|(\w+_)?SERVICE_(HOST|PORT(_\w+)?)|(\w+_)?PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


def unknown_variables(environ: Mapping[str, str]) -> list[ConfigProblem]:
    """A warning for each variable that looks like a setting and is none."""
    known = variables()
    found = []
    for name in sorted(environ):
        if not name.startswith(VARIABLE_PREFIX) or name in known or _OF_OTHERS.fullmatch(name):
            continue
        found.append(ConfigProblem(name, f"unknown variable, ignored{_did_you_mean(name, known)}"))
    return found


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""


def _flags_layer(flags: Flags, rows: Mapping[str, Setting]) -> Layer:
    layer: Layer = {}
    for name, value in flags.items():
        if value is None or (not isinstance(value, str) and not value):
            continue
        row = rows.get(name) or rows[name.removesuffix(FILE_SUFFIX)]
        flag = row.flag if name == row.name else row.flag + FILE_SUFFIX.replace("_", "-")
        layer[name] = _Given(value if isinstance(value, str) else _flatten(value), flag)
    return layer


def _flatten(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(item for value in values for item in value.split(","))


def _environment_layer(environ: Mapping[str, str], rows: Mapping[str, Setting]) -> Layer:
    """An empty variable counts as not set: compose files and manifests leave such behind."""
    layer: Layer = {}
    for row in rows.values():
        names = {row.name: row.variable}
        if row.secret:
            names[row.name + FILE_SUFFIX] = row.variable + FILE_SUFFIX.upper()
        for name, variable in names.items():
            if value := environ.get(variable):
                layer[name] = _Given(value, variable)
    return layer


def _file_layer(
    path: str, named_by: str, rows: Mapping[str, Setting], problems: list[ConfigProblem]
) -> Layer:
    """The configuration file: one YAML mapping whose keys are setting names."""
    try:
        text = _read_bounded(Path(path), CONFIG_MAX_BYTES)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except _Unreadable as error:
        problems.append(ConfigProblem(named_by, f"{path} {error}"))
        return {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else path
        problems.append(ConfigProblem(where, f"not YAML: {error.problem or error.context}"))
        return {}
    except yaml.YAMLError as error:
        problems.append(ConfigProblem(path, f"not YAML: {' '.join(str(error).split())}"))
        return {}
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        problems.append(ConfigProblem(f"{path}:1", "write `setting: value` lines"))
        return {}
    keys = [*rows, *(row.name + FILE_SUFFIX for row in rows.values() if row.secret)]
    layer: Layer = {}
    for key_node, value_node in root.value:
        source = f"{path}:{key_node.start_mark.line + 1}"
        key = key_node.value if isinstance(key_node, yaml.ScalarNode) else "(a list or section)"
        if key not in keys:
            message = f"unknown setting {key!r}{_did_you_mean(key.replace('-', '_').lower(), keys)}"
            problems.append(ConfigProblem(source, message))
        elif key in layer:
            problems.append(ConfigProblem(source, f"{key} stands twice, first at {layer[key].source}", key))
        else:
            value = _file_value(value_node, repeatable=key in rows and rows[key].repeatable)
            if value is None:
                wanted = "one value, or a list" if key in rows and rows[key].repeatable else "one value"
                problems.append(ConfigProblem(source, f"{key} takes {wanted}", key))
            elif value != "":
                layer[key] = _Given(value, source)
    return layer


def _file_value(node: yaml.Node, *, repeatable: bool) -> str | tuple[str, ...] | None:
    """The text as written, so that `off` and `010` mean what they mean in a flag; "" for null."""
    if isinstance(node, yaml.ScalarNode):
        return "" if node.tag == "tag:yaml.org,2002:null" else str(node.value)
    if repeatable and isinstance(node, yaml.SequenceNode):
        items = [item.value for item in node.value if isinstance(item, yaml.ScalarNode)]
        if len(items) == len(node.value):
            return _flatten(items)
    return None


def _choose(row: Setting, layers: Sequence[Layer], problems: list[ConfigProblem]) -> _Given | None:
    for layer in layers:
        given = layer.get(row.name)
        from_file = layer.get(row.name + FILE_SUFFIX) if row.secret else None
        if given and from_file:
            both = f"{given.source} and {from_file.source}"
            problems.append(
                ConfigProblem(both, "give the secret or the file that holds it, not both", row.name)
            )
            return None
        if given:
            return given
        if from_file:
            return _read_secret(row, from_file, problems)
    return None


def _read_secret(row: Setting, given: _Given, problems: list[ConfigProblem]) -> _Given | None:
    assert isinstance(given.value, str)
    try:
        text = _read_bounded(Path(given.value), SECRET_MAX_BYTES)
    except _Unreadable as error:
        problems.append(ConfigProblem(given.source, f"{given.value} {error}", row.name))
        return None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        problems.append(ConfigProblem(given.source, f"{given.value} is empty", row.name))
        return None
    return _Given(text, f"{given.source} ({given.value})")


class _Unreadable(Exception):
    """A file that should give text does not; the message completes a sentence that begins with its path."""


def _read_bounded(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise _Unreadable(f"cannot be read: {reason}") from None
    if len(data) > limit:
        raise _Unreadable(f"is larger than {format_size(limit)}")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _Unreadable("is not text in UTF-8") from None


def _explain_all(
    error: ValidationError, rows: Mapping[str, Setting], chosen: Layer
) -> Iterable[ConfigProblem]:
    for detail in error.errors(include_url=False, include_input=False):
        if detail["type"] == "default_factory_not_called":  # the consequence of another error
            continue
        if detail["type"] == "contradiction":
            context = detail["ctx"]
            names = [name for name in context["settings"] if name in chosen] or context["settings"]
            sources = [chosen[name].source if name in chosen else name for name in names]
            yield ConfigProblem(" and ".join(dict.fromkeys(sources)), context["message"])
            continue
        row = rows[str(detail["loc"][0])]
        if detail["type"] == "missing":
            yield ConfigProblem(
                row.name, f"not given; write {row.flag}, {row.variable} or `{row.name}:` in a file", row.name
            )
            continue
        given = chosen.get(row.name)
        source = given.source if given else row.name
        prefix = f"{row.name}: " if ":" in source else ""
        shown = "" if row.secret or given is None else f"{_shown(given.value)} "
        yield ConfigProblem(source, prefix + _explain(detail, row, shown), row.name)


def _shown(value: str | tuple[str, ...]) -> str:
    return repr(value if isinstance(value, str) else ",".join(value))


def _explain(detail: ErrorDetails, row: Setting, shown: str) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error":
            return str(context["error"])
        case "int_parsing" | "int_type" | "int_from_float":
            return f"{shown}is not a whole number"
        case "greater_than_equal":
            return f"{shown}is too small; the least is {_quantity(context['ge'], row)}"
        case "greater_than":
            return f"{shown}is too small; it must be more than {_quantity(context['gt'], row)}"
        case "less_than_equal":
            return f"{shown}is too large; the most is {_quantity(context['le'], row)}"
        case "literal_error":
            return f"{shown}is not known here; write {context['expected'].replace(chr(39), '')}"
        case _:
            return detail["msg"]


def _quantity(value: float, row: Setting) -> str:
    if row.doc.metavar == "DURATION":
        return format_duration(value)
    if row.doc.metavar == "SIZE":
        return format_size(int(value))
    return str(value)
