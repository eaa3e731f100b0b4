"""README.md and docs/: links resolve; commands, flags, variables, settings and targets named there exist."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from proxy.cli import app
from proxy.config import settings_table
from proxy.config_sources import CONFIG_VARIABLE
from proxy.mirror.effects import Cause
from proxy.phases import LAST_BUILT, Phase
from proxy.units import parse_duration, parse_size

TOP = Path(__file__).parents[2]
PAGES = sorted([TOP / "README.md", TOP / "CHANGELOG.md", *(TOP / "docs").glob("*.md")])
SETTINGS = {row.name: row for row in settings_table()}


@pytest.fixture(params=PAGES, ids=lambda path: path.name)
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def without_code(text: str) -> str:
    text = re.sub(r"^(\s*)```.*?^\s*```", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def anchors(path: Path) -> set[str]:
    """The fragments of the headings, as GitHub makes them."""
    text = re.sub(r"^(\s*)```.*?^\s*```", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shell_lines(text: str) -> Iterator[list[str]]:
    """The words of every command in a fenced `sh` block."""
    for block in re.findall(r"^\s*```sh\n(.*?)^\s*```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def problems_of_invocation(words: list[str]) -> list[str]:
    """What is wrong with the arguments of a `causeway` command line."""
    command: Any = typer.main.get_command(app)
    rest = list(words)
    while hasattr(command, "commands") and rest:
        name = rest[0]
        if name in command.commands:
            rest.pop(0)
        elif (name := getattr(command, "default", "")) not in command.commands:
            if rest[0].startswith("-"):
                break
            return [f"no command {rest[0]!r}"]
        command = command.commands[name]
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    flags = [word.partition("=")[0] for word in rest if word.startswith("-")]
    return [f"no flag {flag} in {command.name!r}" for flag in flags if flag not in known | {"--help"}]


def test_links_resolve(page: Path) -> None:
    broken = []
    for target in re.findall(r"\[[^]]*\]\(([^)\s]+)\)", without_code(page.read_text())):
        if re.match(r"https?://", target):
            continue
        name, _, fragment = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        if not path.exists() or (fragment and fragment not in anchors(path)):
            broken.append(target)
    assert broken == []


def test_a_wrong_invocation_is_noticed() -> None:
    assert problems_of_invocation(["run", "--upstream", "db:5432"]) == []
    assert problems_of_invocation(["run", "--upstreams", "db"]) == ["no flag --upstreams in 'run'"]
    assert problems_of_invocation(["fly"]) == ["no command 'fly'"]
    assert problems_of_invocation(["backfill", "orders", "--rate", "5"]) == []
    assert problems_of_invocation(["backfill", "pause", "orders"]) == []
    assert problems_of_invocation(["backfill", "orders", "--hurry"]) == ["no flag --hurry in 'start'"]


def test_causeway_commands_exist(page: Path) -> None:
    text = page.read_text()
    invocations = [words[1:] for words in shell_lines(text) if words[0] == "causeway"]
    invocations += [shlex.split(found) for found in re.findall(r"`causeway ([a-z][^`\n]*)`", text)]
    wrong = {
        " ".join(words): problems for words in invocations if (problems := problems_of_invocation(words))
    }
    assert wrong == {}


def test_the_readme_shows_how_to_run_it() -> None:
    commands = [words[:2] for words in shell_lines((TOP / "README.md").read_text())]
    assert ["make", "demo"] in commands
    assert ["make", "test"] in commands
    assert ["causeway", "run"] in commands


def test_make_targets_exist(page: Path) -> None:
    makefile = (TOP / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    text = page.read_text()
    named = set(re.findall(r"`make ([a-z-]+)", text))
    for words in shell_lines(text):
        if words[0] == "make":
            named |= {word for word in words[1:] if "=" not in word}
    assert named <= targets


def test_variables_exist(page: Path) -> None:
    variables = {row.variable for row in SETTINGS.values()} | {CONFIG_VARIABLE}
    variables |= {row.variable + "_FILE" for row in SETTINGS.values() if row.secret}
    named = set(re.findall(r"\bCAUSEWAY_[A-Z][A-Z_]*[A-Z]\b", page.read_text()))
    sources = [
        path.read_text()
        for part in ("proxy", "devstack", "bench", "tests")
        for path in (TOP / part).rglob("*.py")
    ]
    unknown = {name for name in named - variables if not any(f'"{name}"' in source for source in sources)}
    assert unknown == set()


def test_metrics_exist(page: Path) -> None:
    known = re.findall(r"^\| `(causeway_\w+)`", (TOP / "docs/metrics.md").read_text(), flags=re.MULTILINE)
    named = set(re.findall(r"`(causeway_[a-z_]+[a-z])", page.read_text()))
    assert len(known) > 10
    assert {name for name in named if not name.startswith(tuple(known))} == set()


def same_value(metavar: str, text: str, default: str) -> bool:
    if metavar == "DURATION":
        return parse_duration(text.replace(" ", "")) == parse_duration(default)
    if metavar == "SIZE":
        return parse_size(text.replace(" ", "")) == parse_size(default)
    return text == default


@pytest.mark.parametrize("name", ["operations.md", "mirroring.md"])
def test_defaults_in_the_guides_are_the_defaults(name: str) -> None:
    text = (TOP / "docs" / name).read_text()
    rows = re.findall(r"^\| `(\w+)` +\| (\d+(?: (?:ms|s|min|KiB|MiB|GiB))?)", text, flags=re.MULTILINE)
    assert len(rows) >= 5
    for setting, value in rows:
        row = SETTINGS[setting]
        assert same_value(row.doc.metavar, value, row.default), (setting, value, row.default)


def test_every_cause_of_a_gap_is_explained() -> None:
    text = (TOP / "docs/mirroring.md").read_text()
    section = text.partition("what becomes a gap\n")[2].partition("\n## ")[0]
    explained = re.findall(r"^\| `(\w+)` ", section, flags=re.MULTILINE)
    assert explained == [cause.value for cause in Cause]


@pytest.mark.parametrize("name", ["README.md", "docs/design.md"])
def test_phase_tables_say_what_is_built(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)` .*\| ([^|]+?) +\|$", (TOP / name).read_text(), flags=re.MULTILINE)
    names = {phase.value for phase in Phase}
    said = {Phase(phase): not state.startswith("planned") for phase, state in rows if phase in names}
    assert said == {phase: phase <= LAST_BUILT for phase in Phase}


def test_nothing_of_a_developers_machine_is_named(page: Path) -> None:
    assert not re.findall(r"(?:^|[\s(`])(?:\.\./shared|/root/|/work/|/home/)", page.read_text())
