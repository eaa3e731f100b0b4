"""What is wrong with a value and what would be right, in the words of rule files instead of the validator's."""

from __future__ import annotations

from pydantic_core import ErrorDetails

from proxy.rulefiles.layers import shapes
from proxy.rulefiles.schema import RuleFile, Section, Table
from proxy.rulefiles.yaml_marks import KeyPath, Node, Scalar, nearest


def explain(model: type[Section], location: KeyPath, node: Node, detail: ErrorDetails) -> tuple[str, str]:
    """What is wrong and what would be right, in the words of rule files."""
    kind, context = detail["type"], detail.get("ctx", {})
    shown = node.text if isinstance(node, Scalar) else ""
    match kind:
        case "rule":
            return str(context["message"]), str(context["hint"])
        case "extra_forbidden":
            return f"unknown key `{location[-1]}`", _known_key(model, location)
        case "string_type":
            if isinstance(node, Scalar) and node.value is not None:
                return f"YAML does not read {shown} as a text", f'quote it: "{shown}"'
            return "this must be a text", "write one name"
        case "bool_type":
            if shown.lower() in ("yes", "on", "y", "1"):
                return f"{shown} is a text, not a truth value", "write true"
            if shown.lower() in ("no", "off", "n", "0"):
                return f"{shown} is a text, not a truth value", "write false"
            return "this must be a truth value", "write true or false"
        case "tuple_type":
            return "this must be a list", "write [one, two]"
        case "dict_type" | "mapping_type" | "model_type" | "model_attributes_type":
            return "this must be a section", _section_hint(model, location)
        case _:
            return detail["msg"], ""


def _section_hint(model: type[Section], location: KeyPath) -> str:
    inner = _model_at(model, location)
    if inner is None:
        return "write `column: field` pairs under it"
    return f"write keys under it: {', '.join(inner.model_fields)}"


def _known_key(model: type[Section], location: KeyPath) -> str:
    word, parent = str(location[-1]), _model_at(model, location[:-1])
    if parent is None:
        return "take it out"
    if parent is RuleFile and word in Table.model_fields:
        return f"`{word}` stands under `defaults` or under a table"
    if meant := nearest(word, list(parent.model_fields)):
        return f"did you mean `{meant}`?"
    for name, shape in shapes(parent).items():
        inner = shape.section
        if inner is not None and word in inner.model_fields:
            return f"it belongs under `{name}`"
    if word in RuleFile.model_fields:
        return f"`{word}` stands at the top of the file"
    if word in Table.model_fields:
        return f"`{word}` stands directly under a table"
    if parent is RuleFile:
        return "tables stand under `tables`; other keys are database, defaults and gates"
    return f"known keys are {', '.join(sorted(parent.model_fields))}"


def _model_at(model: type[Section], location: KeyPath) -> type[Section] | None:
    current: type[Section] | None = model
    for part in location:
        shape = shapes(current).get(str(part)) if current else None
        current = shape.section if shape else None
    return current
