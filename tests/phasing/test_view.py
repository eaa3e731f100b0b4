"""The report of `causeway phase`."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console, RenderableType

from proxy.phases import Phase
from proxy.phasing.choosing import choose
from proxy.phasing.following import Follower
from proxy.phasing.running import Outcome, Result
from proxy.phasing.view import describe, render
from proxy.switch_gates import Gate, Judged
from tests.test_gates import NAME


def shown(what: RenderableType) -> str:
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(what)
    return console.export_text()


def result(path: Path, outcome: Outcome) -> Result:
    file = path / "rules.yaml"
    file.write_text("database: [shop, blog]\ntables:\n  orders:\n    key: [id]\n")
    choice = choose(file, "orders", Phase.PRIMARY_SWITCH, max_size=1 << 20)
    made = Result(choice, Phase.PRIMARY_SWITCH, outcome)
    made.followers = [
        Follower("0123456789", "0.1", True, Phase.DARK_READ, "3 open gaps", True),
        Follower("silent proxy", "0.1", False, Phase.DUAL_WRITE, "", False),
    ]
    made.silent = frozenset({"silent proxy"})
    made.gates = [(NAME, Judged(Gate.GAPS, False, "3 open gaps")), (NAME, Judged(Gate.LAG, True, "no lag"))]
    return made


def test_a_person_sees_what_was_written_and_who_holds_what(tmp_path: Path) -> None:
    text = shown(render(result(tmp_path, Outcome.HELD)))
    assert "rules.yaml:4: + phase: primary_switch" in text
    assert "the rule holds for databases blog, shop" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["01234567", "taken", "primary_switch", "dark_read", "3", "open", "gaps"] in lines
    assert ["silent", "p", "(silent)", "others", "dual_write"] in lines
    assert ["shop.public.orders", "gaps", "closed", "3", "open", "gaps"] in lines
    assert "the table is held before primary_switch" in text


def test_gates_are_shown_where_they_matter(tmp_path: Path) -> None:
    assert "closed" not in shown(render(result(tmp_path, Outcome.THERE)))
    assert "closed" in shown(render(result(tmp_path, Outcome.DRY_RUN)))


def test_a_program_gets_all_of_it(tmp_path: Path) -> None:
    told = json.loads(json.dumps(describe(result(tmp_path, Outcome.HELD))))
    assert (told["outcome"], told["changed"], told["line"]) == ("held", True, 4)
    assert told["databases"] == ["blog", "shop"]
    assert [one["silent"] for one in told["proxies"]] == [False, True]
    assert [one["requested"] for one in told["proxies"]] == ["primary_switch", None]
    assert [one["open"] for one in told["gates"]] == [False, True]
