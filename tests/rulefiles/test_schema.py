from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from pydantic import ValidationError

from proxy.phases import Phase
from proxy.rulefiles.schema import Ack, Defaults, RuleFile, Section, Table, json_schema
from proxy.rulefiles.types import WORDS, AckMode
from tests.rulefiles.texts import problems, rules

ROOT = Path(__file__).parents[2]
SHIPPED = sorted([*(ROOT / "rules").rglob("*.yaml")])


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda path: path.name)
def test_the_shipped_files_fit_the_exported_schema(validator: Any, file: Path) -> None:
    assert list(validator.iter_errors(yaml.safe_load(file.read_text()))) == []


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("tables: {a: {phase: dark_read, shadow: 5%, key: id, ack: sync}}", True),
        ("tables: {a: {shadow: {max_bytes: 4096}, ack: {timeout: 1s500ms}, verify: null}}", True),
        ("tables: {a: null}", True),
        ("{}", False),
        ("tables: {a: {phase: 'off'}}", False),
        ("tables: {a: {phse: dark_read}}", False),
        ("tables: {a: {shadow: 5}}", False),
        ("tables: {a: {shadow: {timeout: 5}}}", False),
        ("tables: {a: {shadow: {queue: -1}}}", False),
        ("tables: {a: {shadow: {ignore: {fingerprints: [xyz]}}}}", False),
        ("tables: {a: {key: []}}", False),
        ("tables: {a: {shadow: {max_bytes: 1000}}}", False),
        ("tables: {a: {force: 'yes'}}", False),
        ("tabels: {}", False),
    ],
)
def test_the_exported_schema_and_the_loader_agree(validator: Any, text: str, fits: bool) -> None:
    assert validator.is_valid(yaml.safe_load(text)) == fits
    if fits:
        rules(text)
    else:
        problems(text)


def _sections(schema: Any) -> list[Any]:
    found = [schema] if isinstance(schema, dict) and "properties" in schema else []
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    return found + [section for part in inner for section in _sections(part)]


def test_every_key_of_the_exported_schema_is_described_and_closed() -> None:
    sections = _sections(json_schema())
    assert len(sections) >= 10
    for section in sections:
        assert section["additionalProperties"] is False
        for name, key in section["properties"].items():
            assert key.get("description", "").strip(), name
            assert "default" in key, name


def test_defaults_are_exported_as_people_write_them() -> None:
    schema = json_schema()["$defs"]["Table"]["properties"]
    assert schema["shadow"]["default"]["sample"] == "5%"
    assert schema["ack"]["default"] == {"mode": None, "timeout": "1s"}
    assert schema["phase"]["default"] == "passthrough"
    phases = {word["const"]: word["description"] for word in schema["phase"]["oneOf"]}
    assert list(phases) == [phase.value for phase in Phase]
    assert all(phases.values())


def test_every_word_is_described() -> None:
    for words, meanings in WORDS.items():
        assert list(meanings) == list(words)


def _every_section(model: type[Section]) -> set[type[Section]]:
    return {model}.union(*(_every_section(inner) for inner in model.__subclasses__()))


@pytest.mark.parametrize("model", sorted(_every_section(Section), key=str), ids=str)
def test_sections_can_be_left_out_and_never_change(model: type[Section]) -> None:
    section = model()
    for name in model.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, name, None)


def test_a_table_can_say_whatever_the_defaults_can() -> None:
    assert set(Defaults.model_fields) < set(Table.model_fields)
    assert set(RuleFile.model_fields) == {"database", "defaults", "tables", "gates"}


@pytest.mark.parametrize(
    ("mode", "phase", "effective"),
    [
        (None, Phase.DARK_READ, AckMode.ASYNC),
        (None, Phase.PRIMARY_SWITCH, AckMode.SYNC),
        (AckMode.SYNC, Phase.DUAL_WRITE, AckMode.SYNC),
        (AckMode.ASYNC, Phase.PRIMARY_SWITCH, AckMode.ASYNC),
    ],
)
def test_ack_follows_the_phase_unless_it_is_given(
    mode: AckMode | None, phase: Phase, effective: AckMode
) -> None:
    assert Ack(mode=mode).effective(phase) is effective
