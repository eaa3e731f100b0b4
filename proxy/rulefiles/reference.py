"""The reference part of docs/rules.md, written from the schema: `python -m proxy.rulefiles.reference docs/rules.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from proxy.phases import Phase
from proxy.rulefiles import types
from proxy.rulefiles.schema import (
    Ack,
    AutoRollback,
    Defaults,
    Gates,
    Ignore,
    Reads,
    RuleFile,
    Section,
    Shadow,
    Table,
    Verify,
)

BEGIN = "<!-- begin: generated from the schema by python -m proxy.rulefiles.reference -->"
END = "<!-- end: generated -->"

_SECTIONS: tuple[tuple[str, type[Section]], ...] = (
    ("The file", RuleFile),
    ("`defaults`, and every table", Defaults),
    ("A table alone", Table),
    ("`ack`", Ack),
    ("`shadow`", Shadow),
    ("`shadow.ignore`", Ignore),
    ("`reads`", Reads),
    ("`auto_rollback`", AutoRollback),
    ("`verify`", Verify),
    ("`gates`", Gates),
)
_WORDS: tuple[tuple[str, type[Enum]], ...] = (
    ("Phases", Phase),
    ("`ack.mode`", types.AckMode),
    ("`durability`", types.Durability),
    ("`shadow.redaction`", types.Redaction),
)


def render() -> str:
    """Markdown, without the marks around it."""
    return "\n".join([*_render_words(), *_render_sections()]).rstrip() + "\n"


def replaced(document: str) -> str:
    """`document` with its generated part written anew. ValueError if the marks are not there."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document has no part between {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{render()}\n{END}{after}"


def _render_words() -> Iterator[str]:
    for title, words in _WORDS:
        yield f"### {title}\n"
        yield "| word | meaning |\n|---|---|"
        for word in words:
            yield f"| `{word.value}` | {types.WORDS[words][word]} |"
        yield ""


def _render_sections() -> Iterator[str]:
    for title, model in _SECTIONS:
        yield f"### {title}\n"
        yield _one_line(model.__doc__ or "") + "\n"
        if model.shorthand:
            yield f"A bare value stands for `{model.shorthand}`.\n"
        inherited = Defaults.model_fields if model is Table else {}
        written = model().model_dump(mode="json")
        yield "| key | value | default | |\n|---|---|---|---|"
        for name, info in model.model_fields.items():
            if name not in inherited:
                yield f"| `{name}` | {_value(info)} | {_default(written[name])} | {_one_line(info.description)} |"
        yield ""


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def _default(value: Any) -> str:
    if value is None or value in ({}, []) or isinstance(value, dict):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _value(info: FieldInfo) -> str:
    parts = list(_kinds(info.annotation, tuple(info.metadata)))
    return " or ".join(dict.fromkeys(parts))


def _kinds(annotation: Any, metadata: tuple[Any, ...]) -> Iterator[str]:
    for described in metadata:
        if isinstance(described, types.Quantity | types.Count):
            yield str(described)
            return
        if isinstance(described, types.OneOf):
            yield "word"
            return
        if isinstance(described, types.OneOrMany):
            yield "name or list of names"
            return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        yield from _kinds(arguments[0], tuple(arguments[1:]))
    elif arguments and type(None) in arguments:
        for argument in arguments:
            if argument is not type(None):
                yield from _kinds(argument, ())
        yield "null"
    elif isinstance(annotation, type) and issubclass(annotation, Section):
        if annotation.shorthand:
            key = annotation.model_fields[annotation.shorthand]
            yield from (kind for kind in _kinds(key.annotation, tuple(key.metadata)) if kind != "null")
        yield "section"
    elif annotation is bool:
        yield "`true` or `false`"
    elif annotation is str:
        yield "name"
    else:
        yield "mapping"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m proxy.rulefiles.reference docs/rules.md", file=sys.stderr)
        return 2
    path = Path(arguments[0])
    path.write_text(replaced(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
