"""The page at `/`: its script, run on a status, against as much of a browser as it uses."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from proxy.admin.mirror import CatalogueReport, MirrorReport, TableHolding, TableReport
from proxy.admin.status import Status, combine
from proxy.phases import Phase
from proxy.rules import load_rules
from tests.admin.histories import COMPARING, DIFFERENT, DONE, RUNNING
from tests.admin.sources import book, process

SCRIPT = Path(__file__).parents[2] / "proxy/admin/dashboard.js"
NODE = shutil.which("node")

BROWSER = """
const elements = {};
const element = () => ({
  children: [], textContent: "",
  append(...more) { this.children.push(...more); },
  replaceChildren(...others) { this.children = others; },
});
const text = (one) => one.children.length ? one.children.map(text) : String(one.textContent);
const [script, status] = process.argv.slice(1).map((name) => require("fs").readFileSync(name, "utf8"));
globalThis.document = {
  getElementById: (id) => (elements[id] ??= element()),
  createElement: element,
};
globalThis.setTimeout = () => {};
globalThis.fetch = async () => ({ ok: true, json: async () => JSON.parse(status) });
require("vm").runInThisContext(script);
setImmediate(() => console.log(JSON.stringify({
  hidden: Object.fromEntries(["mirror", "backfill", "verify"].map((id) => [id, elements[id].hidden])),
  shown: Object.fromEntries(Object.entries(elements).map(([id, one]) => [id, text(one)])),
})));
"""


def seen(status: Status, tmp_path: Path) -> tuple[dict[str, bool], dict[str, Any]]:
    """Which sections are hidden, and the texts of the page by the ids of its elements."""
    assert NODE is not None
    (tmp_path / "status.json").write_text(status.model_dump_json())
    arguments = [NODE, "-e", BROWSER, str(SCRIPT), str(tmp_path / "status.json")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=True)
    answer = json.loads(done.stdout)
    return answer["hidden"], answer["shown"]


@pytest.mark.skipif(NODE is None, reason="there is no Node.js")
def test_tables_their_mirror_and_its_gaps_are_shown(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("database: shop\ntables: {orders: {phase: dual_write}}\n")
    table = TableReport(
        database="shop",
        table="public.orders",
        holding=TableHolding(requested=Phase.DUAL_WRITE, effective=Phase.DUAL_WRITE),
        captured=12,
        applied=10,
        queued=2,
        oldest_seconds=3.0,
        lag_seconds=3.0,
        lag_bytes=1 << 20,
        gaps={"copy": 1, "ddl": 2},
        latency=[0] * 22 + [4],
    )
    report = MirrorReport(
        tables=[table],
        store="away",
        store_error="no primary",
        catalogues=[CatalogueReport(database="shop", state="away", error="gone")],
    )
    status = combine([process(book(load_rules(rules)), mirror=report)], workers=1)
    hidden, shown = seen(status, tmp_path)
    assert hidden == {"mirror": False, "backfill": True, "verify": True}
    assert shown["tables"] == [["shop: public.orders", "dual_write", "dual_write", "orders", ""]]
    assert shown["mirrored"] == [
        [
            "shop: public.orders",
            "12",
            "10",
            "2",
            "3.0 s",
            "3.0 s, 1.0 MiB",
            "3.1 ms / 4.2 ms",
            "0",
            "copy: 1, ddl: 2",
        ]
    ]
    assert str(shown["store"]).startswith("store: away (no primary)")
    assert "catalogue of shop: away (gone)" in str(shown["store"])


@pytest.mark.skipif(NODE is None, reason="there is no Node.js")
def test_backfills_and_comparisons_are_shown(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("database: shop\ntables: {orders: {phase: backfill}, carts: {phase: backfill}}\n")
    tables = [
        TableReport(database="shop", table="public.orders", backfill=RUNNING, verify=DIFFERENT),
        TableReport(database="shop", table="public.carts", backfill=DONE, verify=COMPARING),
    ]
    status = combine([process(book(load_rules(rules)), mirror=MirrorReport(tables=tables))], workers=1)
    hidden, shown = seen(status, tmp_path)
    assert hidden == {"mirror": False, "backfill": False, "verify": False}
    done, running = shown["backfills"]
    assert running == [
        "shop: public.orders", "running", ["", "41 %"], "412,000", "8,123", "72.4 s", "400,000", "12,000", "1", "2",
        "replication lag",
    ]  # fmt: skip
    assert done[:7] == ["shop: public.carts", "done", ["", "100 %"], "1,000", "-", "-", "1,000"]
    comparing, different = shown["verifications"]
    assert different[:3] == ["shop: public.orders", "different", ["", "100 %"]]
    assert different[3].endswith(" ago")
    assert different[4:] == ["1,000,000", "3", "1", "2", "0", "6", "17", "total: 2, note: 1"]
    assert comparing[:5] == ["shop: public.carts", "running, in part", ["", "25 %"], "-", "250"]


@pytest.mark.skipif(NODE is None, reason="there is no Node.js")
def test_without_a_mirror_nothing_of_it_is_shown(tmp_path: Path) -> None:
    hidden, shown = seen(combine([process()], workers=1), tmp_path)
    assert hidden == dict.fromkeys(("mirror", "backfill", "verify"), True)
    assert shown["tables"] == [["No table has a rule."]]
