"""COPY ... FROM: what its options say of the data. PostgreSQL manual, COPY."""

from __future__ import annotations

from proxy.sql.model import CopyFrom
from proxy.sql.parse import Node

_OFF = frozenset({"false", "off", "no", "0"})


def copy_from(node: Node) -> CopyFrom:
    """Of a CopyStmt that copies into a table. Options PostgreSQL refuses are taken as they come: it will say so."""
    options = {
        item["DefElem"]["defname"]: item["DefElem"].get("arg")
        for item in node.get("options", ())
        if "DefElem" in item
    }
    format_ = _text(options.get("format"), "text").lower()
    csv = format_ == "csv"
    quote = _text(options.get("quote"), '"')
    columns = [item["String"].get("sval", "") for item in node.get("attlist", ())]
    encoding = options.get("encoding")
    default = options.get("default")
    return CopyFrom(
        columns=tuple(columns) if columns else None,
        format=format_,
        delimiter=_text(options.get("delimiter"), "," if csv else "\t"),
        null=_text(options.get("null"), "" if csv else "\\N"),
        quote=quote,
        escape=_text(options.get("escape"), quote),
        header="header" in options and is_on(options["header"]),
        from_client="filename" not in node and not node.get("is_program", False),
        encoding=_text(encoding, "") if encoding is not None else None,
        default=_text(default, "") if default is not None else None,
    )


def is_on(argument: Node | None) -> bool:
    """Of an option that is on when it is only named; anything that is not clearly off counts as on."""
    if argument is None:
        return True
    if "Boolean" in argument:
        return bool(argument["Boolean"].get("boolval", False))
    if "Integer" in argument:
        return bool(argument["Integer"].get("ival", 0))
    return _text(argument, "on").lower() not in _OFF


def _text(argument: Node | None, default: str) -> str:
    if argument is None or "String" not in argument:
        return default
    value: str = argument["String"].get("sval", "")
    return value
