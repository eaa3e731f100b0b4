from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from watchfiles import awatch

import proxy.reload
from proxy.admin.counters import Counters
from proxy.phases import LAST_BUILT, Phase
from proxy.reload import RuleBook, RuleWatcher
from proxy.rules import DEFAULT_MAX_RULES_SIZE, MAX_RULES_SIZE, RulesError, RuleSet, load_rules
from tests.rulefiles.texts import rules
from tests.support.waiting import eventually

A_LONG_TIME = 600.0
"""Seconds between polls that a test never sees: what arrives before was told by the system."""


def write(path: Path, phase: str, table: str = "orders") -> None:
    path.write_text(f"tables: {{{table}: {{phase: {phase}}}}}\n")


class Events(logging.Handler):
    """The log's events as they come, and those that nobody has waited for yet."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self._queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        event = (record.getMessage(), dict(record.fields))  # type: ignore[attr-defined]
        self.seen.append(event)
        self._queue.put_nowait(event)

    async def next(self, name: str) -> dict[str, Any]:
        """The fields of the next event of this name; others before it are passed over."""
        async with asyncio.timeout(20):
            while True:
                event, fields = await self._queue.get()
                if event == name:
                    return fields

    def all(self, name: str) -> list[dict[str, Any]]:
        return [fields for event, fields in self.seen if event == name]


class Watched:
    """A watcher at work, with what it did."""

    def __init__(self, book: RuleBook, watcher: RuleWatcher, counters: Counters, events: Events) -> None:
        self.book = book
        self.watcher = watcher
        self.counters = counters
        self.events = events
        self.changes: asyncio.Queue[tuple[RuleSet, RuleSet]] = asyncio.Queue()
        book.subscribe(lambda old, new: self.changes.put_nowait((old, new)))

    async def ready(self) -> None:
        async with asyncio.timeout(20):
            await self.watcher.watching.wait()

    async def change(self) -> RuleSet:
        async with asyncio.timeout(20):
            return (await self.changes.get())[1]

    def phases(self) -> dict[str, str]:
        return {name.name: str(rule.phase) for name, rule in self.book.current.tables.items()}

    @property
    def counted(self) -> dict[str, int]:
        return dict(self.counters.reloads)


@asynccontextmanager
async def watching(
    path: Path, poll_interval: float = A_LONG_TIME, max_size: int = DEFAULT_MAX_RULES_SIZE
) -> AsyncIterator[Watched]:
    counters, events = Counters(), Events()
    logger = logging.getLogger("proxy.reload")
    logger.addHandler(events)
    logger.setLevel("DEBUG")
    book = RuleBook(load_rules(path))
    watcher = RuleWatcher(book, path, counters, poll_interval=poll_interval, max_size=max_size)
    task = asyncio.create_task(watcher.run())
    watched = Watched(book, watcher, counters, events)
    try:
        yield watched
    finally:
        logger.removeHandler(events)
        finished = task.done()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert not finished


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "rules"
    make(path, "passthrough")
    return path


# --- the book


def test_an_empty_book() -> None:
    before = datetime.now(UTC)
    book = RuleBook()
    assert book.current == RuleSet()
    assert book.error is None
    assert before <= book.loaded_at <= datetime.now(UTC)


def test_subscribers_hear_of_other_rules_and_only_of_those() -> None:
    first, same, second = (rules(f"tables: {{{t}: {{}}}}") for t in ("a", "public.a", "b"))
    book = RuleBook(first)
    heard: list[tuple[RuleSet, RuleSet, RuleSet]] = []
    unsubscribe = book.subscribe(lambda old, new: heard.append((old, new, book.current)))
    assert book.accept(same) == "unchanged"
    assert book.current is same  # its lines are those of the files as they are now
    assert heard == []
    assert book.accept(second) == "applied"
    assert heard == [(same, second, second)]
    unsubscribe()
    unsubscribe()
    assert book.accept(first) == "applied"
    assert len(heard) == 1


def test_bad_rules_change_nothing_and_are_remembered_until_repaired() -> None:
    good = rules("tables: {a: {}}")
    book = RuleBook(good)
    loaded_at = book.loaded_at
    with pytest.raises(RulesError) as caught:
        rules("tabels: {}")
    assert book.reject(caught.value) == "rejected"
    assert (book.current, book.error, book.loaded_at) == (good, caught.value, loaded_at)
    assert book.accept(rules("tables: {a: {}}")) == "unchanged"
    assert book.error is None
    assert book.loaded_at > loaded_at


def test_a_subscriber_that_fails_keeps_nobody_else_from_hearing() -> None:
    book = RuleBook()
    heard: list[RuleSet] = []

    def fails(old: RuleSet, new: RuleSet) -> None:
        raise LookupError("broken")

    book.subscribe(fails)
    book.subscribe(lambda old, new: heard.append(new))
    new = rules("tables: {a: {}}")
    with pytest.raises(ExceptionGroup) as caught:
        book.accept(new)
    assert isinstance(caught.value.exceptions[0], LookupError)
    assert heard == [new]
    assert book.current is new


# --- changes that the system tells of


def rewritten(file: Path) -> None:
    write(file, "dual_write")


def replaced_by_rename(file: Path) -> None:
    """As vim, sed -i and careful programs do."""
    temporary = file.with_name(f".{file.name}.swp")
    write(temporary, "dual_write")
    temporary.rename(file)


def moved_away_and_written(file: Path) -> None:
    """As editors do that keep a backup."""
    file.rename(file.with_name(f"{file.name}~"))
    write(file, "dual_write")


def removed_and_created(file: Path) -> None:
    file.unlink()
    write(file, "dual_write")


EDITS = pytest.mark.parametrize(
    "edit", [rewritten, replaced_by_rename, moved_away_and_written, removed_and_created]
)


@EDITS
@pytest.mark.parametrize("single", [False, True], ids=["directory", "file"])
async def test_edits(directory: Path, edit: Callable[[Path], None], single: bool) -> None:
    file = directory / "a.yaml"
    async with watching(file if single else directory) as watched:
        await watched.ready()
        old = watched.book.current
        edit(file)
        async with asyncio.timeout(20):
            before, after = await watched.changes.get()
        assert before is old
        assert after is watched.book.current
        assert watched.phases() == {"orders": "dual_write"}
        assert old.lookup("any", "public", "orders").phase is Phase.PASSTHROUGH  # type: ignore[union-attr]
        assert watched.counted["applied"] == 1


async def test_a_file_more_and_a_file_less(directory: Path) -> None:
    async with watching(directory) as watched:
        await watched.ready()
        write(directory / "b.yaml", "backfill", "carts")
        await watched.change()
        assert watched.phases() == {"orders": "passthrough", "carts": "backfill"}
        await watched.ready()
        (directory / "a.yaml").unlink()
        await watched.change()
        assert watched.phases() == {"carts": "backfill"}
        assert watched.counted == {"applied": 2}


class ConfigMap:
    """A volume as the kubelet writes it: `shop.yaml` -> `..data/shop.yaml`, `..data` -> `..<time>`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.file = directory / "shop.yaml"
        self._version = 0
        directory.mkdir()
        self.publish({"shop.yaml": "tables: {orders: {}}\n"})

    def publish(self, files: dict[str, str]) -> None:
        old = self.directory / f"..2026_{self._version}"
        self._version += 1
        new = self.directory / f"..2026_{self._version}"
        new.mkdir()
        for name, text in files.items():
            (new / name).write_text(text)
        (self.directory / "..data_tmp").symlink_to(new.name)
        (self.directory / "..data_tmp").rename(self.directory / "..data")
        for name in files:
            if not (self.directory / name).is_symlink():
                (self.directory / name).symlink_to(f"..data/{name}")
        for path in self.directory.iterdir():
            if path.is_symlink() and not path.exists():
                path.unlink()
        if old.exists():
            for path in old.iterdir():
                path.unlink()
            old.rmdir()


