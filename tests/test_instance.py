"""A process put together."""

from __future__ import annotations

import asyncio
import io
import resource
from pathlib import Path

import pytest

from proxy.config import Settings
from proxy.instance import Instance, StartError
from proxy.logs import configure, get_logger
from proxy.phases import LAST_BUILT


def settings(**values: object) -> Settings:
    return Settings.model_validate({"listen": "127.0.0.1:0", "upstream": "127.0.0.1:1", **values})


async def test_bad_rules_keep_it_from_starting(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("tables:\n  orders:\n    phase: nonsense\n")
    with pytest.raises(StartError, match=r"rules\.yaml:3"):
        await Instance(settings(rules=str(rules))).start()


async def test_an_address_in_use_keeps_it_from_starting() -> None:
    first = Instance(settings())
    await first.start()
    with pytest.raises(StartError, match="Address already in use"):
        await Instance(settings(listen=str(first.addresses[0]))).start()
    await first.drain()


async def test_an_unusable_certificate_keeps_it_from_starting(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_text("not a certificate")
    with pytest.raises(StartError):
        await Instance(
            settings(tls_cert=str(tmp_path / "tls.crt"), tls_key=str(tmp_path / "tls.crt"))
        ).start()


async def test_it_takes_the_file_descriptors_it_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda what: (256, 1000))
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: taken.append(limits))
    stream = io.StringIO()
    instance = Instance(settings(max_connections=600))
    configure("json", stream=stream)
    await instance.start()
    assert taken == [(1000, 1000)]
    assert '"needed":1264' in stream.getvalue()
    await instance.drain()


async def test_its_report(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("tables:\n  orders:\n    phase: decommission\n")
    instance = Instance(settings(rules=str(rules)), index=3)
    await instance.start()
    report = instance.report()
    assert report.process.worker == 3
    assert report.process.state == "running"
    assert report.process.listen == [str(address) for address in instance.addresses]
    (table,) = report.tables
    assert (table.requested.value, table.effective) == ("decommission", LAST_BUILT)
    assert table.reasons
    await instance.drain()
    assert instance.report().process.state == "stopped"
    assert len(asyncio.all_tasks()) == 1


async def test_reload_on_demand(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("tables: {}\n")
    instance = Instance(settings(rules=str(rules)))
    await instance.start()
    rules.write_text("tables: {orders: {phase: dual_write}}\n")
    await instance.reload()
    assert [str(rule.phase) for rule in instance.book.current.tables.values()] == ["dual_write"]
    rules.write_text("tables: {orders: {phase: nonsense}}\n")
    await instance.reload()
    assert [str(rule.phase) for rule in instance.book.current.tables.values()] == ["dual_write"]
    assert instance.report().rules.problems
    assert instance.counters.reloads["rejected"] >= 1
    await instance.drain()


async def test_log_lines_left_out_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    instance = Instance(settings(log_repeats=2, log_format="json"))
    for _ in range(5):
        get_logger("proxy.test").warning("again")
    assert instance.counters.limits_reached["log_repeats"] == 3


async def test_a_background_task_that_fails_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.instance.RESTART_PAUSE", 0.01)
    instance = Instance(settings())
    runs = 0
    third = asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise ValueError("by design")
        third.set()
        await asyncio.Event().wait()

    await instance.start()
    instance._run("fragile", work)
    await asyncio.wait_for(third.wait(), 5)
    assert instance.counters.background_failures == {"fragile": 2}
    await instance.drain()