@pytest.mark.parametrize("single", [False, True], ids=["directory", "file"])
async def test_a_config_map(tmp_path: Path, single: bool) -> None:
    volume = ConfigMap(tmp_path / "volume")
    path = volume.file if single else volume.directory
    async with watching(path) as watched:
        for phase in ("dual_write", "backfill", "dark_read"):
            await watched.ready()
            volume.publish({"shop.yaml": f"tables: {{orders: {{phase: {phase}}}}}\n"})
            await watched.change()
            assert watched.phases() == {"orders": phase}
        assert watched.counted["applied"] == 3
        assert "rejected" not in watched.counted


async def test_a_directory_reached_by_a_link_that_is_turned(tmp_path: Path) -> None:
    for name, phase in (("v1", "passthrough"), ("v2", "dual_write")):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "a.yaml", phase)
    (tmp_path / "current").symlink_to("v1")
    async with watching(tmp_path / "current") as watched:
        await watched.ready()
        (tmp_path / "next").symlink_to("v2")
        (tmp_path / "next").rename(tmp_path / "current")
        await watched.change()
        await watched.ready()
        write(tmp_path / "v2" / "a.yaml", "backfill")
        await watched.change()
        assert watched.phases() == {"orders": "backfill"}


async def test_the_file_that_a_link_in_the_directory_leads_to(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "carts"
    write(target, "passthrough", "carts")
    (directory / "b.yaml").symlink_to(target)
    async with watching(directory) as watched:
        await watched.ready()
        write(target, "dual_write", "carts")
        await watched.change()
        assert watched.phases()["carts"] == "dual_write"


def remove(directory: Path) -> None:
    for file in directory.iterdir():
        file.unlink()
    directory.rmdir()


def make(directory: Path, phase: str) -> None:
    directory.mkdir()
    write(directory / "a.yaml", phase)


@pytest.mark.parametrize("pause", [True, False], ids=["seen missing", "at once"])
async def test_a_directory_removed_and_made_again(directory: Path, pause: bool) -> None:
    async with watching(directory) as watched:
        await watched.ready()
        remove(directory)
        if pause:
            assert "cannot be read" in (await watched.events.next("rules_problem"))["problem"]
            assert watched.phases() == {"orders": "passthrough"}
            await watched.ready()
        make(directory, "dual_write")
        await watched.change()
        await watched.ready()
        write(directory / "a.yaml", "backfill")
        await watched.change()
        assert watched.book.error is None
        assert watched.phases() == {"orders": "backfill"}


async def test_other_files_beside_the_rules_are_no_reload(directory: Path) -> None:
    async with watching(directory) as watched:
        await watched.ready()
        (directory / "notes.txt").write_text("x")
        (directory / ".a.yaml.swp").write_text("x")
        write(directory / "a.yaml", "dual_write")
        await watched.change()
        assert watched.counted == {"applied": 1}


# --- what a reload does


async def test_a_bad_file_changes_nothing_until_it_is_repaired(directory: Path) -> None:
    async with watching(directory) as watched:
        await watched.ready()
        before = watched.book.current
        (directory / "a.yaml").write_text("tables:\n  orders: {phase: dark_reed}\n  carts: {phse: x}\n")
        rejected = await watched.events.next("rules_rejected")
        assert rejected == {"problems": 2, "kept": before.digest, "tables": 1}
        logged = await watched.events.next("rules_problem")
        assert (logged["file"], logged["line"]) == (str(directory / "a.yaml"), 2)
        assert logged["key_path"] == "tables.orders.phase"
        assert "dark_reed" in logged["problem"]
        assert watched.book.current is before
        assert watched.book.error is not None
        assert [problem.line for problem in watched.book.error.problems] == [2, 3]
        assert watched.changes.empty()
        await watched.ready()
        write(directory / "a.yaml", "passthrough")
        await watched.events.next("rules_repaired")
        assert watched.book.error is None
        assert watched.counted == {"rejected": 1, "unchanged": 1}


async def test_many_problems_are_not_all_logged(directory: Path) -> None:
    async with watching(directory) as watched:
        await watched.ready()
        (directory / "a.yaml").write_text("tables:\n" + "".join(f"  t{n}: {{phse: x}}\n" for n in range(50)))
        assert (await watched.events.next("rules_rejected"))["problems"] == 50
        await watched.ready()
        assert len(watched.events.all("rules_problem")) == proxy.reload.PROBLEMS_LOGGED
        assert watched.book.error is not None
        assert len(watched.book.error.problems) == 50


async def test_an_emptied_file_takes_no_table_back(directory: Path) -> None:
    async with watching(directory) as watched:
        await watched.ready()
        (directory / "a.yaml").write_text("")
        assert (await watched.events.next("rules_problem"))["problem"] == "the file is empty"
        assert watched.phases() == {"orders": "passthrough"}


async def test_the_limit_on_size_is_counted(directory: Path) -> None:
    async with watching(directory, max_size=100) as watched:
        await watched.ready()
        (directory / "b.yaml").write_text("#" * 101)
        await watched.events.next("rules_rejected")
        assert dict(watched.counters.limits_reached) == {MAX_RULES_SIZE: 1}


async def test_told_to_reload(directory: Path) -> None:
    async with watching(directory) as watched:
        await watched.ready()
        assert await watched.watcher.reload() == "unchanged"
        assert watched.counted == {"unchanged": 1}
        write(directory / "a.yaml", "dual_write")
        outcomes = await asyncio.gather(*(watched.watcher.reload() for _ in range(3)))
        assert outcomes.count("applied") <= 1  # the notification may have been faster
        assert set(outcomes) <= {"applied", "unchanged"}
        assert watched.phases() == {"orders": "dual_write"}
        assert watched.changes.qsize() == 1


async def test_told_to_reload_without_a_running_watch(directory: Path) -> None:
    book, counters = RuleBook(load_rules(directory)), Counters()
    watcher = RuleWatcher(book, directory, counters)
    write(directory / "a.yaml", "dual_write")
    assert await watcher.reload() == "applied"
    (directory / "a.yaml").write_text("[")
    assert await watcher.reload() == "rejected"
    assert book.error is not None


async def test_a_change_before_the_watch_began_is_not_missed(directory: Path) -> None:
    book, counters = RuleBook(load_rules(directory)), Counters()
    write(directory / "a.yaml", "dual_write")
    watcher = RuleWatcher(book, directory, counters, poll_interval=A_LONG_TIME)
    changed = asyncio.Event()
    book.subscribe(lambda old, new: changed.set())
    task = asyncio.create_task(watcher.run())
    async with asyncio.timeout(20):
        await changed.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert dict(counters.reloads) == {"applied": 1}


async def test_nothing_changed_at_the_start_counts_as_nothing(directory: Path) -> None:
    async with watching(directory) as watched:
        await watched.ready()
        assert watched.counted == {}


async def test_phases_are_told_and_why_they_are_held(directory: Path) -> None:
    write(directory / "a.yaml", "decommission")
    async with watching(directory) as watched:
        told = await watched.events.next("table_phase")
        assert (told["table"], told["requested"], told["effective"]) == (
            "public.orders",
            "decommission",
            str(LAST_BUILT),
        )
        assert "not built yet" in told["reasons"][0]
        assert told["rule"] == f"{directory}/a.yaml:1:10"
        await watched.ready()
        write(directory / "a.yaml", "dual_write", "carts")
        assert (await watched.events.next("rules_applied"))["tables"] == 1
        assert (await watched.events.next("table_phase"))["table"] == "public.carts"
        assert (await watched.events.next("table_without_rule"))["table"] == "public.orders"


async def test_a_failing_subscriber_is_logged_and_the_watch_goes_on(directory: Path) -> None:
    async with watching(directory) as watched:

        def fails(old: RuleSet, new: RuleSet) -> None:
            raise LookupError("broken")

        unsubscribe = watched.book.subscribe(fails)
        await watched.ready()
        write(directory / "a.yaml", "dual_write")
        await watched.events.next("rules_subscriber_failed")
        unsubscribe()
        await watched.change()
        await watched.ready()
        write(directory / "a.yaml", "backfill")
        await watched.change()
        assert watched.counted == {"applied": 2}


async def test_files_that_change_while_they_are_read_are_read_again(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two files of which one alone would be a duplicate table: no mixture of before and after is ever seen."""
    loads = 0

    def load(path: Path, *, max_size: int) -> RuleSet:
        nonlocal loads
        loads += 1
        if loads > 1:
            return load_rules(path, max_size=max_size)
        write(directory / "b.yaml", "passthrough")  # moved from a.yaml to b.yaml, seen half-way
        try:
            return load_rules(path, max_size=max_size)
        finally:
            (directory / "a.yaml").unlink()

    monkeypatch.setattr(proxy.reload, "load_rules", load)
    book, counters = RuleBook(), Counters()
    assert await RuleWatcher(book, directory, counters).reload() == "applied"
    assert loads == 2
    assert dict(counters.reloads) == {"applied": 1}


# --- without notifications


@pytest.mark.parametrize("error", [OSError("no space left on device"), RuntimeError("too many open files")])
async def test_polling_where_no_watch_is_to_be_had(
    directory: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def refuses(*paths: str, **options: object) -> AsyncIterator[None]:
        raise error
        yield

    monkeypatch.setattr(proxy.reload, "awatch", refuses)
    async with watching(directory, poll_interval=0.01) as watched:
        assert str(error) in (await watched.events.next("rules_polled"))["reason"]
        assert watched.watcher.polling
        write(directory / "a.yaml", "dual_write")
        await watched.change()
        (directory / "a.yaml").write_text("[")
        await watched.events.next("rules_rejected")
        assert not watched.watcher.watching.is_set()
        assert len(watched.events.all("rules_polled")) == 1


async def test_changes_that_the_system_keeps_quiet_about_are_found(
    directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on network file systems: the watch stands and hears nothing."""
    (tmp_path / "quiet").mkdir()
    monkeypatch.setattr(
        proxy.reload, "awatch", lambda *paths, **options: awatch(tmp_path / "quiet", **options)
    )
    async with watching(directory, poll_interval=0.05) as watched:
        await watched.ready()
        write(directory / "a.yaml", "dual_write")
        await watched.change()
        assert not watched.watcher.polling


async def test_the_end_leaves_nothing_behind(directory: Path) -> None:
    def inotify_watches() -> int:
        links = []
        for descriptor in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        return links.count("anon_inode:inotify")

    before = inotify_watches()
    async with watching(directory) as watched:
        await watched.ready()
        assert inotify_watches() == before + 1
        tasks = asyncio.all_tasks()
    await asyncio.to_thread(eventually, lambda: inotify_watches() == before)  # a thread of watchfiles ends it
    assert all(task.done() for task in tasks if task is not asyncio.current_task())
